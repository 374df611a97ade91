"""What is counted, what is expired, and how many are wanted (semantics.md 3, 5 and 6)."""

from datetime import UTC, datetime, timedelta

import pytest

from prebuilds.core.snapshot import PresetSnapshot
from prebuilds.core.state import State, calculate_state, find_desired, is_expired
from templates_app.schedules import Schedule
from tests.unit.prebuilds.core.builders import (
    DAY,
    HOUR,
    MINUTE,
    NONE,
    NOW,
    SECOND,
    TICK,
    make_preset,
    pending,
    prebuild,
)

INACTIVE = [
    {"using_active_version": False},
    {"deprecated": True},
    {"deleted": True},
]
OFFICE_HOURS = Schedule(expression="* 9-18 * * 1-5", desired_instances=7)
NIGHT = Schedule(expression="* 19-23,0-7 * * *", desired_instances=0)
NOON = Schedule(expression="* 12 * * *", desired_instances=5)


def make_state(**counts: int) -> State:
    zeros = dict.fromkeys(
        (
            "actual",
            "expired",
            "desired",
            "eligible",
            "extraneous",
            "starting",
            "stopping",
            "deleting",
        ),
        0,
    )
    return State(**{**zeros, **counts})


# Counting (section 3)


def test_an_active_preset_counts_every_prebuild_where_it_belongs():
    preset = make_preset(
        desired=1,
        ttl=HOUR,
        running=(
            prebuild(1, age=2 * HOUR),
            prebuild(2, age=2 * HOUR, ready=False),
            prebuild(3),
            prebuild(4),
            prebuild(5, ready=False),
        ),
        starting=6,
        stopping=7,
        deleting=8,
        pending=(pending(6),),
    )

    state = calculate_state(preset, NOW)

    assert state == State(
        actual=5,
        expired=2,
        desired=1,
        eligible=2,
        extraneous=2,
        starting=6,
        stopping=7,
        deleting=8,
    )


@pytest.mark.parametrize("why", INACTIVE)
def test_an_inactive_preset_counts_what_runs_but_wants_nothing(why):
    preset = make_preset(
        desired=1,
        ttl=HOUR,
        schedules=(NOON,),
        running=(prebuild(1, age=2 * HOUR), prebuild(2), prebuild(3)),
        starting=1,
        stopping=2,
        deleting=3,
        **why,
    )

    state = calculate_state(preset, NOW)

    assert state == State(
        actual=3,
        expired=1,
        desired=0,
        eligible=0,
        extraneous=0,
        starting=1,
        stopping=2,
        deleting=3,
    )


@pytest.mark.parametrize("why", INACTIVE)
def test_an_inactive_preset_does_not_read_its_schedules(why):
    preset = make_preset(scheduling_timezone="Mars/Olympus", schedules=(OFFICE_HOURS,), **why)

    state = calculate_state(preset, NOW)

    assert (state.desired, state.schedule_problem) == (0, "")


@pytest.mark.parametrize(
    ("fresh", "desired", "extraneous"),
    [(0, 0, 0), (1, 2, 0), (2, 2, 0), (3, 2, 1), (3, 0, 3)],
)
def test_extraneous_are_those_beyond_desired(fresh, desired, extraneous):
    preset = make_preset(desired, running=tuple(prebuild(number) for number in range(fresh)))

    assert calculate_state(preset, NOW).extraneous == extraneous


def test_an_expired_prebuild_is_not_extraneous_too():
    preset = make_preset(1, ttl=HOUR, running=(prebuild(1, age=DAY), prebuild(2)))

    assert calculate_state(preset, NOW).extraneous == 0


@pytest.mark.parametrize(
    ("desired", "actual", "expired", "starting", "missing", "surplus"),
    [
        (0, 0, 0, 0, 0, 0),
        (3, 0, 0, 0, 3, 0),
        (3, 2, 0, 0, 1, 0),
        (3, 3, 0, 0, 0, 0),
        (3, 3, 1, 0, 1, 0),
        (3, 3, 3, 0, 3, 0),
        (3, 1, 0, 1, 1, 0),
        (3, 1, 0, 2, 0, 0),
        (3, 1, 0, 3, 0, 1),
        (3, 4, 0, 0, 0, 1),
        (3, 4, 2, 2, 0, 1),
        (0, 2, 0, 1, 0, 3),
    ],
)
def test_missing_and_surplus_count_fresh_and_starting_against_desired(
    desired, actual, expired, starting, missing, surplus
):
    state = make_state(desired=desired, actual=actual, expired=expired, starting=starting)

    assert (state.missing, state.surplus) == (missing, surplus)


