"""What holds creating back, and what never is held back (semantics.md 8, 9 and 10)."""

import pytest

from prebuilds.core.actions import CreatePrebuilds, HoldCreation, Reason, SetStatus
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import Status
from tests.unit.prebuilds.core.builders import (
    DAY,
    HOUR,
    LONG_AGO,
    MINUTE,
    NOW,
    POLICY,
    SECOND,
    TICK,
    actions_for,
    attempt,
    cancellations,
    created,
    deletions,
    failed,
    failed_deletion,
    held,
    history,
    make_preset,
    pending,
    prebuild,
    statuses,
)

NO_LIMIT = Policy(failure_hard_limit=0)
JUST_FAILED = (attempt("F", ago=SECOND),)
FAILED_LONG_AGO = (attempt("F", ago=LONG_AGO),)
THREE_FAILURES = history("FFF", newest=LONG_AGO)


# Backoff


def test_backoff_withholds_all_that_is_missing_and_says_until_when_and_after_how_many():
    preset = make_preset(
        3, running=(prebuild(1),), attempts=history("FFS", newest=SECOND, apart=SECOND)
    )

    actions = actions_for(preset)

    assert actions == (
        HoldCreation(
            count=2, reason=Reason.BACKING_OFF, until=NOW - SECOND + 2 * MINUTE, failures=2
        ),
    )


@pytest.mark.parametrize(("ago", "creates"), [(MINUTE, 0), (MINUTE + TICK, 1)])
def test_creating_waits_through_the_last_instant_of_the_backoff(ago, creates):
    preset = make_preset(1, attempts=(attempt("F", ago=ago),))

    assert created(actions_for(preset)) == creates


def test_a_full_pool_in_backoff_withholds_nothing():
    preset = make_preset(1, running=(prebuild(1),), attempts=JUST_FAILED)

    assert actions_for(preset) == ()


# Probe


@pytest.mark.parametrize(
    ("desired", "starting", "creates", "withheld"),
    [
        (1, 0, 1, []),
        (3, 0, 1, [(2, "probing")]),
        (3, 1, 0, [(2, "probing")]),
        (3, 2, 0, [(1, "probing")]),
        (3, 3, 0, []),
        (0, 0, 0, []),
    ],
)
def test_after_a_failure_one_creation_at_most_is_in_flight(desired, starting, creates, withheld):
    preset = make_preset(desired, starting=starting, attempts=FAILED_LONG_AGO)

    actions = actions_for(preset)

    assert created(actions) == creates
    assert held(actions) == withheld


def test_a_probe_says_that_it_is_one():
    preset = make_preset(3, attempts=FAILED_LONG_AGO)

    assert actions_for(preset) == (
        CreatePrebuilds(count=1, reason=Reason.PROBING),
        HoldCreation(count=2, reason=Reason.PROBING),
    )


def test_a_success_ends_the_probe_and_the_whole_pool_is_created():
    preset = make_preset(3, attempts=history("SFF", newest=LONG_AGO))

    assert actions_for(preset) == (CreatePrebuilds(count=3),)


def test_backoff_comes_before_the_probe():
    preset = make_preset(3, attempts=history("FF", newest=SECOND))

    assert held(actions_for(preset)) == [(3, "backing_off")]


# Hard limit


@pytest.mark.parametrize("newest", [SECOND, LONG_AGO, 400 * DAY])
def test_a_hard_limited_preset_creates_nothing_however_long_ago_it_failed(newest):
    preset = make_preset(2, attempts=history("FFF", newest=newest))

    actions = actions_for(preset)

    assert actions == (
        SetStatus(status=Status.HARD_LIMITED, reason=Reason.TOO_MANY_FAILURES),
        HoldCreation(count=2, reason=Reason.HARD_LIMITED),
    )


@pytest.mark.parametrize(
    ("status", "outcomes", "changes"),
    [
        (Status.HEALTHY, "", []),
        (Status.HEALTHY, "FF", []),
        (Status.HEALTHY, "FFF", [("hard_limited", "too_many_failures")]),
        (Status.HARD_LIMITED, "FFF", []),
        (Status.HARD_LIMITED, "FFFF", []),
        (Status.HARD_LIMITED, "SFFF", [("healthy", "recovered")]),
        (Status.HARD_LIMITED, "FF", [("healthy", "recovered")]),
        (Status.HARD_LIMITED, "", [("healthy", "recovered")]),
        (Status.VALIDATION_FAILED, "FFF", []),
        (Status.VALIDATION_FAILED, "SFF", []),
        (Status.VALIDATION_FAILED, "", []),
    ],
)
@pytest.mark.parametrize("desired", [0, 1, 5])
def test_the_status_follows_the_hard_limit_in_both_directions(status, outcomes, changes, desired):
    preset = make_preset(desired, status=status, attempts=history(outcomes, newest=LONG_AGO))

    assert statuses(actions_for(preset)) == changes


