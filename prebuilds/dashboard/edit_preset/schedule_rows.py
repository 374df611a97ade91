"""The rows of the schedule, in plain words, and what the picker beside each shows. Pure.

The text is the truth; what the picker cannot show is left to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prebuilds.dashboard.edit_preset.typed import Row
from templates_app.schedule_words import DAY_NAMES, PlainRange, describe_range, read_plain
from templates_app.schedules import ScheduleError, parse_range

WEEK: Final = tuple((day, DAY_NAMES[day]) for day in (1, 2, 3, 4, 5, 6, 0))
HOURS: Final = tuple((hour, f"{hour:02}:00", f"{hour:02}:59") for hour in range(24))
"""The hour, and how it is called as the first and as the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """A row as typed; no words: it cannot be read. `plain` is what the picker shows, if it can."""

    expression: str = ""
    number: str = ""
    words: str = ""
    plain: PlainRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRows:
    """All rows, and what a picker offers."""

    rows: Sequence[ScheduleRow]
    blank: ScheduleRow = ScheduleRow()
    week: Sequence[tuple[int, str]] = WEEK
    hours: Sequence[tuple[int, str, str]] = HOURS


def present_rows(rows: Iterable[Row], *, spare: int = 0) -> ScheduleRows:
    """Return the rows in words, and so many empty ones to type into."""
    return ScheduleRows(rows=[*map(_present, rows), *[ScheduleRow()] * spare])


def rows_as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the rows for the script: it knows no grammar, it is told what a text says."""
    return [
        {
            "expression": one.expression,
            "number": one.number,
            "words": one.words,
            "days": one.plain and one.plain.days,
            "first": one.plain and one.plain.first_hour,
            "last": one.plain and one.plain.last_hour,
        }
        for one in map(_present, rows)
    ]


def _present(row: Row) -> ScheduleRow:
    expression, number = row
    try:
        covered = parse_range(expression)
    except ScheduleError:
        return ScheduleRow(expression=expression, number=number)
    wanted = f" → {number}" if number else ""
    return ScheduleRow(
        expression=expression,
        number=number,
        words=f"{describe_range(covered)}{wanted}",
        plain=read_plain(covered),
    )
