"""Say a schedule range as people do, and as days and hours to pick from where it is that plain.

Pure, like the grammar it reads. Monday comes first, as calendars have it; cron's Sunday is 0.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from templates_app.schedules import ScheduleRange

DAY_NAMES: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
MONTH_NAMES: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_WEEK: Final = (1, 2, 3, 4, 5, 6, 0)
_DAY: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRange:
    """Days of the week (0 is Sunday), from the first hour through the last.

    A last hour before the first goes over midnight: both ends lie on the days named.
    """

    days: tuple[int, ...]
    first_hour: int
    last_hour: int


def read_plain(covered: ScheduleRange) -> PlainRange | None:
    """Return the range as days and one run of hours; None for one that says more."""
    if covered.dom_restricted or len(covered.months) < len(MONTH_NAMES):
        return None
    run = _one_run(covered.hours)
    if run is None:
        return None
    days = tuple(day for day in _WEEK if day in covered.days_of_week)
    return PlainRange(days=days, first_hour=run[0], last_hour=run[1])


def describe_range(covered: ScheduleRange) -> str:
    """Return "Mon to Fri, 08:00 to 18:59"."""
    said = [_say_days(covered)]
    if len(covered.months) < len(MONTH_NAMES):
        months = [MONTH_NAMES[month - 1] for month in sorted(covered.months)]
        said[0] += f" in {_join(_spans(months, MONTH_NAMES))}"
    return ", ".join([*said, _say_hours(covered.hours)])


def _say_days(covered: ScheduleRange) -> str:
    weekdays = _say_weekdays(covered.days_of_week)
    dates = _say_dates(covered.days_of_month)
    match covered.dow_restricted, covered.dom_restricted:
        case True, True:
            return f"{weekdays}, and {dates}"
        case False, True:
            return dates[0].upper() + dates[1:]
    return weekdays


def _say_weekdays(days: Collection[int]) -> str:
    if len(days) == len(_WEEK):
        return "Every day"
    week = [DAY_NAMES[day] for day in _WEEK]
    return _join(_spans([DAY_NAMES[day] for day in _WEEK if day in days], week))


def _say_dates(days: Collection[int]) -> str:
    if len(days) == 31:
        return "every day of the month"
    numbers = [str(day) for day in range(1, 32)]
    spans = _spans([str(day) for day in sorted(days)], numbers)
    return f"day{'s' if len(days) > 1 else ''} {_join(spans)} of the month"


def _say_hours(hours: Collection[int]) -> str:
    if len(hours) == _DAY:
        return "all day"
    starts = [hour for hour in sorted(hours) if hour - 1 not in hours]
    return _join([f"{start:02}:00 to {_end_of_run(hours, start):02}:59" for start in starts])


def _one_run(hours: Collection[int]) -> tuple[int, int] | None:
    """Return the first and last hour when they are one run, over midnight too."""
    if len(hours) == _DAY:
        return 0, _DAY - 1
    starts = [hour for hour in hours if (hour - 1) % _DAY not in hours]
    if len(starts) != 1:
        return None
    return starts[0], (starts[0] + len(hours) - 1) % _DAY


def _end_of_run(hours: Collection[int], start: int) -> int:
    return next(hour for hour in range(start, _DAY) if hour + 1 not in hours)


def _spans(names: Sequence[str], order: Sequence[str]) -> list[str]:
    """Return names with three or more in a row as one: "Mon to Fri"."""
    spans: list[list[str]] = []
    for name in names:
        follows = spans and order.index(name) == order.index(spans[-1][-1]) + 1
        if follows:
            spans[-1].append(name)
        else:
            spans.append([name])
    said: list[str] = []
    for span in spans:
        said += span if len(span) < 3 else [f"{span[0]} to {span[-1]}"]
    return said


def _join(words: Sequence[str]) -> str:
    """Return "one, two and three"."""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last