@pytest.mark.parametrize("busy", [{"stopping": 9}, {"deleting": 9}, {"stopping": 9, "deleting": 9}])
def test_stopping_and_deleting_change_neither_missing_nor_surplus(busy):
    short = make_state(desired=3, actual=1, **busy)
    over = make_state(desired=1, actual=3, **busy)

    assert (short.missing, over.surplus) == (2, 2)


# Expiry (section 5)


@pytest.mark.parametrize(
    ("age", "expired"),
    [(NONE, False), (HOUR - TICK, False), (HOUR, False), (HOUR + TICK, True), (DAY, True)],
)
def test_a_prebuild_expires_when_strictly_older_than_its_ttl(age, expired):
    assert is_expired(prebuild(1, age=age), make_preset(ttl=HOUR), NOW) is expired


@pytest.mark.parametrize("ttl", [None, NONE])
def test_no_ttl_means_no_expiry(ttl):
    assert is_expired(prebuild(1, age=1000 * DAY), make_preset(ttl=ttl), NOW) is False


def test_the_ttl_counts_from_creation_not_from_the_latest_start():
    restarted = prebuild(1, age=2 * HOUR, up=MINUTE)

    assert is_expired(restarted, make_preset(ttl=HOUR), NOW) is True


@pytest.mark.parametrize(
    ("age", "expired"),
    [(HOUR + TICK, True), (HOUR, False), (HOUR - TICK, False)],
)
def test_a_prebuild_is_invalidated_when_created_strictly_before_the_mark(age, expired):
    preset = make_preset(last_invalidated_at=NOW - HOUR)

    assert is_expired(prebuild(1, age=age), preset, NOW) is expired


def test_an_invalidation_expires_without_a_ttl_and_a_ttl_without_an_invalidation():
    by_mark = make_preset(ttl=10 * DAY, last_invalidated_at=NOW)
    by_ttl = make_preset(ttl=HOUR, last_invalidated_at=NOW - 10 * DAY)

    assert is_expired(prebuild(1, age=DAY), by_mark, NOW) is True
    assert is_expired(prebuild(1, age=DAY), by_ttl, NOW) is True


def test_an_expired_prebuild_is_never_eligible():
    preset = make_preset(last_invalidated_at=NOW, running=(prebuild(1), prebuild(2)))

    state = calculate_state(preset, NOW)

    assert (state.actual, state.expired, state.eligible) == (2, 2, 0)


# Desired instances by schedule (section 6)


def scheduled(*schedules: Schedule, zone: str = "UTC", base: int = 2) -> PresetSnapshot:
    return make_preset(base, scheduling_timezone=zone, schedules=schedules)


@pytest.mark.parametrize("base", [0, 1, 9])
def test_without_schedules_the_base_number_is_wanted(base):
    desired = find_desired(make_preset(base, scheduling_timezone="Mars/Olympus"), NOW)

    assert (desired.instances, desired.schedule, desired.problem) == (base, None, "")


@pytest.mark.parametrize(
    ("now", "instances"),
    [
        (datetime(2026, 3, 4, 8, 59, 59, 999999, tzinfo=UTC), 2),
        (datetime(2026, 3, 4, 9, 0, tzinfo=UTC), 7),
        (datetime(2026, 3, 4, 18, 59, 59, 999999, tzinfo=UTC), 7),
        (datetime(2026, 3, 4, 19, 0, tzinfo=UTC), 2),
        (datetime(2026, 3, 1, 12, 0, tzinfo=UTC), 2),
        (datetime(2026, 3, 2, 12, 0, tzinfo=UTC), 7),
        (datetime(2026, 3, 6, 12, 0, tzinfo=UTC), 7),
        (datetime(2026, 3, 7, 12, 0, tzinfo=UTC), 2),
    ],
)
def test_a_schedule_holds_from_its_first_to_its_last_instant(now, instances):
    assert find_desired(scheduled(OFFICE_HOURS), now).instances == instances


