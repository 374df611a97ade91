"""The grammar of schedule ranges (semantics.md 6), against tables and against a naive reader."""

# ruff: noqa: DTZ001  a wall clock has no zone

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from templates_app.schedules import (
    Change,
    Desired,
    Problem,
    Schedule,
    ScheduleError,
    desired_at,
    find_overlaps,
    load_zone,
    next_changes,
    overlaps,
    parse_range,
    validate_schedules,
)

ALL_HOURS = frozenset(range(24))
ALL_DAYS = frozenset(range(1, 32))
ALL_MONTHS = frozenset(range(1, 13))
ALL_WEEKDAYS = frozenset(range(7))


def naive_field(text: str, lowest: int, highest: int) -> list[int]:
    """Read a field; like all `naive_` functions, written from section 6 alone."""
    if text == "*":
        return list(range(lowest, highest + 1))
    numbers: list[int] = []
    for item in text.split(","):
        ends = item.split("-")
        numbers.extend(range(int(ends[0]), int(ends[-1]) + 1))
    return numbers


@cache
def naive_contains(expression: str, month: int, day: int, weekday: int, hour: int) -> bool:
    _minute, hours, dom, months, dow = expression.split()
    if hour not in naive_field(hours, 0, 23) or month not in naive_field(months, 1, 12):
        return False
    day_matches = day in naive_field(dom, 1, 31)
    weekday_matches = weekday in naive_field(dow, 0, 6)
    if dom == "*" or dow == "*":
        return day_matches and weekday_matches
    return day_matches or weekday_matches


def naive_desired(
    base: int, schedules: tuple[Schedule, ...], local: datetime
) -> tuple[int, Schedule | None]:
    sunday_is_0 = (local.weekday() + 1) % 7
    for row in schedules:
        if naive_contains(row.expression, local.month, local.day, sunday_is_0, local.hour):
            return row.desired_instances, row
    return base, None


def rows(*expressions: str) -> tuple[Schedule, ...]:
    return tuple(
        Schedule(expression=expression, desired_instances=10 + position)
        for position, expression in enumerate(expressions)
    )


def minutes(start: datetime, until: datetime, step: int = 1) -> Iterator[datetime]:
    at = start
    while at <= until:
        yield at
        at += timedelta(minutes=step)


@pytest.mark.parametrize(
    ("expression", "field", "expected"),
    [
        ("* * * * *", "hours", ALL_HOURS),
        ("* * * * *", "days_of_month", ALL_DAYS),
        ("* * * * *", "months", ALL_MONTHS),
        ("* * * * *", "days_of_week", ALL_WEEKDAYS),
        ("* 0 * * *", "hours", {0}),
        ("* 23 * * *", "hours", {23}),
        ("* 09 * * *", "hours", {9}),
        ("* 9-9 * * *", "hours", {9}),
        ("* 9-18 * * *", "hours", set(range(9, 19))),
        ("* 19-23,0-7 * * *", "hours", {19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6, 7}),
        ("* 5,1,3,3 * * *", "hours", {1, 3, 5}),
        ("* * 1 * *", "days_of_month", {1}),
        ("* * 1-15,31 * *", "days_of_month", {*range(1, 16), 31}),
        ("* * * 1 *", "months", {1}),
        ("* * * 12 *", "months", {12}),
        ("* * * 6-8 *", "months", {6, 7, 8}),
        ("* * * * 0", "days_of_week", {0}),
        ("* * * * 6", "days_of_week", {6}),
        ("* * * * 1-5", "days_of_week", {1, 2, 3, 4, 5}),
    ],
)
def test_a_field_reads_as_the_set_of_its_numbers(
    expression: str, field: str, expected: set[int]
) -> None:
    parsed = parse_range(expression)

    assert getattr(parsed, field) == expected


@pytest.mark.parametrize(
    ("expression", "dom_restricted", "dow_restricted"),
    [
        ("* * * * *", False, False),
        ("* * 1 * *", True, False),
        ("* * * * 1", False, True),
        ("* * 1 * 1", True, True),
        ("* * 1-31 * 0-6", True, True),
    ],
)
def test_only_a_star_leaves_a_day_field_unrestricted(
    expression: str, dom_restricted: bool, dow_restricted: bool
) -> None:
    parsed = parse_range(expression)

    assert (parsed.dom_restricted, parsed.dow_restricted) == (dom_restricted, dow_restricted)


