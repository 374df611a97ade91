"""The week of a schedule as cells and steps, over the changes of the clock."""

from datetime import UTC, date, datetime, timedelta

import pytest

from prebuilds.dashboard.preset.heat import Week, draw_week, say_oddity
from prebuilds.trends import HourPoint
from templates_app.forecast import look_ahead
from templates_app.schedules import Schedule, load_zone

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BUSINESS = (Schedule(expression="* 8-18 * * 1-5", desired_instances=4),)


def week_of(now: datetime, *rows: Schedule, base: int = 1, **more: object) -> Week:
    forecast = look_ahead(base=base, zone=BERLIN, schedules=rows, start=now)
    return draw_week(forecast, zone=BERLIN, now=now, **more)  # type: ignore[arg-type]


def test_a_cell_is_as_dark_as_its_share_of_the_most() -> None:
    monday = week_of(MONDAY, *BUSINESS).rows[0]

    assert (monday.cells[7].number, monday.cells[7].level) == (1, 1)
    assert (monday.cells[8].number, monday.cells[8].level) == (4, 4)


def test_nothing_wanted_is_the_lightest() -> None:
    cells = week_of(MONDAY, base=0).rows[0].cells

    assert {cell.level for cell in cells} == {0}


def test_the_cursor_stands_at_this_hour_of_the_zone_and_nowhere_else() -> None:
    rows = week_of(MONDAY, *BUSINESS).rows

    assert [(row.label, cell.hour) for row in rows for cell in row.cells if cell.is_now] == [
        ("Mon 2 Mar", 10)
    ]


def test_a_day_is_said_in_ranges() -> None:
    rows = week_of(MONDAY, *BUSINESS).rows

    assert rows[0].text == "1 until 08:00, 4 until 19:00, then 1"
    assert rows[5].text == "1 all day"


def test_claims_and_misses_lie_on_the_hour_of_the_zone_they_fell_in() -> None:
    history = [
        HourPoint(hour=MONDAY.replace(minute=0) - timedelta(days=7), warm=2, cold=1),
        HourPoint(hour=MONDAY.replace(minute=0) - timedelta(days=14), warm=1),
        HourPoint(hour=MONDAY.replace(minute=0) - timedelta(days=13)),
    ]

    week = week_of(MONDAY, *BUSINESS, history=history)

    cell = week.rows[0].cells[10]
    assert (cell.warm, cell.cold) == (3, 1)
    assert "3 claims and 1 miss in this hour" in cell.text
    assert sum(one.warm for row in week.rows for one in row.cells) == 3
    assert week.has_requests


def test_the_hour_that_is_skipped_has_no_number_and_its_day_says_why() -> None:
    saturday = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)

    sunday = week_of(saturday, *BUSINESS).rows[1]

    assert [cell.hour for cell in sunday.cells if cell.number is None] == [2]
    assert "skipped by the clock change" in sunday.cells[2].text
    assert "put forward by 1 h" in sunday.oddity
    assert sunday.text == "1 until 02:00, skipped until 03:00, then 1"


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2026, 3, 29), "put forward by 1 h: that hour is skipped"),
        (date(2026, 10, 25), "put back by 1 h: that hour counts twice"),
        (date(2026, 3, 30), ""),
    ],
)
def test_only_the_days_of_a_clock_change_are_odd(day: date, said: str) -> None:
    oddity = say_oddity(day, load_zone(BERLIN))

    assert said in oddity
    assert bool(oddity) == bool(said)


def test_steps_are_said_on_the_wall_clock_with_the_row_that_asks() -> None:
    before_the_change = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    nightly = Schedule(expression="* 4 * * *", desired_instances=5)

    steps = week_of(before_the_change, nightly).steps

    assert (steps[0].is_first, steps[0].instances, steps[0].by) == (True, 1, "")
    assert (steps[1].local, steps[1].instances, steps[1].by) == (
        "Sun 25 Oct 04:00",
        5,
        "* 4 * * *",
    )
    assert "counts twice" in steps[1].oddity
    assert steps[3].oddity == ""
