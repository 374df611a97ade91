"""When a workspace starts by itself: `CRON_TZ=Europe/Berlin 30 9 * * 1-5` (semantics.md 16).

PURE: no rows, no clock. Written as Coder writes it: five fields, every week alike, so day of month
and month are `*`; without a zone UTC is meant.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from templates_app.schedules import ScheduleError, load_zone
from workspaces.errors import InvalidLifecycle

FIELD: Final = "autostart_schedule"
EXAMPLE: Final = "CRON_TZ=Europe/Berlin 30 9 * * 1-5"
LONGEST: Final = 128
"""Characters the column holds."""

ZONE: Final = "CRON_TZ="
NUMBERS: Final = re.compile(r"[0-9*,/-]+")
EVERY: Final = re.compile(r"\*")
WEEKDAYS: Final = re.compile(r"(?:[0-6*,/-]|sun|mon|tue|wed|thu|fri|sat)+", re.IGNORECASE)
GRAMMAR: Final = (
    ("minute", NUMBERS, "use 0 to 59"),
    ("hour", NUMBERS, "use 0 to 23"),
    ("day of month", EVERY, "it must be *"),
    ("month", EVERY, "it must be *"),
    ("day of week", WEEKDAYS, "use 0 (Sunday) to 6, or sun to sat"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutostartSchedule:
    """A schedule that was read: five cron fields on the clock of one zone."""

    cron: str
    zone: ZoneInfo


def read_schedule(schedule: str) -> AutostartSchedule:
    """Return what a schedule means; raise InvalidLifecycle, naming the part that is wrong."""
    if len(schedule) > LONGEST:
        raise _refusal(schedule[:40] + "…", f"it is longer than {LONGEST} characters, shorten it")
    fields = schedule.split()
    zone = fields.pop(0).removeprefix(ZONE) if schedule.lstrip().startswith(ZONE) else "UTC"
    _check_fields(schedule, fields)
    try:
        croniter(" ".join(fields))
        return AutostartSchedule(cron=" ".join(fields), zone=load_zone(zone))
    except (CroniterError, ScheduleError) as problem:
        raise _refusal(schedule, str(problem)) from problem


def next_start(schedule: AutostartSchedule, *, now: datetime) -> datetime:
    """Return the first start strictly after `now`, in UTC.

    A time the clock skips (spring) is no start; of one it shows twice (autumn) the first counts.
    """
    wall = now.astimezone(schedule.zone).replace(tzinfo=None)
    times = croniter(schedule.cron, wall)
    while True:
        wall = times.get_next(datetime)
        instant = wall.replace(tzinfo=schedule.zone).astimezone(UTC)
        exists = instant.astimezone(schedule.zone).replace(tzinfo=None) == wall
        if exists and instant > now:
            return instant


def _check_fields(schedule: str, fields: list[str]) -> None:
    if len(fields) != len(GRAMMAR):
        raise _refusal(schedule, f"it has {len(fields)} fields instead of {len(GRAMMAR)}")
    for value, (name, allowed, remedy) in zip(fields, GRAMMAR, strict=True):
        if not allowed.fullmatch(value):
            raise _refusal(schedule, f'"{value}" is no {name}, {remedy}')


def _refusal(schedule: str, problem: str) -> InvalidLifecycle:
    detail = f'"{schedule}" is no autostart schedule: {problem}. Write it like "{EXAMPLE}".'
    return InvalidLifecycle(FIELD, detail)