@pytest.mark.parametrize("expression", ["  * 9-18 * * 1-5 ", "*\t9-18  *\n* 1-5", "* 9-18 * * 1-5"])
def test_whitespace_around_and_between_fields_does_not_matter(expression: str) -> None:
    parsed = parse_range(expression)

    assert parsed == parse_range("* 9-18 * * 1-5")
    assert parsed.expression == "* 9-18 * * 1-5"


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "exactly five fields"),
        ("   ", "exactly five fields"),
        ("* 9-18 * *", "has 4"),
        ("* 9-18 * * 1-5 *", "has 6"),
        ("CRON_TZ=UTC * 9-18 * * 1-5", "has 6"),
        ("@daily", "exactly five fields"),
        ("@every 1h", "exactly five fields"),
        ("0 9 * * *", 'write "* 9 * * *"'),
        ("0-59 9 * * *", "the minute must be *"),
        ("*/5 9 * * *", "the minute must be *"),
        ("? 9 * * *", "the minute must be *"),
        ("* 24 * * *", 'the hour "24" is out of range, use 0 to 23'),
        ("* 20-24 * * *", 'the hour "20-24" is out of range, use 0 to 23'),
        ("* * 0 * *", 'the day of month "0" is out of range, use 1 to 31'),
        ("* * 32 * *", "use 1 to 31"),
        ("* * 0-5 * *", "use 1 to 31"),
        ("* * * 0 *", 'the month "0" is out of range, use 1 to 12'),
        ("* * * 13 *", "use 1 to 12"),
        ("* * * * 7", 'the day of week "7" is out of range, use 0 (Sunday) to 6'),
        ("* * * * 1-7", "use 0 (Sunday) to 6"),
        ("* 19-7 * * *", 'runs backwards, write "19-23,0-7"'),
        ("* * * 11-2 *", 'runs backwards, write "11-12,1-2"'),
        ("* 9-18/2 * * *", "has a step"),
        ("* */2 * * *", "has a step"),
        ("* * * */3 *", "has a step"),
        ("* * * JAN *", 'the month "JAN"'),
        ("* * * * MON-FRI", 'the day of week "MON-FRI"'),
        ("* * ? * *", 'the day of month "?"'),
        ("* * L * *", 'the day of month "L"'),
        ("* 1,* * * *", 'the hour "*"'),
        ("* -1 * * *", 'the hour "-1"'),
        ("* 1- * * *", 'the hour "1-"'),
        ("* 1-2-3 * * *", 'the hour "1-2-3"'),
        ("* +1 * * *", 'the hour "+1"'),
        ("* 1.5 * * *", 'the hour "1.5"'),
        ("* ١ * * *", 'the hour "١"'),
        ("* 99999999999 * * *", 'the hour "99999999999"'),
        ("* 9, * * *", "empty list item"),
        ("* ,9 * * *", "empty list item"),
        ("* 9,,10 * * *", "empty list item"),
        ("* , * * *", "empty list item"),
    ],
)
def test_what_the_grammar_does_not_allow_is_rejected_with_the_remedy(
    expression: str, complaint: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_range(expression)

    assert str(caught.value).startswith(f'"{expression}": ')
    assert complaint in str(caught.value)


def test_the_complaint_about_a_minute_is_a_sentence_to_act_on() -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_range("0 9-18 * * 1-5")

    assert str(caught.value) == (
        '"0 9-18 * * 1-5": the minute must be * because a schedule is a continuous range, '
        'write "* 9-18 * * 1-5"'
    )


def test_the_same_expression_is_parsed_once() -> None:
    first = parse_range("* 3 * * *")

    second = parse_range("* 3 * * *")

    assert second is first


@pytest.mark.parametrize(
    ("expression", "local", "inside"),
    [
        # 2025-06-02 is a Monday, 2025-06-01 a Sunday
        ("* 9-18 * * 1-5", datetime(2025, 6, 2, 8, 59, 59, 999999), False),
        ("* 9-18 * * 1-5", datetime(2025, 6, 2, 9, 0), True),
        ("* 9-18 * * 1-5", datetime(2025, 6, 2, 18, 59, 59, 999000), True),
        ("* 9-18 * * 1-5", datetime(2025, 6, 2, 19, 0), False),
        ("* 9-18 * * 1-5", datetime(2025, 6, 1, 12, 0), False),
        ("* 9-18 * * 1-5", datetime(2025, 6, 6, 12, 0), True),
        ("* 9-18 * * 1-5", datetime(2025, 6, 7, 12, 0), False),
        ("* 19-23,0-7 * * *", datetime(2025, 6, 2, 18, 59, 59), False),
        ("* 19-23,0-7 * * *", datetime(2025, 6, 2, 19, 0), True),
        ("* 19-23,0-7 * * *", datetime(2025, 6, 3, 0, 0), True),
        ("* 19-23,0-7 * * *", datetime(2025, 6, 3, 7, 59, 59), True),
        ("* 19-23,0-7 * * *", datetime(2025, 6, 3, 8, 0), False),
        ("* * * * 0", datetime(2025, 6, 1, 0, 0), True),
        ("* * * * 6", datetime(2025, 6, 1, 0, 0), False),
        ("* * 1 * *", datetime(2025, 6, 1, 0, 0), True),
        ("* * 1 * *", datetime(2025, 6, 2, 0, 0), False),
        ("* * 2 * 0", datetime(2025, 6, 1, 0, 0), True),
        ("* * 2 * 0", datetime(2025, 6, 2, 0, 0), True),
        ("* * 2 * 0", datetime(2025, 6, 3, 0, 0), False),
        ("* 5 2 7 0", datetime(2025, 6, 1, 5, 0), False),
        ("* * * 7 *", datetime(2025, 6, 30, 23, 59, 59), False),
        ("* * * 7 *", datetime(2025, 7, 1, 0, 0), True),
        ("* * 29 2 *", datetime(2024, 2, 29, 12, 0), True),
    ],
)
def test_a_range_contains_exactly_its_own_minutes(
    expression: str, local: datetime, inside: bool
) -> None:
    covered = parse_range(expression)

    assert covered.contains(local) is inside


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Pacific/Chatham"])
def test_an_iana_zone_loads(name: str) -> None:
    zone = load_zone(name)

    assert zone.key == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "../x",
        "/etc/passwd",
        "Europe",
        "Europe/",
        "Nowhere/Land",
        "a\0b",
        "x" * 5000,
        "\ud800",
    ],
)
def test_what_is_no_zone_is_a_schedule_error_naming_it(name: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        load_zone(name)

    assert f'the time zone "{name}" is unknown' in str(caught.value)


def test_a_misspelled_zone_is_answered_with_the_right_one() -> None:
    with pytest.raises(ScheduleError) as caught:
        load_zone("Europe/Berln")

    assert 'such as "Europe/Berlin"' in str(caught.value)


def test_without_schedules_the_base_is_wanted_and_the_zone_is_not_looked_at() -> None:
    desired = desired_at(base=3, zone="", schedules=[], now=datetime(2025, 6, 2, tzinfo=UTC))

    assert desired == Desired(instances=3, schedule=None)


def test_outside_every_schedule_the_base_is_wanted() -> None:
    schedules = rows("* 9 * * *")

    desired = desired_at(
        base=3, zone="UTC", schedules=schedules, now=datetime(2025, 6, 2, 10, tzinfo=UTC)
    )

    assert desired == Desired(instances=3, schedule=None)


def test_the_first_schedule_that_contains_the_instant_wins() -> None:
    schedules = rows("* 8 * * *", "* 9-10 * * *", "* 10 * * *")

    desired = desired_at(
        base=3, zone="UTC", schedules=schedules, now=datetime(2025, 6, 2, 10, tzinfo=UTC)
    )

    assert desired == Desired(instances=11, schedule=schedules[1])


def test_a_schedule_may_want_zero() -> None:
    night = Schedule(expression="* 0-5 * * *", desired_instances=0)

    desired = desired_at(
        base=3, zone="UTC", schedules=[night], now=datetime(2025, 6, 2, tzinfo=UTC)
    )

    assert desired == Desired(instances=0, schedule=night)


@pytest.mark.parametrize(
    ("now", "instances"),
    [
        (datetime(2025, 6, 2, 6, 59, 59, 999999, tzinfo=UTC), 1),
        (datetime(2025, 6, 2, 7, 0, tzinfo=UTC), 10),
        (datetime(2025, 6, 2, 16, 59, 59, 999999, tzinfo=UTC), 10),
        (datetime(2025, 6, 2, 17, 0, tzinfo=UTC), 1),
        (datetime(2025, 6, 2, 3, 0, tzinfo=ZoneInfo("America/New_York")), 10),
    ],
)
def test_the_instant_is_taken_in_the_zone_of_the_preset(now: datetime, instances: int) -> None:
    schedules = rows("* 9-18 * * 1-5")

    desired = desired_at(base=1, zone="Europe/Berlin", schedules=schedules, now=now)

    assert desired.instances == instances


@pytest.mark.parametrize("schedules", [(), rows("* 9 * * *")])
def test_a_naive_instant_is_refused(schedules: tuple[Schedule, ...]) -> None:
    naive = datetime(2025, 6, 2)
    aware = datetime(2025, 6, 2, tzinfo=UTC)

    with pytest.raises(ValueError, match="naive"):
        desired_at(base=1, zone="UTC", schedules=schedules, now=naive)
    with pytest.raises(ValueError, match="naive"):
        next_changes(base=1, zone="UTC", schedules=schedules, start=naive, until=aware)
    with pytest.raises(ValueError, match="naive"):
        next_changes(base=1, zone="UTC", schedules=schedules, start=aware, until=naive)


def test_a_bad_row_is_bad_at_every_hour_even_behind_a_row_that_matches() -> None:
    schedules = rows("* * * * *", "nonsense")

    with pytest.raises(ScheduleError, match="nonsense"):
        desired_at(base=1, zone="UTC", schedules=schedules, now=datetime(2025, 6, 2, tzinfo=UTC))


def test_a_bad_zone_is_an_error_as_soon_as_there_are_schedules() -> None:
    now = datetime(2025, 6, 2, tzinfo=UTC)

    with pytest.raises(ScheduleError, match="Mars"):
        desired_at(base=1, zone="Mars/Base", schedules=rows("* * * * *"), now=now)


def change_times(zone: str, expression: str, start: datetime, until: datetime) -> list[str]:
    changes = next_changes(base=0, zone=zone, schedules=rows(expression), start=start, until=until)
    return [f"{change.at:%d %H:%M} {change.instances}" for change in changes]


def test_changes_come_after_the_start_and_up_to_the_end_inclusive() -> None:
    schedules = rows("* 9-18 * * 1-5")
    nine = datetime(2025, 6, 2, 9, tzinfo=UTC)
    seven = datetime(2025, 6, 2, 19, tzinfo=UTC)

    changes = next_changes(base=1, zone="UTC", schedules=schedules, start=nine, until=seven)
    short = next_changes(
        base=1, zone="UTC", schedules=schedules, start=nine, until=seven - timedelta.resolution
    )
    from_before = next_changes(
        base=1, zone="UTC", schedules=schedules, start=nine - timedelta.resolution, until=nine
    )

    assert changes == [Change(at=seven, instances=1, schedule=None)]
    assert short == []
    assert from_before == [Change(at=nine, instances=10, schedule=schedules[0])]


def test_changes_are_in_utc_whatever_zone_the_bounds_are_in() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    start = datetime(2025, 6, 2, 0, 30, tzinfo=tokyo)

    changes = next_changes(
        base=1,
        zone="Asia/Tokyo",
        schedules=rows("* 9 * * *"),
        start=start,
        until=start + timedelta(days=1),
    )

    assert [change.at for change in changes] == [
        datetime(2025, 6, 2, 0, tzinfo=UTC),
        datetime(2025, 6, 2, 1, tzinfo=UTC),
    ]
    assert all(change.at.tzinfo is UTC for change in changes)


def test_a_change_of_row_is_a_change_even_when_the_number_stays() -> None:
    morning = Schedule(expression="* 8 * * *", desired_instances=4)
    noon = Schedule(expression="* 9 * * *", desired_instances=4)
    start = datetime(2025, 6, 2, 8, 30, tzinfo=UTC)

    changes = next_changes(
        base=4, zone="UTC", schedules=[morning, noon], start=start, until=start + timedelta(hours=3)
    )

    assert [(change.at.hour, change.schedule) for change in changes] == [(9, noon), (10, None)]


@pytest.mark.parametrize("expression", ["* * * * *", "* * 30 2 *"])
def test_what_never_changes_has_no_changes(expression: str) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)

    changes = next_changes(
        base=1,
        zone="Europe/Berlin",
        schedules=rows(expression),
        start=start,
        until=start + timedelta(days=365),
    )

    assert changes == []


