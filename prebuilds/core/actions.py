"""Decide what to do for one preset (semantics.md 4, 7, 8, 9). No I/O, no clock.

Deletions and cancellations are never held back; only creating is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from prebuilds.core import attempts
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import PendingStart, PresetSnapshot, RunningPrebuild, Status
from prebuilds.core.state import State, find_fresh, is_expired, is_invalidated


class Reason(StrEnum):
    """Why something is done or withheld; a closed vocabulary, the same everywhere it is shown."""

    MISSING = "missing"
    SURPLUS = "surplus"
    EXTRANEOUS = "extraneous"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    INACTIVE_VERSION = "inactive_version"
    TEMPLATE_DEPRECATED = "template_deprecated"
    TEMPLATE_DELETED = "template_deleted"
    NEVER_READY = "never_ready"
    AGENT_LOST = "agent_lost"
    FAILED = "failed"
    CANCELED = "canceled"
    DELETION_FAILED = "deletion_failed"
    TOO_MANY_FAILURES = "too_many_failures"
    RECOVERED = "recovered"
    BACKING_OFF = "backing_off"
    PROBING = "probing"
    HARD_LIMITED = "hard_limited"
    VALIDATION_FAILED = "validation_failed"
    HELD_IN_FLIGHT = "held_in_flight"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPending:
    """Cancel starts that no daemon has taken."""

    builds: tuple[PendingStart, ...]
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePrebuild:
    """Delete one prebuild, unless it was claimed in between."""

    workspace_id: UUID
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePrebuilds:
    """Create up to `count` prebuilds."""

    count: int
    reason: Reason = Reason.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCreation:
    """Do not create `count` prebuilds that are missing.

    A backoff says until when, and after how many failures.
    """

    count: int
    reason: Reason
    until: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus:
    """Change the preset's status; the row keeps the reason and the time."""

    status: Status
    reason: Reason


