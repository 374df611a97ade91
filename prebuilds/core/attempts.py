"""What past attempts say about the next one: backoff, probe, hard limit (semantics.md 8 and 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import Attempt, PresetSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Creating waits until after `until`, because of `failures` recent failed attempts."""

    until: datetime
    failures: int


def window_size(preset: PresetSnapshot) -> int:
    """Return how many of the newest attempts count for backoff: the largest configured count."""
    scheduled = (schedule.desired_instances for schedule in preset.schedules)
    return max(1, preset.desired_instances, *scheduled)


def newest_first(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return attempts newest first; of those made at one instant, the last to finish first."""
    return sorted(
        attempts, key=lambda one: (one.created_at, one.finished_at, one.failed), reverse=True
    )


def find_backoff(preset: PresetSnapshot, policy: Policy, now: datetime) -> Backoff | None:
    """Return the backoff a preset is in at this instant; None when it may try (semantics.md 8).

    A recent failure in the window opens it; every recent failure, in the window or not, adds to
    the wait.
    """
    window = _recent_failures(newest_first(preset.attempts)[: window_size(preset)], policy, now)
    if not window:
        return None
    failures = len(_recent_failures(preset.attempts, policy, now))
    until = max(window) + failures * policy.backoff_interval
    return Backoff(until=until, failures=failures) if now <= until else None


def is_probing(preset: PresetSnapshot) -> bool:
    """Return whether the newest attempt failed, so that one creation must succeed first."""
    newest = newest_first(preset.attempts)[:1]
    return bool(newest) and newest[0].failed


def is_hard_limited(preset: PresetSnapshot, policy: Policy) -> bool:
    """Return whether the newest `failure_hard_limit` attempts exist and all failed."""
    limit = policy.failure_hard_limit
    newest = newest_first(preset.attempts)[:limit]
    return limit > 0 and len(newest) == limit and all(attempt.failed for attempt in newest)


def _recent_failures(attempts: Sequence[Attempt], policy: Policy, now: datetime) -> list[datetime]:
    """Return when the failed ones finished, as far as that is within the lookback."""
    since = now - policy.backoff_lookback
    return [one.finished_at for one in attempts if one.failed and one.finished_at >= since]