def test_an_end_before_the_start_has_no_changes() -> None:
    start = datetime(2025, 6, 2, tzinfo=UTC)

    changes = next_changes(
        base=1,
        zone="UTC",
        schedules=rows("* 9 * * *"),
        start=start,
        until=start - timedelta(days=1),
    )

    assert changes == []


@pytest.mark.parametrize(
    ("zone", "expression", "start", "expected"),
    [
        # 2025-10-26: 02:00 to 03:00 comes twice, from 00:00 to 02:00 UTC
        ("Europe/Berlin", "* 2 * * *", datetime(2025, 10, 25, 12), ["26 00:00 10", "26 02:00 0"]),
        # 2025-03-30: 02:00 to 03:00 does not come
        ("Europe/Berlin", "* 2 * * *", datetime(2025, 3, 29, 12), []),
        ("Europe/Berlin", "* 1-2 * * *", datetime(2025, 3, 29, 12), ["30 00:00 10", "30 01:00 0"]),
        # 2025-11-02: 01:00 to 02:00 comes twice, from 05:00 to 07:00 UTC
        ("America/New_York", "* 1 * * *", datetime(2025, 11, 2), ["02 05:00 10", "02 07:00 0"]),
        # 2025-04-06: at 02:00 (+11) the clock goes back to 01:30 (+10:30)
        ("Australia/Lord_Howe", "* 1 * * *", datetime(2025, 4, 5), ["05 14:00 10", "05 15:30 0"]),
        # 2025-10-05: at 02:00 (+10:30) the clock goes on to 02:30 (+11)
        ("Australia/Lord_Howe", "* 2 * * *", datetime(2025, 10, 4), ["04 15:30 10", "04 16:00 0"]),
        # +12:45 in winter: 09:00 is 20:15 UTC
        ("Pacific/Chatham", "* 9 * * *", datetime(2025, 6, 2), ["02 20:15 10", "02 21:15 0"]),
        # until 2011 at 00:01 local, in the middle of an hour: 23:01 again
        (
            "America/St_Johns",
            "* 23 * * *",
            datetime(2010, 11, 7),
            ["07 01:30 10", "07 02:30 0", "07 02:31 10", "07 03:30 0"],
        ),
        # 2011-12-30 does not exist
        ("Pacific/Apia", "* * 30 12 *", datetime(2011, 12, 30), []),
    ],
)
def test_a_repeated_hour_counts_twice_and_a_skipped_one_never(
    zone: str, expression: str, start: datetime, expected: list[str]
) -> None:
    begin = start.replace(tzinfo=UTC)

    steps = change_times(zone, expression, begin, begin + timedelta(days=1))

    assert steps == expected


