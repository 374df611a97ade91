"""Count: what is there, what should be there (semantics.md 3, 5 and 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prebuilds.core.snapshot import PresetSnapshot, RunningPrebuild
from templates_app.schedules import Schedule, ScheduleError, desired_at, load_zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """How many prebuilds a preset wants, by which schedule; `problem` says why not by schedule."""

    instances: int
    schedule: Schedule | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The numbers of one preset at one instant; the words are those of semantics.md 3."""

    actual: int
    expired: int
    desired: int
    eligible: int
    extraneous: int
    starting: int
    stopping: int
    deleting: int
    schedule: Schedule | None = None
    schedule_problem: str = ""

    @property
    def missing(self) -> int:
        """How many to create; what is being stopped or deleted never changes it."""
        return max(self.desired - (self.actual - self.expired) - self.starting, 0)

    @property
    def surplus(self) -> int:
        """How many there will be too many once everything that is starting has started."""
        return max(self.actual - self.expired + self.starting - self.desired, 0)


def calculate_state(preset: PresetSnapshot, now: datetime) -> State:
    """Count a preset's prebuilds and what it wants at this instant."""
    active = preset.is_active
    wanted = find_desired(preset, now) if active else Desired(instances=0)
    actual = len(preset.running)
    fresh = find_fresh(preset, now)
    return State(
        actual=actual,
        expired=actual - len(fresh),
        desired=wanted.instances,
        eligible=sum(one.ready for one in fresh) if active else 0,
        extraneous=max(len(fresh) - wanted.instances, 0) if active else 0,
        starting=preset.starting,
        stopping=preset.stopping,
        deleting=preset.deleting,
        schedule=wanted.schedule,
        schedule_problem=wanted.problem,
    )


def find_fresh(preset: PresetSnapshot, now: datetime) -> Sequence[RunningPrebuild]:
    """Return the running prebuilds that are not expired."""
    if not preset.ttl and preset.last_invalidated_at is None:
        return preset.running
    return [one for one in preset.running if not is_expired(one, preset, now)]


def is_expired(prebuild: RunningPrebuild, preset: PresetSnapshot, now: datetime) -> bool:
    """Return whether a prebuild may no longer be claimed: invalidated, or older than its TTL."""
    return is_invalidated(prebuild, preset) or outlived(prebuild, preset, now)


def is_invalidated(prebuild: RunningPrebuild, preset: PresetSnapshot) -> bool:
    """Return whether it was created strictly before the invalidation mark."""
    mark = preset.last_invalidated_at
    return mark is not None and prebuild.created_at < mark


def outlived(prebuild: RunningPrebuild, preset: PresetSnapshot, now: datetime) -> bool:
    """Return whether its age is strictly greater than the TTL; none, or 0, is off."""
    ttl = preset.ttl or timedelta(0)
    return timedelta(0) < ttl < now - prebuild.created_at


def find_desired(preset: PresetSnapshot, now: datetime) -> Desired:
    """Return how many prebuilds an active preset wants at this instant (semantics.md 6).

    Schedules that do not parse, or a zone that does not load, count as no schedule at all.
    """
    base = preset.desired_instances
    if not preset.schedules:
        return Desired(instances=base)
    try:
        load_zone(preset.scheduling_timezone)
        found = desired_at(
            base=base, zone=preset.scheduling_timezone, schedules=preset.schedules, now=now
        )
    except ScheduleError as error:
        return Desired(instances=base, problem=str(error))
    return Desired(instances=found.instances, schedule=found.schedule)
