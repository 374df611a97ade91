"""Read schedules such as `* 9-18 * * 1-5`: what they contain, ask for, and where they overlap.

The one place that knows the grammar of semantics.md, section 6. Pure: no Django, no clock;
instants arrive as arguments and only the zone database is looked at.
"""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import combinations
from zoneinfo import ZoneInfo, available_timezones


class ScheduleError(ValueError):
    """A schedule or zone that cannot be used; the message says what is wrong and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRange:
    """The hours that one expression covers (section 6)."""

    expression: str
    hours: frozenset[int]
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    dom_restricted: bool
    dow_restricted: bool

    def contains(self, local: datetime) -> bool:
        """Say whether the wall clock `local` is inside; its minutes and seconds never matter."""
        if local.hour not in self.hours or local.month not in self.months:
            return False
        day_of_month = local.day in self.days_of_month
        day_of_week = local.isoweekday() % 7 in self.days_of_week
        if self.dom_restricted and self.dow_restricted:
            return day_of_month or day_of_week
        return day_of_month and day_of_week


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A row of a preset: inside this expression, that many instances."""

    expression: str
    desired_instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """How many instances are wanted, and the row that says so (None: the preset's own number)."""

    instances: int
    schedule: Schedule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From `at` (UTC) on, `instances` are wanted because of `schedule`."""

    at: datetime
    instances: int
    schedule: Schedule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why schedules cannot be saved. Indexes count from 0, None means the zone."""

    index: int | None
    other_index: int | None = None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    lowest: int
    highest: int
    allowed: str


_HOUR = _Field(name="hour", lowest=0, highest=23, allowed="0 to 23")
_DAY_OF_MONTH = _Field(name="day of month", lowest=1, highest=31, allowed="1 to 31")
_MONTH = _Field(name="month", lowest=1, highest=12, allowed="1 to 12")
_DAY_OF_WEEK = _Field(name="day of week", lowest=0, highest=6, allowed="0 (Sunday) to 6")
_ITEM = re.compile(r"(?P<first>[0-9]{1,4})(?:-(?P<last>[0-9]{1,4}))?")


@lru_cache(maxsize=1024)
def parse_range(expression: str) -> ScheduleRange:
    """Read `* HOUR DOM MONTH DOW`; raise ScheduleError for anything section 6 does not allow."""
    try:
        return _read_fields(expression.split())
    except ScheduleError as reason:
        raise ScheduleError(f'"{expression}": {reason}') from None


def _read_fields(fields: list[str]) -> ScheduleRange:
    if len(fields) != 5:
        raise ScheduleError(
            f"a schedule has exactly five fields (minute, hour, day of month, month, "
            f'day of week) and this has {len(fields)}, write for example "* 9-18 * * 1-5"'
        )
    minute, hour, day_of_month, month, day_of_week = fields
    if minute != "*":
        raise ScheduleError(
            "the minute must be * because a schedule is a continuous range, "
            f'write "{" ".join(["*", *fields[1:]])}"'
        )
    return ScheduleRange(
        expression=" ".join(fields),
        hours=_read_numbers(hour, _HOUR),
        days_of_month=_read_numbers(day_of_month, _DAY_OF_MONTH),
        months=_read_numbers(month, _MONTH),
        days_of_week=_read_numbers(day_of_week, _DAY_OF_WEEK),
        dom_restricted=day_of_month != "*",
        dow_restricted=day_of_week != "*",
    )


def _read_numbers(text: str, field: _Field) -> frozenset[int]:
    if text == "*":
        return frozenset(range(field.lowest, field.highest + 1))
    return frozenset(number for item in text.split(",") for number in _read_item(item, field))


def _read_item(item: str, field: _Field) -> range:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ScheduleError(_explain_unreadable(item, field))
    first = int(match["first"])
    last = int(match["last"] or first)
    if not field.lowest <= first <= field.highest or last > field.highest:
        raise ScheduleError(f'the {field.name} "{item}" is out of range, use {field.allowed}')
    if last < first:
        raise ScheduleError(
            f'the {field.name} range "{item}" runs backwards, '
            f'write "{first}-{field.highest},{field.lowest}-{last}"'
        )
    return range(first, last + 1)


def _explain_unreadable(item: str, field: _Field) -> str:
    if not item:
        return f"the {field.name} has an empty list item, remove the extra comma"
    if "/" in item:
        return f'the {field.name} "{item}" has a step, write the numbers out: {field.allowed}'
    return f'the {field.name} "{item}" is no number or ascending range, use {field.allowed}'