def test_two_weeks_of_twenty_schedules_take_under_ten_milliseconds() -> None:
    schedules = rows(*(f"* {hour} * * 1-5" for hour in range(20)))
    start = datetime(2025, 3, 20, tzinfo=UTC)

    def measure() -> float:
        began = time.perf_counter()
        next_changes(
            base=1,
            zone="Australia/Lord_Howe",
            schedules=schedules,
            start=start,
            until=start + timedelta(days=14),
        )
        return time.perf_counter() - began

    assert min(measure() for _ in range(5)) < 0.010


YEAR_OF_ROWS = rows(
    "* 2 * 3,10,11 0",
    "* 9-18 * * 1-5",
    "* 19-23,0-7 1,15 4-6 6",
    "* 0-1,3 10-20 * *",
    "* * 29-31 2-12 *",
)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham"]
)
def test_every_minute_of_a_year_agrees_with_a_naive_reading_of_the_rules(zone: str) -> None:
    clock = ZoneInfo(zone)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    until = datetime(2025, 1, 1, tzinfo=UTC)
    changes = next_changes(base=1, zone=zone, schedules=YEAR_OF_ROWS, start=start, until=until)
    steps = {change.at: (change.instances, change.schedule) for change in changes}

    disagreements = []
    predicted = naive_desired(1, YEAR_OF_ROWS, start.astimezone(clock))
    for at in minutes(start, until):
        predicted = steps.get(at, predicted)
        if predicted != naive_desired(1, YEAR_OF_ROWS, at.astimezone(clock)):
            disagreements.append(at)
    for at in minutes(start, until, step=15):
        desired = desired_at(base=1, zone=zone, schedules=YEAR_OF_ROWS, now=at)
        if (desired.instances, desired.schedule) != naive_desired(
            1, YEAR_OF_ROWS, at.astimezone(clock)
        ):
            disagreements.append(at)

    assert disagreements == []
    assert len(changes) == len(steps) > 500


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", date(2025, 3, 30)),
        ("Europe/Berlin", date(2025, 10, 26)),
        ("America/New_York", date(2025, 3, 9)),
        ("America/New_York", date(2025, 11, 2)),
        ("Australia/Lord_Howe", date(2025, 4, 6)),
        ("Australia/Lord_Howe", date(2025, 10, 5)),
        ("Pacific/Chatham", date(2025, 4, 6)),
        ("Pacific/Chatham", date(2025, 9, 28)),
        ("Antarctica/Troll", date(2025, 3, 30)),
        ("Antarctica/Troll", date(2025, 10, 26)),
        ("America/St_Johns", date(2010, 3, 14)),
        ("America/St_Johns", date(2010, 11, 7)),
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Asia/Kathmandu", date(2025, 6, 1)),
    ],
)
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 23])
def test_every_minute_around_a_change_of_the_clock_agrees(zone: str, day: date, hour: int) -> None:
    clock = ZoneInfo(zone)
    schedules = rows(f"* {hour} * * *")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    until = start + timedelta(days=3)

    changes = next_changes(base=1, zone=zone, schedules=schedules, start=start, until=until)
    expected_steps = []
    last = naive_desired(1, schedules, start.astimezone(clock))
    for at in minutes(start, until):
        wanted = naive_desired(1, schedules, at.astimezone(clock))
        desired = desired_at(base=1, zone=zone, schedules=schedules, now=at)
        assert (desired.instances, desired.schedule) == wanted, at
        if wanted != last:
            expected_steps.append((at, *wanted))
        last = wanted

    assert [(c.at, c.instances, c.schedule) for c in changes] == expected_steps