Action = CancelPending | DeletePrebuild | CreatePrebuilds | HoldCreation | SetStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What will be done for one preset, and the numbers it was decided from."""

    preset: PresetSnapshot
    state: State
    actions: tuple[Action, ...]

    @property
    def is_noop(self) -> bool:
        """Whether there is nothing to carry out; what is only withheld does nothing."""
        return all(isinstance(action, HoldCreation) for action in self.actions)


def can_skip(preset: PresetSnapshot) -> bool:
    """Return whether a preset needs no look at all: inactive, and nothing of it is left."""
    return not preset.is_active and not (
        preset.running
        or preset.starting
        or preset.stopping
        or preset.deleting
        or preset.failed
        or preset.failed_deletions
        or preset.attempts
    )


def calculate_actions(
    preset: PresetSnapshot, state: State, policy: Policy, now: datetime
) -> tuple[Action, ...]:
    """Return what to do for a preset, in the order it is to be done (semantics.md 4)."""
    find = _active if preset.is_active else _inactive
    return (*find(preset, state, policy, now), *_leftovers(preset, policy, now))


def _inactive(
    preset: PresetSnapshot, state: State, policy: Policy, now: datetime
) -> Iterator[Action]:
    """Cancel what waits, then delete all that runs, expired or not, oldest first."""
    reason = inactive_reason(preset)
    if preset.pending:
        yield CancelPending(builds=_newest_first(preset.pending), reason=reason)
    for prebuild in _oldest_first(preset.running):
        yield DeletePrebuild(workspace_id=prebuild.id, reason=reason)


def _active(
    preset: PresetSnapshot, state: State, policy: Policy, now: datetime
) -> Iterator[Action]:
    fresh = find_fresh(preset, now)
    stuck = [one for one in fresh if is_unready_for_good(one, policy, now)]

    for prebuild in _oldest_first(preset.running) if state.expired else ():
        if not is_expired(prebuild, preset, now):
            continue
        reason = Reason.INVALIDATED if is_invalidated(prebuild, preset) else Reason.EXPIRED
        yield DeletePrebuild(workspace_id=prebuild.id, reason=reason)
    if doomed := _newest_first(preset.pending)[: state.surplus]:
        yield CancelPending(builds=doomed, reason=Reason.SURPLUS)
    for prebuild in _oldest_first(stuck):
        reason = Reason.AGENT_LOST if prebuild.lost_ready_at else Reason.NEVER_READY
        yield DeletePrebuild(workspace_id=prebuild.id, reason=reason)
    if (surplus := state.extraneous - len(stuck)) > 0:
        gone = {one.id for one in stuck}
        usable = [one for one in _oldest_first(fresh) if one.id not in gone]
        for prebuild in usable[:surplus]:
            yield DeletePrebuild(workspace_id=prebuild.id, reason=Reason.EXTRANEOUS)
    yield from _status_change(preset, policy)
    yield from _creation(preset, state, policy, now)


def _status_change(preset: PresetSnapshot, policy: Policy) -> Iterator[SetStatus]:
    """Follow the hard limit in both directions; a failed validation clears only by an edit."""
    limited = attempts.is_hard_limited(preset, policy)
    if limited and preset.status == Status.HEALTHY:
        yield SetStatus(status=Status.HARD_LIMITED, reason=Reason.TOO_MANY_FAILURES)
    if not limited and preset.status == Status.HARD_LIMITED:
        yield SetStatus(status=Status.HEALTHY, reason=Reason.RECOVERED)


def _creation(
    preset: PresetSnapshot, state: State, policy: Policy, now: datetime
) -> Iterator[CreatePrebuilds | HoldCreation]:
    """Create what is missing, or say why not: only creating is ever held back."""
    missing = state.missing
    if not missing:
        return
    if preset.status == Status.VALIDATION_FAILED:
        yield HoldCreation(count=missing, reason=Reason.VALIDATION_FAILED)
    elif attempts.is_hard_limited(preset, policy):
        yield HoldCreation(count=missing, reason=Reason.HARD_LIMITED)
    elif backoff := attempts.find_backoff(preset, policy, now):
        yield HoldCreation(
            count=missing,
            reason=Reason.BACKING_OFF,
            until=backoff.until,
            failures=backoff.failures,
        )
    elif attempts.is_probing(preset):
        yield from _probe(missing, state.starting)
    else:
        yield CreatePrebuilds(count=missing)


def _probe(missing: int, starting: int) -> Iterator[CreatePrebuilds | HoldCreation]:
    """Keep one creation in flight until an attempt succeeds (semantics.md 8)."""
    probes = 0 if starting else 1
    if probes:
        yield CreatePrebuilds(count=probes, reason=Reason.PROBING)
    if missing > probes:
        yield HoldCreation(count=missing - probes, reason=Reason.PROBING)


def _leftovers(preset: PresetSnapshot, policy: Policy, now: datetime) -> Iterator[DeletePrebuild]:
    """Clear away what failed, and try failed deletions again (semantics.md 4 e and f)."""
    ended = sorted(preset.failed, key=lambda one: (one.ended_at, one.id))
    specimen = next((one for one in reversed(ended) if not one.canceled), None)
    for one in ended:
        if one.canceled:
            yield DeletePrebuild(workspace_id=one.id, reason=Reason.CANCELED)
        elif one is not specimen or now - one.ended_at > policy.failed_retention:
            yield DeletePrebuild(workspace_id=one.id, reason=Reason.FAILED)
    for deletion in sorted(preset.failed_deletions, key=lambda one: (one.ended_at, one.id)):
        again_at = deletion.ended_at + deletion.tries * policy.backoff_interval
        if not is_stuck(deletion.tries, policy) and now >= again_at:
            yield DeletePrebuild(workspace_id=deletion.id, reason=Reason.DELETION_FAILED)


def is_unready_for_good(prebuild: RunningPrebuild, policy: Policy, now: datetime) -> bool:
    """Return whether nobody should wait for a prebuild any longer.

    It ran longer than `ready_timeout` without becoming ready, or lost its agent so long ago.
    """
    since = prebuild.lost_ready_at or prebuild.started_at
    return not prebuild.ready and since is not None and now - since > policy.ready_timeout


def is_stuck(tries: int, policy: Policy) -> bool:
    """Return whether a deletion failed so often that people must look (a notice says so)."""
    return 0 < policy.failure_hard_limit <= tries


def inactive_reason(preset: PresetSnapshot) -> Reason:
    """Return why nobody gets prebuilds of this preset any more."""
    if preset.deleted:
        return Reason.TEMPLATE_DELETED
    return Reason.TEMPLATE_DEPRECATED if preset.deprecated else Reason.INACTIVE_VERSION


def _oldest_first(prebuilds: Sequence[RunningPrebuild]) -> list[RunningPrebuild]:
    return sorted(prebuilds, key=lambda one: (one.created_at, one.id))


def _newest_first(builds: Sequence[PendingStart]) -> tuple[PendingStart, ...]:
    return tuple(sorted(builds, key=lambda one: (one.created_at, one.workspace_id), reverse=True))
