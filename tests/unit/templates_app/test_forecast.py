"""What schedules will ask for: steps of two weeks, hours of one (semantics.md 6)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.forecast import look_ahead
from templates_app.schedules import Schedule, ScheduleError, desired_at

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""
OFFICE = Schedule(expression="* 9-17 * * 1-5", desired_instances=5)


def ahead(*schedules, base=1, zone="UTC", start=NOON):
    return look_ahead(base=base, zone=zone, schedules=schedules, start=start)


def test_the_first_step_is_what_holds_now():
    first = ahead(OFFICE).steps[0]

    assert (first.at, first.instances, first.schedule) == (NOON, 5, OFFICE)


def test_the_steps_of_two_weeks_are_listed():
    steps = ahead(OFFICE).steps

    assert [(step.at, step.instances) for step in steps[1:4]] == [
        (datetime(2026, 3, 4, 18, tzinfo=UTC), 1),
        (datetime(2026, 3, 5, 9, tzinfo=UTC), 5),
        (datetime(2026, 3, 5, 18, tzinfo=UTC), 1),
    ]
    assert steps[-1].at <= NOON + timedelta(days=14)
    assert len(steps) == 1 + 20


def test_without_schedules_nothing_ever_changes():
    forecast = ahead(base=3)

    assert [step.instances for step in forecast.steps] == [3]
    assert {hours for day in forecast.heat_map for hours in day.hours} == {3}


def test_the_heat_map_has_seven_days_of_24_hours_from_today_on():
    heat_map = ahead(OFFICE).heat_map

    assert [day.date for day in heat_map] == [date(2026, 3, 4 + n) for n in range(7)]
    assert all(len(day.hours) == 24 for day in heat_map)
    wednesday, saturday = heat_map[0], heat_map[3]
    assert wednesday.hours == (1,) * 9 + (5,) * 9 + (1,) * 6
    assert saturday.hours == (1,) * 24


def test_the_days_are_those_of_the_zone():
    heat_map = ahead(OFFICE, zone="Pacific/Auckland").heat_map

    assert heat_map[0].date == date(2026, 3, 5)


def test_the_hour_that_daylight_saving_skips_is_empty():
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)

    heat_map = ahead(OFFICE, zone="Europe/Berlin", start=start).heat_map

    sunday = heat_map[1]
    assert sunday.date == date(2026, 3, 29)
    assert [hour for hour, number in enumerate(sunday.hours) if number is None] == [2]


def test_an_hour_that_is_skipped_by_half_is_still_there():
    start = datetime(2026, 10, 3, 0, tzinfo=UTC)  # Lord Howe puts 02:00 to 02:30 on the 4th

    heat_map = ahead(OFFICE, zone="Australia/Lord_Howe", start=start).heat_map

    assert all(number is not None for day in heat_map for number in day.hours)


@pytest.mark.parametrize(
    ("zone", "expression"), [("Mars/Olympus", "* 9 * * *"), ("UTC", "5 9 * * *")]
)
def test_what_cannot_be_read_is_refused(zone, expression):
    with pytest.raises(ScheduleError):
        ahead(Schedule(expression=expression, desired_instances=1), zone=zone)


@given(
    start=st.integers(0, 365 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"]),
)
def test_every_step_is_what_the_schedules_say_at_that_instant(start, zone):
    for step in ahead(OFFICE, zone=zone, start=start).steps:
        wanted = desired_at(base=1, zone=zone, schedules=[OFFICE], now=step.at)
        assert step.instances == wanted.instances