def load_zone(name: str) -> ZoneInfo:
    """Return the IANA zone; raise ScheduleError when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; outside the database; a directory
        example = [*get_close_matches(name, available_timezones(), n=1), "Europe/Berlin"][0]
        reason = f'the time zone "{name}" is unknown, use an IANA name such as "{example}"'
        raise ScheduleError(reason) from None


def desired_at(*, base: int, zone: str, schedules: Sequence[Schedule], now: datetime) -> Desired:
    """Return what is wanted at `now`: the first schedule that contains it, else `base`.

    `now` must be aware. Any row or zone that cannot be read raises ScheduleError, also when an
    earlier row would match, so that bad data is bad at every hour. No schedules: no zone needed.
    """
    instant = _in_utc(now)
    if not schedules:
        return Desired(instances=base, schedule=None)
    return _desired_on(instant.astimezone(load_zone(zone)), base, _read_rows(schedules))


def next_changes(
    *, base: int, zone: str, schedules: Sequence[Schedule], start: datetime, until: datetime
) -> list[Change]:
    """List the steps after `start`, up to and including `until`, of the number or its row.

    Walks the hours of the zone's wall clock, so the hour that DST repeats counts twice and the
    one it skips never matches. Raises as `desired_at` does.
    """
    first, last = _in_utc(start), _in_utc(until)
    if not schedules:
        return []
    clock, rows = load_zone(zone), _read_rows(schedules)
    current = _desired_on(first.astimezone(clock), base, rows)
    changes = []
    for at in _hour_starts(clock, first, last):
        desired = _desired_on(at.astimezone(clock), base, rows)
        if desired != current:
            changes.append(Change(at=at, instances=desired.instances, schedule=desired.schedule))
        current = desired
    return changes


def _read_rows(schedules: Sequence[Schedule]) -> dict[Schedule, ScheduleRange]:
    return {schedule: parse_range(schedule.expression) for schedule in schedules}


def _desired_on(local: datetime, base: int, rows: dict[Schedule, ScheduleRange]) -> Desired:
    for schedule, covered in rows.items():
        if covered.contains(local):
            return Desired(instances=schedule.desired_instances, schedule=schedule)
    return Desired(instances=base, schedule=None)


def _in_utc(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError(f"{instant!r} is naive, pass an aware datetime")
    return instant.astimezone(UTC)


def _hour_starts(clock: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the UTC instants, up to `until`, at which the wall clock may enter another hour."""
    at = after.replace(microsecond=0)  # offsets and transitions are whole seconds
    while (at := _next_hour_start(clock, at)) <= until:
        yield at


def _next_hour_start(clock: ZoneInfo, at: datetime) -> datetime:
    local = at.astimezone(clock)
    hour_end = at + timedelta(hours=1) - timedelta(minutes=local.minute, seconds=local.second)
    if hour_end.astimezone(clock).utcoffset() == local.utcoffset():
        return hour_end
    return _find_transition(clock, at, hour_end)


def _find_transition(clock: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Bisect for the second at which the offset changes, which need not be a full hour."""
    offset = before.astimezone(clock).utcoffset()

    def moved(second: int) -> bool:
        return (before + timedelta(seconds=second)).astimezone(clock).utcoffset() != offset

    seconds = range(int((after - before).total_seconds()))
    return before + timedelta(seconds=bisect(seconds, False, key=moved))


def overlaps(a: ScheduleRange, b: ScheduleRange) -> bool:
    """Apply the pairwise rule of section 6, which is upstream's, to the letter.

    Too much for dates that do not exist (31 February); too little when a range restricts DOM and
    DOW, so matches either: `* * 1 * 1` and `* * 2 * 2` share a Tuesday the 1st (first row wins).
    """
    return _meet(a.months, b.months) and _days_overlap(a, b) and _meet(a.hours, b.hours)


def _days_overlap(a: ScheduleRange, b: ScheduleRange) -> bool:
    if not (a.dom_restricted and b.dom_restricted):
        return _meet(a.days_of_week, b.days_of_week)
    if not (a.dow_restricted and b.dow_restricted):
        return _meet(a.days_of_month, b.days_of_month)
    return _meet(a.days_of_month, b.days_of_month) or _meet(a.days_of_week, b.days_of_week)


def _meet(a: frozenset[int], b: frozenset[int]) -> bool:
    return not a.isdisjoint(b)


def find_overlaps(expressions: Sequence[str]) -> list[tuple[int, int]]:
    """List the index pairs (lower first) that overlap; raise ScheduleError for a bad one."""
    return _overlapping(dict(enumerate(map(parse_range, expressions))))


def _overlapping(ranges: dict[int, ScheduleRange]) -> list[tuple[int, int]]:
    return [(a, b) for a, b in combinations(ranges, 2) if overlaps(ranges[a], ranges[b])]


def validate_schedules(*, zone: str, expressions: Sequence[str]) -> list[Problem]:
    """Collect all that forbids saving: zone first, then rows, then overlaps. Empty: all is well.

    Messages count rows from 1. An empty zone is only a problem when there are rows to read in it.
    """
    problems = _zone_problems(zone) if zone or expressions else []
    ranges: dict[int, ScheduleRange] = {}
    for index, expression in enumerate(expressions):
        try:
            ranges[index] = parse_range(expression)
        except ScheduleError as reason:
            problems.append(Problem(index=index, message=f"Row {index + 1}: {reason}"))
    return problems + [_describe_overlap(expressions, a, b) for a, b in _overlapping(ranges)]


def _zone_problems(zone: str) -> list[Problem]:
    try:
        load_zone(zone)
    except ScheduleError as reason:
        return [Problem(index=None, message=str(reason))]
    return []


def _describe_overlap(expressions: Sequence[str], a: int, b: int) -> Problem:
    rows = f'Rows {a + 1} and {b + 1} overlap: "{expressions[a]}" and "{expressions[b]}"'
    remedy = "change the hours, days or months of one so that no minute is in both"
    return Problem(index=a, other_index=b, message=f"{rows}, {remedy}")