def test_switching_the_hard_limit_off_recovers_the_preset():
    preset = make_preset(2, status=Status.HARD_LIMITED, attempts=THREE_FAILURES)

    actions = actions_for(preset, NO_LIMIT)

    assert statuses(actions) == [("healthy", "recovered")]
    assert created(actions) == 1


def test_a_preset_that_recovers_creates_in_the_same_cycle():
    retried = make_preset(2, status=Status.HARD_LIMITED)

    assert actions_for(retried) == (
        SetStatus(status=Status.HEALTHY, reason=Reason.RECOVERED),
        CreatePrebuilds(count=2),
    )


def test_a_full_pool_becomes_hard_limited_without_withholding_anything():
    preset = make_preset(1, running=(prebuild(1),), attempts=THREE_FAILURES)

    assert actions_for(preset) == (
        SetStatus(status=Status.HARD_LIMITED, reason=Reason.TOO_MANY_FAILURES),
    )


# Validation failure


@pytest.mark.parametrize("outcomes", ["", "S", "F", "FFF"])
@pytest.mark.parametrize("newest", [SECOND, LONG_AGO])
def test_a_preset_that_does_not_validate_creates_nothing_whatever_its_attempts(outcomes, newest):
    preset = make_preset(
        2, status=Status.VALIDATION_FAILED, attempts=history(outcomes, newest=newest)
    )

    assert actions_for(preset) == (HoldCreation(count=2, reason=Reason.VALIDATION_FAILED),)


def test_a_full_pool_that_does_not_validate_needs_nothing():
    preset = make_preset(1, status=Status.VALIDATION_FAILED, running=(prebuild(1),))

    assert actions_for(preset) == ()


# What is never held back


@pytest.mark.parametrize(
    "hindrance",
    [
        {"attempts": JUST_FAILED},
        {"attempts": FAILED_LONG_AGO},
        {"attempts": THREE_FAILURES},
        {"attempts": THREE_FAILURES, "status": Status.HARD_LIMITED},
        {"status": Status.VALIDATION_FAILED},
    ],
)
def test_deletions_and_cancellations_go_on_whatever_holds_creating_back(hindrance):
    over = make_preset(
        1,
        ttl=2 * HOUR,
        running=(prebuild(1, age=DAY), prebuild(2), prebuild(3, age=MINUTE)),
        starting=1,
        pending=(pending(4),),
        failed=(failed(5, ago=2 * DAY), failed(6, canceled=True)),
        failed_deletions=(failed_deletion(7, tries=1, ago=HOUR),),
        **hindrance,
    )

    actions = actions_for(over)

    assert cancellations(actions) == [(4, "surplus")]
    assert deletions(actions) == [
        (1, "expired"),
        (2, "extraneous"),
        (5, "failed"),
        (6, "canceled"),
        (7, "deletion_failed"),
    ]


@pytest.mark.parametrize(
    ("attempts", "status", "reason"),
    [
        (JUST_FAILED, Status.HEALTHY, "backing_off"),
        (history("FFF", newest=SECOND), Status.HARD_LIMITED, "hard_limited"),
        (history("FFF", newest=SECOND), Status.VALIDATION_FAILED, "validation_failed"),
    ],
)
def test_an_expired_prebuild_is_deleted_though_its_replacement_is_withheld(
    attempts, status, reason
):
    preset = make_preset(
        1, ttl=HOUR, running=(prebuild(1, age=DAY),), attempts=attempts, status=status
    )

    actions = actions_for(preset)

    assert deletions(actions) == [(1, "expired")]
    assert held(actions) == [(1, reason)]
    assert created(actions) == 0


def test_only_a_backoff_knows_when_the_holding_ends():
    limited = make_preset(2, status=Status.HARD_LIMITED, attempts=history("FFF", newest=SECOND))
    invalid = make_preset(2, status=Status.VALIDATION_FAILED, attempts=JUST_FAILED)
    probing = make_preset(2, starting=1, attempts=FAILED_LONG_AGO)

    ends = [actions_for(preset, POLICY)[-1].until for preset in (limited, invalid, probing)]

    assert ends == [None, None, None]