def field_texts(lowest: int, highest: int) -> st.SearchStrategy[str]:
    def write(ends: tuple[int, int]) -> str:
        low, high = sorted(ends)
        return str(low) if low == high else f"{low}-{high}"

    number = st.integers(lowest, highest)
    item = st.tuples(number, number).map(write)
    return st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join))


EXPRESSIONS = st.builds(
    "* {} {} {} {}".format,
    field_texts(0, 23),
    field_texts(1, 31),
    field_texts(1, 12),
    field_texts(0, 6),
)
ROWS = st.lists(EXPRESSIONS, min_size=1, max_size=4).map(lambda expressions: rows(*expressions))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham"]
)
INSTANTS = st.datetimes(
    min_value=datetime(2000, 1, 1), max_value=datetime(2036, 1, 1), timezones=st.just(UTC)
)


@given(schedules=ROWS, zone=ZONES, start=INSTANTS, probes=st.lists(st.floats(0, 1), max_size=10))
@settings(deadline=None, max_examples=100)
def test_changes_agree_with_desired_at_on_before_and_between_every_step(
    schedules: tuple[Schedule, ...], zone: str, start: datetime, probes: list[float]
) -> None:
    span = timedelta(days=20)

    changes = next_changes(base=1, zone=zone, schedules=schedules, start=start, until=start + span)

    desired = desired_at(base=1, zone=zone, schedules=schedules, now=start)
    for change in changes:
        before = change.at - timedelta.resolution
        assert desired_at(base=1, zone=zone, schedules=schedules, now=before) == desired
        after = desired_at(base=1, zone=zone, schedules=schedules, now=change.at)
        assert after == Desired(instances=change.instances, schedule=change.schedule) != desired
        desired = after
    for at in (start + span * probe for probe in probes):
        last = next((c for c in reversed(changes) if c.at <= at), None)
        known = (
            Desired(instances=last.instances, schedule=last.schedule)
            if last
            else desired_at(base=1, zone=zone, schedules=schedules, now=start)
        )
        assert desired_at(base=1, zone=zone, schedules=schedules, now=at) == known


