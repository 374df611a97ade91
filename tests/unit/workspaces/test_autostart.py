"""When a workspace starts by itself: the grammar, the zone, the two odd days of a year."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspaces.autostart import next_start, read_schedule
from workspaces.errors import InvalidLifecycle

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = "CRON_TZ=Europe/Berlin 30 9 * * 1-5"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NEXT = [
    (WEEKDAYS, "2026-03-04 08:29", "2026-03-04 08:30"),
    (WEEKDAYS, "2026-03-04 08:29:59.999999", "2026-03-04 08:30"),
    (WEEKDAYS, "2026-03-04 08:30", "2026-03-05 08:30"),
    (WEEKDAYS, "2026-03-06 08:30:00.000001", "2026-03-09 08:30"),
    (WEEKDAYS, "2026-03-27 09:00", "2026-03-30 07:30"),  # over the change to summer time
    ("30 9 * * 1-5", "2026-03-04 09:29", "2026-03-04 09:30"),
    ("CRON_TZ=UTC 0 0 * * 0", "2026-03-04 12:00", "2026-03-08 00:00"),
    ("CRON_TZ=UTC 0 0 * * sun,WED", "2026-03-08 12:00", "2026-03-11 00:00"),
    ("CRON_TZ=Asia/Kolkata */15 9-10 * * *", "2026-03-04 03:31", "2026-03-04 03:45"),
    # Berlin skips 02:00 to 03:00 on 29 March, and has that hour twice on 25 October.
    ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28 12:00", "2026-03-30 00:30"),
    ("CRON_TZ=Europe/Berlin 30 * * * *", "2026-03-29 00:30", "2026-03-29 01:30"),
    ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24 12:00", "2026-10-25 00:30"),
    ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25 00:30", "2026-10-26 01:30"),
    ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25 01:10", "2026-10-26 01:30"),
    ("CRON_TZ=Europe/Berlin */20 * * * *", "2026-10-25 00:40", "2026-10-25 02:00"),
]


@pytest.mark.parametrize(("schedule", "now", "expected"), NEXT)
def test_the_next_start_is_on_the_clock_of_its_zone(schedule, now, expected):
    assert next_start(read_schedule(schedule), now=at(now)) == at(expected)


def test_the_next_start_is_told_in_utc():
    start = next_start(read_schedule(WEEKDAYS), now=at("2026-07-01 12:00").astimezone(BERLIN))

    assert (start, start.tzinfo) == (at("2026-07-02 07:30"), UTC)


REFUSED = [
    ("", "0 fields instead of 5"),
    ("30 9 * *", "4 fields instead of 5"),
    ("CRON_TZ=Europe/Berlin", "0 fields instead of 5"),
    ("0 30 9 * * 1", "6 fields instead of 5"),
    ("@daily", "1 fields instead of 5"),
    ("CRON_TZ=Europe/Berlni 30 9 * * 1-5", '"Europe/Berlni" is unknown.*"Europe/Berlin"'),
    ("CRON_TZ=../../etc/passwd 30 9 * * 1-5", "is unknown"),
    ("CRON_TZ= 30 9 * * 1-5", "is unknown"),
    ("TZ=Europe/Berlin 30 9 * * 1-5", "6 fields instead of 5"),
    ("60 9 * * *", "out of range"),
    ("0 24 * * *", "out of range"),
    ("*/0 9 * * *", "step '0'"),
    ("R 9 * * *", '"R" is no minute, use 0 to 59'),
    ("0 H * * *", '"H" is no hour, use 0 to 23'),
    ("0 9 1 * *", '"1" is no day of month, it must be [*]'),
    ("0 9 * 6 *", '"6" is no month, it must be [*]'),
    ("0 9 * * 7", r'"7" is no day of week, use 0 \(Sunday\) to 6'),
    ("0 9 * * 1#2", "is no day of week"),
    ("0 9 * * L", "is no day of week"),
    ("0 9 * * sunn", "is no day of week"),
    ("1,, 9 * * *", "not acceptable"),
    ("0 9\x00 * * *", "is no hour"),
    ("0," * 70 + "0 9 * * *", "longer than 128 characters"),
]


@pytest.mark.parametrize(("schedule", "problem"), REFUSED)
def test_what_is_no_schedule_is_refused_with_what_is_wrong_and_an_example(schedule, problem):
    with pytest.raises(InvalidLifecycle, match=problem) as caught:
        read_schedule(schedule)

    assert caught.value.field == "autostart_schedule"
    assert 'like "CRON_TZ=Europe/Berlin 30 9 * * 1-5"' in caught.value.detail


def test_blanks_around_and_between_do_not_matter():
    assert read_schedule("  CRON_TZ=Europe/Berlin  30 9  * * 1-5 ") == read_schedule(WEEKDAYS)


zones = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",  # half an hour of summer time
        "Africa/Casablanca",
        "America/Santiago",  # changes at midnight
        "Asia/Kathmandu",
    ]
)
instants = st.integers(0, 15 * 365 * 86_400).map(
    lambda seconds: at("2020-01-01") + timedelta(seconds=seconds)
)
minutes, hours, days = st.integers(0, 59), st.integers(0, 23), st.integers(0, 6)


@settings(deadline=None, max_examples=300)
@given(zone=zones, minute=minutes, hour=hours, day=st.none() | days, now=instants)
@example(zone="Europe/Berlin", minute=30, hour=2, day=0, now=at("2026-10-25 01:10"))
@example(zone="Europe/Berlin", minute=30, hour=2, day=None, now=at("2026-03-29 00:59"))
@example(zone="America/Santiago", minute=0, hour=0, day=0, now=at("2026-09-06 03:00"))
def test_the_next_start_is_after_now_on_the_minute_the_schedule_says(zone, minute, hour, day, now):
    weekday = "*" if day is None else str(day)
    schedule = read_schedule(f"CRON_TZ={zone} {minute} {hour} * * {weekday}")

    start = next_start(schedule, now=now)

    wall = start.astimezone(ZoneInfo(zone))
    assert start > now
    assert (wall.minute, wall.hour, wall.second, wall.microsecond) == (minute, hour, 0, 0)
    assert day is None or wall.isoweekday() % 7 == day
    # One time a day or week; a skipped one costs one turn more, an odd day an hour or two.
    assert start - now <= timedelta(days=2 if day is None else 14, hours=2)


@settings(deadline=None, max_examples=50)
@given(zone=zones, step=st.sampled_from(["*/20 *", "*/30 */2", "17 1-3"]), now=instants)
def test_starts_follow_each_other_and_none_is_left_out(zone, step, now):
    schedule = read_schedule(f"CRON_TZ={zone} {step} * * *")
    starts = [now]
    for _ in range(12):
        starts.append(next_start(schedule, now=starts[-1]))

    assert all(one < other for one, other in pairwise(starts))
    for one, other in pairwise(starts):
        halfway = one + (other - one) / 2
        assert next_start(schedule, now=halfway) == other
