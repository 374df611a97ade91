"""What a template's policy and a person's wishes make of a workspace's times (semantics.md 16).

PURE: no rows, no clock. A fresh workspace and a claimed one come from the same calculation. Wishes
that cannot be met raise InvalidLifecycle, which names field, value and remedy.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from workspaces import autostart
from workspaces.enums import AutomaticUpdates
from workspaces.errors import InvalidLifecycle

TTL_MIN_SECONDS: Final = 60
TTL_MAX_SECONDS: Final = 30 * 24 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecyclePolicy:
    """What a template says about its workspaces; 0 seconds switches a rule off."""

    default_ttl_seconds: int = 0
    allow_user_autostart: bool = True
    allow_user_autostop: bool = True
    time_til_dormant_seconds: int = 0
    time_til_dormant_autodelete_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The lifecycle columns of a person's workspace, by their own names."""

    ttl_seconds: int | None
    autostart_schedule: str
    next_start_at: datetime | None
    last_used_at: datetime
    automatic_updates: AutomaticUpdates = AutomaticUpdates.NEVER
    dormant_at: datetime | None = None
    deleting_at: datetime | None = None


def fresh_lifecycle(
    policy: LifecyclePolicy,
    *,
    ttl_seconds: int | None,
    autostart_schedule: str,
    now: datetime,
    automatic_updates: AutomaticUpdates = AutomaticUpdates.NEVER,
) -> Lifecycle:
    """Return what somebody's new workspace gets, whether it is built or claimed.

    No ttl asked for: the template's. Raises InvalidLifecycle.
    """
    ttl = check_ttl(policy, ttl_seconds) if ttl_seconds else policy.default_ttl_seconds
    return Lifecycle(
        ttl_seconds=ttl or None,
        autostart_schedule=autostart_schedule.strip(),
        next_start_at=plan_start(policy, autostart_schedule, now=now),
        last_used_at=now,
        automatic_updates=automatic_updates,
    )


def check_ttl(policy: LifecyclePolicy, ttl_seconds: int | None) -> int | None:
    """Return how long a start may last, None = for ever; raise InvalidLifecycle."""
    if not policy.allow_user_autostop:
        raise InvalidLifecycle(
            "ttl_seconds",
            f"{ttl_seconds} cannot be set: this template decides about autostop by itself, "
            f"{_words(policy.default_ttl_seconds)}. Leave it empty, or ask a template admin.",
        )
    if ttl_seconds and not TTL_MIN_SECONDS <= ttl_seconds <= TTL_MAX_SECONDS:
        raise InvalidLifecycle(
            "ttl_seconds",
            f"{ttl_seconds} is out of range: choose {TTL_MIN_SECONDS} (a minute) to "
            f"{TTL_MAX_SECONDS} (30 days), or nothing for no autostop.",
        )
    return ttl_seconds or None


def plan_start(policy: LifecyclePolicy, schedule: str, *, now: datetime) -> datetime | None:
    """Return the next autostart of a wished schedule, None for ""; raise InvalidLifecycle."""
    if not schedule.strip():
        return None
    if not policy.allow_user_autostart:
        raise InvalidLifecycle(
            autostart.FIELD,
            f'"{schedule}" cannot be set: this template does not allow autostart. Leave it empty, '
            "or ask a template admin.",
        )
    return autostart.next_start(autostart.read_schedule(schedule), now=now)


def calculate_deadline(
    policy: LifecyclePolicy, *, ttl_seconds: int | None, started_at: datetime
) -> datetime | None:
    """Return when a workspace that has just started stops by itself; None = never.

    A template that keeps autostop to itself counts with its own ttl, whatever the row says.
    """
    ttl = ttl_seconds if policy.allow_user_autostop else policy.default_ttl_seconds
    return started_at + timedelta(seconds=ttl) if ttl else None


def check_deadline(deadline: datetime, *, max_deadline: datetime | None, now: datetime) -> datetime:
    """Return a deadline somebody wants; raise InvalidLifecycle unless it is ahead and allowed."""
    if deadline <= now:
        raise InvalidLifecycle(
            "deadline",
            f"{deadline.isoformat()} has passed: choose a time after {now.isoformat()}.",
        )
    if max_deadline is not None and deadline > max_deadline:
        raise InvalidLifecycle(
            "deadline",
            f"{deadline.isoformat()} is too late: this workspace has to stop by "
            f"{max_deadline.isoformat()}, choose that or earlier.",
        )
    return deadline


def is_unused(policy: LifecyclePolicy, *, last_used_at: datetime | None, now: datetime) -> bool:
    """Return whether a workspace has been left alone for longer than the template allows."""
    span = timedelta(seconds=policy.time_til_dormant_seconds)
    return bool(span) and last_used_at is not None and last_used_at < now - span


def plan_deletion(
    policy: LifecyclePolicy, *, dormant_at: datetime, promised_at: datetime | None = None
) -> datetime | None:
    """Return when a dormant workspace is deleted by today's policy; None = never.

    What was promised stands: a shorter policy never brings a date forward, a longer one moves it.
    """
    if not policy.time_til_dormant_autodelete_seconds:
        return None
    planned = dormant_at + timedelta(seconds=policy.time_til_dormant_autodelete_seconds)
    return max(planned, promised_at or planned)


def _words(ttl_seconds: int) -> str:
    return f"after {ttl_seconds} seconds" if ttl_seconds else "its workspaces never stop"