@given(schedules=ROWS, zone=ZONES, start=INSTANTS, cut=st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_changes_of_a_span_are_those_of_its_two_parts(
    schedules: tuple[Schedule, ...], zone: str, start: datetime, cut: float
) -> None:
    until = start + timedelta(days=10)
    middle = start + (until - start) * cut

    def between(a: datetime, b: datetime) -> list[Change]:
        return next_changes(base=1, zone=zone, schedules=schedules, start=a, until=b)

    assert between(start, until) == between(start, middle) + between(middle, until)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("* 9-18 * * *", "* 18-20 * * *", True),
        ("* 9-18 * * *", "* 19-20 * * *", False),
        ("* 19-23,0-7 * * *", "* 7-8 * * *", True),
        ("* * * 1-6 *", "* * * 7-12 *", False),
        ("* * * 1-6 *", "* * * 6-12 *", True),
        ("* * * * 1-5", "* * * * 0,6", False),
        ("* * * * 1-5", "* * * * 5-6", True),
        ("* * 1-15 * *", "* * 16-31 * *", False),
        ("* * 1-15 * *", "* * 15-31 * *", True),
        ("* * 1 * *", "* * * * 1", True),
        ("* 1 1 * *", "* 2 * * 1", False),
        ("* * 1 * 1", "* * 1 * 2", True),
        ("* * 1 * 1", "* * 2 * 1", True),
        ("* * * * *", "* * * * *", True),
    ],
)
def test_overlap_follows_the_pairwise_rule(a: str, b: str, expected: bool) -> None:
    assert overlaps(parse_range(a), parse_range(b)) is expected


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        ("* * 1 * 1", "* * 2 * 2", datetime(2025, 7, 1)),
        ("* * * * 1", "* * 15 * 2", datetime(2025, 9, 15)),
        ("* * 1 * *", "* * 15 * 2", datetime(2025, 7, 1)),
    ],
)
def test_the_written_rule_misses_some_ranges_that_match_on_either_day_field(
    a: str, b: str, shared: datetime
) -> None:
    first, second = parse_range(a), parse_range(b)

    assert first.contains(shared)
    assert second.contains(shared)
    assert not overlaps(first, second)