@pytest.mark.parametrize(
    ("zone", "hour", "instances"),
    [
        ("UTC", 12, 5),
        ("Europe/Berlin", 12, 2),
        ("Europe/Berlin", 11, 5),
        ("America/New_York", 17, 5),
        ("Asia/Kolkata", 6, 2),  # 11:30 there
        ("Asia/Kolkata", 7, 5),  # 12:30 there
    ],
)
def test_a_schedule_is_read_in_the_zone_of_the_preset(zone, hour, instances):
    now = datetime(2026, 3, 4, hour, 0, tzinfo=UTC)

    assert find_desired(scheduled(NOON, zone=zone), now).instances == instances


@pytest.mark.parametrize(
    ("schedules", "instances", "found"),
    [
        ((NOON, OFFICE_HOURS), 5, NOON),
        ((OFFICE_HOURS, NOON), 7, OFFICE_HOURS),
        ((NIGHT, NOON), 5, NOON),
        ((NIGHT,), 2, None),
    ],
)
def test_the_first_schedule_that_contains_the_instant_gives_the_number(schedules, instances, found):
    desired = find_desired(scheduled(*schedules), NOW)

    assert (desired.instances, desired.schedule, desired.problem) == (instances, found, "")


@pytest.mark.parametrize("hour", [19, 23, 0, 7])
def test_a_schedule_may_want_none_and_may_span_the_night(hour):
    now = datetime(2026, 3, 4, hour, 30, tzinfo=UTC)

    desired = find_desired(scheduled(NIGHT), now)

    assert (desired.instances, desired.schedule) == (0, NIGHT)


@pytest.mark.parametrize(
    ("utc", "instances"),
    [
        (datetime(2026, 10, 24, 23, 59, tzinfo=UTC), 2),
        (datetime(2026, 10, 25, 0, 0, tzinfo=UTC), 4),
        (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), 4),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), 2),
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), 2),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), 2),
    ],
)
def test_an_hour_repeated_by_dst_counts_twice_and_a_skipped_one_never(utc, instances):
    two_o_clock = Schedule(expression="* 2 * * *", desired_instances=4)

    assert find_desired(scheduled(two_o_clock, zone="Europe/Berlin"), utc).instances == instances


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_a_zone_that_does_not_load_falls_back_to_the_base_and_says_so(zone):
    desired = find_desired(scheduled(NOON, zone=zone), NOW)

    assert (desired.instances, desired.schedule) == (2, None)
    assert f'"{zone}"' in desired.problem


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "nonsense",
        "0 9 * * *",
        "* 9 * *",
        "* 9 * * * *",
        "* 24 * * *",
        "* 9 * * 7",
        "* 18-9 * * *",
        "* */2 * * *",
        "* 9 * JAN *",
        "@daily",
    ],
)
def test_an_expression_that_does_not_parse_falls_back_to_the_base_and_says_so(expression):
    bad = Schedule(expression=expression, desired_instances=9)

    desired = find_desired(scheduled(bad), NOW)

    assert (desired.instances, desired.schedule) == (2, None)
    assert f'"{expression}"' in desired.problem


def test_one_bad_row_turns_all_rows_off_even_when_an_earlier_one_matches():
    bad = Schedule(expression="* 25 * * *", desired_instances=9)

    desired = find_desired(scheduled(NOON, bad), NOW)

    assert (desired.instances, desired.schedule) == (2, None)
    assert "* 25 * * *" in desired.problem


def test_the_state_carries_the_schedule_that_says_so_or_the_problem():
    good = calculate_state(scheduled(NOON), NOW)
    bad = calculate_state(scheduled(NOON, zone="Mars/Olympus"), NOW)

    assert (good.desired, good.schedule, good.schedule_problem) == (5, NOON, "")
    assert (bad.desired, bad.schedule) == (2, None)
    assert "Mars/Olympus" in bad.schedule_problem


@pytest.mark.parametrize("offset", [NONE, SECOND, 59 * SECOND + timedelta(microseconds=999_999)])
def test_seconds_within_a_minute_never_matter(offset):
    last_minute = datetime(2026, 3, 4, 18, 59, tzinfo=UTC)

    assert find_desired(scheduled(OFFICE_HOURS), last_minute + offset).instances == 7
