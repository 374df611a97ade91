"""A schedule in plain words, and as days and hours: tables of cases, and one round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.schedule_words import PlainRange, describe_range, read_plain
from templates_app.schedules import parse_range

EVERY_DAY = (1, 2, 3, 4, 5, 6, 0)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* 8-18 * * 1-5", "Mon to Fri, 08:00 to 18:59"),
        ("* * * * *", "Every day, all day"),
        ("* 0-23 * * 0-6", "Every day, all day"),
        ("* 9 * * *", "Every day, 09:00 to 09:59"),
        ("* 9-17 * * 0,6", "Sat and Sun, 09:00 to 17:59"),
        ("* 9-17 * * 5,6,0", "Fri to Sun, 09:00 to 17:59"),
        ("* 9-17 * * 1,3,5", "Mon, Wed and Fri, 09:00 to 17:59"),
        ("* 9-17 * * 1-4,6", "Mon to Thu and Sat, 09:00 to 17:59"),
        ("* 9-17 * * 3", "Wed, 09:00 to 17:59"),
        ("* 19-23,0-7 * * *", "Every day, 00:00 to 07:59 and 19:00 to 23:59"),
        ("* 6,8,10-12 * * *", "Every day, 06:00 to 06:59, 08:00 to 08:59 and 10:00 to 12:59"),
        ("* 9-17 1 * *", "Day 1 of the month, 09:00 to 17:59"),
        ("* 9-17 1-7,15,31 * *", "Days 1 to 7, 15 and 31 of the month, 09:00 to 17:59"),
        ("* 9-17 1-31 * *", "Every day of the month, 09:00 to 17:59"),
        ("* 9-17 1,2 * 1-5", "Mon to Fri, and days 1 and 2 of the month, 09:00 to 17:59"),
        ("* 9-17 * 6-8 *", "Every day in Jun to Aug, 09:00 to 17:59"),
        ("* 9-17 1 1,12 1", "Mon, and day 1 of the month in Jan and Dec, 09:00 to 17:59"),
        ("* 9-17 * 1-12 *", "Every day, 09:00 to 17:59"),
    ],
)
def test_a_range_is_said_in_words(expression: str, words: str) -> None:
    assert describe_range(parse_range(expression)) == words


@pytest.mark.parametrize(
    ("expression", "days", "first", "last"),
    [
        ("* 8-18 * * 1-5", (1, 2, 3, 4, 5), 8, 18),
        ("* 8-12,13-18 * * 1,2-5", (1, 2, 3, 4, 5), 8, 18),
        ("* * * * *", EVERY_DAY, 0, 23),
        ("* 9 * 1-12 0,6", (6, 0), 9, 9),
        ("* 19-23,0-7 * * *", EVERY_DAY, 19, 7),
        ("* 0,23 * * 1", (1,), 23, 0),
    ],
)
def test_days_and_one_run_of_hours_can_be_picked(
    expression: str, days: tuple[int, ...], first: int, last: int
) -> None:
    assert read_plain(parse_range(expression)) == PlainRange(
        days=days, first_hour=first, last_hour=last
    )


@pytest.mark.parametrize(
    "expression",
    ["* 8,10 * * 1-5", "* 8-18 1 * *", "* 8-18 1-31 * *", "* 8-18 * 1-6 *", "* 0,5,23 * * *"],
)
def test_what_says_more_cannot_be_picked(expression: str) -> None:
    assert read_plain(parse_range(expression)) is None


@given(
    days=st.sets(st.integers(0, 6), min_size=1),
    first=st.integers(0, 23),
    last=st.integers(0, 23),
)
def test_what_is_picked_is_read_back(days: set[int], first: int, last: int) -> None:
    hours = f"{first}-{last}" if first <= last else f"{first}-23,0-{last}"
    plain = read_plain(parse_range(f"* {hours} * * {','.join(map(str, days))}"))

    assert plain is not None
    assert set(plain.days) == days
    if (last + 1) % 24 != first:
        assert (plain.first_hour, plain.last_hour) == (first, last)
    else:
        assert (plain.first_hour, plain.last_hour) == (0, 23)