@pytest.mark.parametrize(("a", "b"), [("* * 31 2 *", "* * * 2 *"), ("* * 30 * *", "* * 30-31 2 *")])
def test_the_written_rule_reports_dates_that_do_not_exist(a: str, b: str) -> None:
    first, second = parse_range(a), parse_range(b)

    assert overlaps(first, second)
    assert not share_a_minute(a, b)


@cache
def days_of_28_years() -> frozenset[tuple[int, int, int]]:
    """Every (month, day, weekday) of a full cycle of the calendar."""
    first = date(2000, 1, 1)
    days = (first + timedelta(days=number) for number in range(28 * 366))
    return frozenset((d.month, d.day, (d.weekday() + 1) % 7) for d in days)


def share_a_minute(a: str, b: str) -> bool:
    hours = [set(naive_field(expression.split()[1], 0, 23)) for expression in (a, b)]
    if not hours[0] & hours[1]:
        return False
    every_hour_a, every_hour_b = (" ".join(["*", "*", *e.split()[2:]]) for e in (a, b))
    contains = naive_contains.__wrapped__
    return any(
        contains(every_hour_a, *day, 0) and contains(every_hour_b, *day, 0)
        for day in days_of_28_years()
    )


def matches_on_either(expression: str) -> bool:
    fields = expression.split()
    return fields[2] != "*" and fields[4] != "*"


