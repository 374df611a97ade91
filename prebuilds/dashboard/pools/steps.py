"""The next step of a pool's schedule, as its zone's clock shows it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from prebuilds.selectors import PoolRow
from templates_app.schedules import (
    Change,
    Schedule,
    ScheduleError,
    desired_at,
    load_zone,
    next_changes,
)

SPANS: Final = (timedelta(days=1), timedelta(days=8))
"""Most steps come within a day; a step beyond a week is not the next thing to know."""
QUARTER: Final = 15
"""Zones are offset by quarters of an hour, so no step lies within one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From `at` on `instances` are desired; `clock` is the zone's, `exact` says it in full."""

    at: datetime
    instances: int
    clock: str
    exact: str


def find_step(row: PoolRow, now: datetime) -> Step | None:
    """Return the next change of the desired number; None when none comes within a week."""
    if not row.schedules or not row.is_active_version:
        return None
    since = now.astimezone(UTC)
    since = since.replace(minute=since.minute // QUARTER * QUARTER, second=0, microsecond=0)
    change = _next_change(row.base, row.zone, row.schedules, since)
    return _say(change, row.zone, now) if change else None


@lru_cache(maxsize=8192)
def _next_change(
    base: int, zone: str, schedules: tuple[Schedule, ...], since: datetime
) -> Change | None:
    """Walk the hours once per schedule and quarter of an hour, not once per look."""
    try:
        current = desired_at(base=base, zone=zone, schedules=schedules, now=since).instances
        for span in SPANS:
            found = next_changes(
                base=base, zone=zone, schedules=schedules, start=since, until=since + span
            )
            if change := next((one for one in found if one.instances != current), None):
                return change
    except ScheduleError:
        return None  # said as the pool's reason
    return None


def _say(change: Change, zone: str, now: datetime) -> Step:
    local = change.at.astimezone(load_zone(zone))
    is_today = local.date() == now.astimezone(local.tzinfo).date()
    return Step(
        at=change.at,
        instances=change.instances,
        clock=f"{local:%H:%M %Z}" if is_today else f"{local:%a %H:%M %Z}",
        exact=f"{local:%a %d %b %Y %H:%M %Z} ({zone}), {change.at:%H:%M} UTC",
    )
