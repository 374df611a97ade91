"""The week of a schedule as 7 x 24 cells, and its next steps, DST oddities marked. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prebuilds.dashboard.base.wording import say_count, say_duration
from prebuilds.trends import HourPoint
from templates_app.forecast import Day, Forecast
from templates_app.schedules import Change, load_zone

LEVELS: Final = 4
A_DAY: Final = timedelta(days=1)
Slot = tuple[int, int]
"""Day of the week from Monday = 0, and hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One hour of one day. No number: DST skips that hour."""

    hour: int
    number: int | None
    level: int
    warm: int
    cold: int
    is_now: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One day, and the same in words."""

    label: str
    text: str
    oddity: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The number changes. `local` is the wall clock in the preset's zone."""

    at: datetime
    local: str
    instances: int
    by: str
    is_first: bool
    oddity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The heat-map and the list of steps, ready to be shown."""

    zone: str
    rows: tuple[Row, ...]
    hours: tuple[int, ...]
    steps: tuple[Step, ...]
    most: int
    has_requests: bool


def draw_week(
    forecast: Forecast, *, zone: str, now: datetime, history: Iterable[HourPoint] = ()
) -> Week:
    """Return a forecast as cells and steps; `history` lays claims and misses over it."""
    clock = load_zone(zone or "UTC")
    requests = _requests(history, clock)
    most = max((n or 0 for day in forecast.heat_map for n in day.hours), default=0)
    local = now.astimezone(clock)
    rows = tuple(_row(day, clock, requests, most, local) for day in forecast.heat_map)
    return Week(
        zone=zone or "UTC",
        rows=rows,
        hours=tuple(range(24)),
        steps=tuple(_steps(forecast.steps, clock)),
        most=most,
        has_requests=bool(requests),
    )


def say_oddity(day: date, clock: ZoneInfo) -> str:
    """Return what DST does to a day; an empty text on all but two days of a year."""
    starts = [
        datetime.combine(each, time(), tzinfo=clock).utcoffset() for each in (day, day + A_DAY)
    ]
    before, after = (offset or timedelta(0) for offset in starts)
    if after > before:
        return f"The clock is put forward by {say_duration(after - before)}: that hour is skipped."
    if after < before:
        return f"The clock is put back by {say_duration(before - after)}: that hour counts twice."
    return ""


def _requests(history: Iterable[HourPoint], clock: ZoneInfo) -> Mapping[Slot, tuple[int, int]]:
    found: dict[Slot, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for point in history:
        if point.warm or point.cold:
            local = point.hour.astimezone(clock)
            slot = local.weekday(), local.hour
            warm, cold = found[slot]
            found[slot] = warm + point.warm, cold + point.cold
    return dict(found)


def _row(
    day: Day,
    clock: ZoneInfo,
    requests: Mapping[Slot, tuple[int, int]],
    most: int,
    local: datetime,
) -> Row:
    label = f"{day.date:%a} {day.date.day} {day.date:%b}"
    cells = tuple(
        _cell(hour, number, label, requests.get((day.date.weekday(), hour), (0, 0)), most, is_now)
        for hour, number in enumerate(day.hours)
        for is_now in (day.date == local.date() and hour == local.hour,)
    )
    return Row(
        label=label, text=_in_words(day.hours), oddity=say_oddity(day.date, clock), cells=cells
    )


def _cell(
    hour: int,
    number: int | None,
    label: str,
    requests: tuple[int, int],
    most: int,
    is_now: bool,
) -> Cell:
    warm, cold = requests
    wanted = "skipped by the clock change" if number is None else f"{number} desired"
    parts = [f"{label}, {hour:02}:00 to {hour:02}:59: {wanted}"]
    if warm or cold:
        misses = say_count(cold, "miss", "misses")
        parts.append(f"{say_count(warm, 'claim')} and {misses} in this hour of the last 30 days")
    return Cell(
        hour=hour,
        number=number,
        level=-(-LEVELS * number // most) if number and most else 0,
        warm=warm,
        cold=cold,
        is_now=is_now,
        text=f"{'; '.join(parts)}{' (now)' if is_now else ''}",
    )


def _in_words(hours: Sequence[int | None]) -> str:
    """Return a day's numbers as ranges: "1 until 08:00, 3 until 19:00, then 1"."""
    runs: list[tuple[int | None, int]] = []
    for hour, number in enumerate(hours):
        if runs and runs[-1][0] == number:
            runs[-1] = number, hour + 1
        else:
            runs.append((number, hour + 1))
    said = [f"{_number(number)} until {end:02}:00" for number, end in runs[:-1]]
    last = _number(runs[-1][0])
    return ", ".join([*said, f"then {last}"]) if said else f"{last} all day"


def _number(number: int | None) -> str:
    return "skipped" if number is None else str(number)


def _steps(changes: Sequence[Change], clock: ZoneInfo) -> Iterator[Step]:
    for index, change in enumerate(changes):
        local = change.at.astimezone(clock)
        yield Step(
            at=change.at,
            local=f"{local:%a} {local.day} {local:%b %H:%M}",
            instances=change.instances,
            by=change.schedule.expression if change.schedule else "",
            is_first=index == 0,
            oddity=say_oddity(local.date(), clock) if index else "",
        )