@given(a=EXPRESSIONS, b=EXPRESSIONS)
def test_overlap_is_symmetric(a: str, b: str) -> None:
    first, second = parse_range(a), parse_range(b)

    assert overlaps(first, second) == overlaps(second, first)


@given(expression=EXPRESSIONS)
def test_a_range_overlaps_with_itself(expression: str) -> None:
    covered = parse_range(expression)

    assert overlaps(covered, covered)


@given(a=EXPRESSIONS, b=EXPRESSIONS)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.filter_too_much])
def test_ranges_that_share_a_minute_overlap_unless_one_matches_on_either_day_field(
    a: str, b: str
) -> None:
    assume(not matches_on_either(a) and not matches_on_either(b))

    shared = share_a_minute(a, b)

    assert overlaps(parse_range(a), parse_range(b)) or not shared


@given(a=EXPRESSIONS, b=EXPRESSIONS)
@settings(deadline=None, max_examples=300)
def test_ranges_that_overlap_share_a_minute_when_their_dates_exist(a: str, b: str) -> None:
    assume(overlaps(parse_range(a), parse_range(b)))
    real = [(e.split()[2] == "*" or max(naive_field(e.split()[2], 1, 31)) <= 28) for e in (a, b)]
    assume(all(real))

    assert share_a_minute(a, b)


def test_overlapping_pairs_are_found_by_index_lower_first() -> None:
    expressions = ["* 9-12 * * *", "* 13 * * *", "* 12-13 * * *", "* 20 * * *"]

    pairs = find_overlaps(expressions)

    assert pairs == [(0, 2), (1, 2)]


def test_finding_overlaps_of_a_bad_expression_is_an_error() -> None:
    with pytest.raises(ScheduleError, match="nonsense"):
        find_overlaps(["* * * * *", "nonsense"])


@pytest.mark.parametrize(
    ("zone", "expressions"),
    [
        ("Europe/Berlin", ["* 9-18 * * 1-5", "* 9-18 * * 0,6"]),
        ("UTC", []),
        ("", []),
    ],
)
def test_good_schedules_have_no_problems(zone: str, expressions: list[str]) -> None:
    problems = validate_schedules(zone=zone, expressions=expressions)

    assert problems == []


@pytest.mark.parametrize(("zone", "expressions"), [("", ["* 9 * * *"]), ("Mars/Base", [])])
def test_a_zone_that_does_not_load_is_a_problem_of_no_row(
    zone: str, expressions: list[str]
) -> None:
    [problem] = validate_schedules(zone=zone, expressions=expressions)

    assert (problem.index, problem.other_index) == (None, None)
    assert f'"{zone}"' in problem.message


def test_two_rows_that_overlap_are_named_counting_from_one() -> None:
    expressions = ["* 9-18 * * 1-5", "* 9 * * 0", "* 17-20 * * 5"]

    problems = validate_schedules(zone="UTC", expressions=expressions)

    assert problems == [
        Problem(
            index=0,
            other_index=2,
            message=(
                'Rows 1 and 3 overlap: "* 9-18 * * 1-5" and "* 17-20 * * 5", '
                "change the hours, days or months of one so that no minute is in both"
            ),
        )
    ]


def test_all_problems_are_collected_and_good_rows_are_compared_past_bad_ones() -> None:
    expressions = ["* 9 * * *", "0 9 * * *", "* 9 * * 1", ""]

    problems = validate_schedules(zone="Mars/Base", expressions=expressions)

    assert [(p.index, p.other_index) for p in problems] == [
        (None, None),
        (1, None),
        (3, None),
        (0, 2),
    ]
    assert problems[1].message.startswith('Row 2: "0 9 * * *": the minute must be *')
    assert problems[3].message.startswith("Rows 1 and 3 overlap")
