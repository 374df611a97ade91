"""A workspace's times from a template's policy and a person's wishes, as tables of cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workspaces import lifecycle
from workspaces.errors import InvalidLifecycle
from workspaces.lifecycle import Lifecycle, LifecyclePolicy

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR, DAY = 3_600, 86_400
OPEN = LifecyclePolicy()
STRICT = LifecyclePolicy(
    default_ttl_seconds=HOUR, allow_user_autostart=False, allow_user_autostop=False
)


def fresh(policy=OPEN, ttl_seconds=None, autostart_schedule=""):
    return lifecycle.fresh_lifecycle(
        policy, ttl_seconds=ttl_seconds, autostart_schedule=autostart_schedule, now=NOON
    )


def test_who_asks_for_nothing_gets_the_templates_ttl_and_nothing_else():
    assert fresh(LifecyclePolicy(default_ttl_seconds=HOUR)) == Lifecycle(
        ttl_seconds=HOUR, autostart_schedule="", next_start_at=None, last_used_at=NOON
    )


def test_a_template_without_a_ttl_gives_none():
    assert fresh().ttl_seconds is None


def test_a_wished_ttl_wins_over_the_templates_and_zero_is_no_wish():
    policy = LifecyclePolicy(default_ttl_seconds=HOUR)

    assert fresh(policy, ttl_seconds=DAY).ttl_seconds == DAY
    assert fresh(policy, ttl_seconds=0).ttl_seconds == HOUR


def test_a_wished_schedule_gives_the_next_start():
    wished = fresh(autostart_schedule=" CRON_TZ=Europe/Berlin 0 14 * * * ")

    assert wished.autostart_schedule == "CRON_TZ=Europe/Berlin 0 14 * * *"
    assert wished.next_start_at == NOON + timedelta(hours=1)


def test_a_template_that_allows_neither_refuses_both_with_the_remedy():
    with pytest.raises(InvalidLifecycle, match=r"ttl_seconds: 86400 .* after 3600 s.*Leave it"):
        fresh(STRICT, ttl_seconds=DAY)
    with pytest.raises(InvalidLifecycle, match=r"does not allow autostart. Leave it empty"):
        fresh(STRICT, autostart_schedule="0 9 * * *")
    assert fresh(STRICT).ttl_seconds == HOUR


def test_a_ttl_taken_away_needs_the_templates_leave_too():
    with pytest.raises(InvalidLifecycle, match="its workspaces never stop"):
        lifecycle.check_ttl(replace(STRICT, default_ttl_seconds=0), None)
    assert lifecycle.check_ttl(OPEN, None) is None
    assert lifecycle.check_ttl(OPEN, 0) is None


@pytest.mark.parametrize("seconds", [60, 61, 30 * DAY])
def test_a_ttl_is_a_minute_to_thirty_days(seconds):
    assert lifecycle.check_ttl(OPEN, seconds) == seconds


@pytest.mark.parametrize("seconds", [-1, 1, 59, 30 * DAY + 1, 2**40])
def test_any_other_ttl_is_refused_with_field_value_and_range(seconds):
    with pytest.raises(InvalidLifecycle, match=r"out of range: choose 60 .* to 2592000") as caught:
        lifecycle.check_ttl(OPEN, seconds)

    assert caught.value.field == "ttl_seconds"
    assert caught.value.detail.startswith(f"{seconds} ")


DEADLINES = [
    (OPEN, HOUR, HOUR),
    (OPEN, None, None),
    (STRICT, None, HOUR),
    (STRICT, DAY, HOUR),
    (replace(STRICT, default_ttl_seconds=0), DAY, None),
]


@pytest.mark.parametrize(("policy", "ttl", "expected"), DEADLINES)
def test_a_deadline_is_a_ttl_after_the_start(policy, ttl, expected):
    found = lifecycle.calculate_deadline(policy, ttl_seconds=ttl, started_at=NOON)

    assert found == (NOON + timedelta(seconds=expected) if expected else None)


def hours(number):
    return NOON + timedelta(hours=number)


def test_a_deadline_must_be_ahead_and_not_beyond_the_last():
    assert lifecycle.check_deadline(hours(2), max_deadline=None, now=NOON) == hours(2)
    assert lifecycle.check_deadline(hours(2), max_deadline=hours(2), now=NOON) == hours(2)
    for passed in (NOON, hours(-1)):
        with pytest.raises(InvalidLifecycle, match=r"deadline: .* has passed: choose a time after"):
            lifecycle.check_deadline(passed, max_deadline=None, now=NOON)
    with pytest.raises(InvalidLifecycle, match="is too late: this workspace has to stop by"):
        lifecycle.check_deadline(hours(3), max_deadline=hours(2), now=NOON)


UNUSED = [
    (HOUR, hours(-2), True),
    (HOUR, hours(-1), False),
    (HOUR, hours(-1) - timedelta(microseconds=1), True),
    (0, hours(-1000), False),
    (HOUR, None, False),
]


@pytest.mark.parametrize(("span", "last_used_at", "expected"), UNUSED)
def test_unused_is_longer_ago_than_the_policy_says(span, last_used_at, expected):
    policy = LifecyclePolicy(time_til_dormant_seconds=span)

    assert lifecycle.is_unused(policy, last_used_at=last_used_at, now=NOON) is expected


DELETIONS = [
    ("no policy", 0, None, None),
    ("the policy is off by now", 0, hours(1), None),
    ("first planned", HOUR, None, hours(1)),
    ("a shorter policy brings nothing forward", HOUR, hours(5), hours(5)),
    ("a longer one moves it", 9 * HOUR, hours(5), hours(9)),
]


@pytest.mark.parametrize(("span", "promised_at", "expected"), [row[1:] for row in DELETIONS])
def test_a_deletion_is_never_before_what_was_promised(span, promised_at, expected):
    policy = LifecyclePolicy(time_til_dormant_autodelete_seconds=span)

    found = lifecycle.plan_deletion(policy, dormant_at=NOON, promised_at=promised_at)

    assert found == expected
