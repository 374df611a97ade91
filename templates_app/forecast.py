"""Look ahead: the steps that schedules will make, and the hours of the next week at a glance.

Pure, like the grammar it reads: no Django, no clock. What a person is shown before saving.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from templates_app.schedules import Change, Schedule, desired_at, load_zone, next_changes

SPAN: Final = timedelta(days=14)
DAYS: Final = 7
HOURS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of the zone's calendar: the number wanted in each hour; None: DST skips that hour."""

    date: date
    hours: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What will be wanted: now and at each step of the next 14 days, and hour by hour for 7 days.

    The first step is what holds at the start.
    """

    steps: tuple[Change, ...]
    heat_map: tuple[Day, ...]


def look_ahead(*, base: int, zone: str, schedules: Sequence[Schedule], start: datetime) -> Forecast:
    """Return what is wanted from `start` on. Raises as `schedules.desired_at` does.

    Days and hours are the wall clock's in `zone`, beginning with the day of `start`.
    """
    now = desired_at(base=base, zone=zone, schedules=schedules, now=start)
    first = Change(at=start.astimezone(UTC), instances=now.instances, schedule=now.schedule)
    later = next_changes(base=base, zone=zone, schedules=schedules, start=start, until=start + SPAN)
    clock = load_zone(zone)
    today = start.astimezone(clock).date()
    days = (today + timedelta(days=number) for number in range(DAYS))
    return Forecast(
        steps=(first, *later),
        heat_map=tuple(_day(day, clock, base, zone, schedules) for day in days),
    )


def _day(day: date, clock: ZoneInfo, base: int, zone: str, schedules: Sequence[Schedule]) -> Day:
    moments = [_moment_of(day, hour, clock) for hour in range(HOURS)]
    return Day(
        date=day,
        hours=tuple(
            desired_at(base=base, zone=zone, schedules=schedules, now=at).instances if at else None
            for at in moments
        ),
    )


def _moment_of(day: date, hour: int, clock: ZoneInfo) -> datetime | None:
    """Return an instant of that hour; None when the clock is put forward past all of it."""
    for minute in (0, 59):  # some zones skip only half an hour
        local = datetime.combine(day, time(hour, minute), tzinfo=clock)
        instant = local.astimezone(UTC)
        if instant.astimezone(clock).replace(tzinfo=None) == local.replace(tzinfo=None):
            return instant
    return None
