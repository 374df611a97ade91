"""What a snapshot looks like right after a decision was carried out: the model of execution."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import reduce
from itertools import count
from uuid import UUID

from prebuilds.core.actions import (
    Action,
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    Reason,
    SetStatus,
)
from prebuilds.core.snapshot import (
    Attempt,
    OrganizationSnapshot,
    PendingStart,
    PresetSnapshot,
    Snapshot,
)

NEW_IDS = count(1_000_000)


def apply(preset: PresetSnapshot, actions: Iterable[Action], now: datetime) -> PresetSnapshot:
    """Return the preset as it is once the actions were carried out and nothing else happened."""
    return reduce(lambda before, action: _carry_out(before, action, now), actions, preset)


def _carry_out(preset: PresetSnapshot, action: Action, now: datetime) -> PresetSnapshot:
    match action:
        case CancelPending(builds=builds):
            return replace(
                preset,
                pending=tuple(one for one in preset.pending if one not in builds),
                starting=preset.starting - len(builds),
            )
        case DeletePrebuild(workspace_id=workspace_id, reason=reason):
            return _delete(preset, workspace_id, reason, now)
        case CreatePrebuilds(count=missing):
            born = tuple(_new_pending(now) for _ in range(missing))
            return replace(
                preset, pending=preset.pending + born, starting=preset.starting + missing
            )
        case SetStatus(status=status):
            return replace(preset, status=status)
        case HoldCreation():
            return preset


def _delete(
    preset: PresetSnapshot, workspace_id: UUID, reason: Reason, now: datetime
) -> PresetSnapshot:
    gone = next((one for one in preset.running if one.id == workspace_id), None)
    attempts = list(preset.attempts)
    if gone is not None and reason == Reason.NEVER_READY:
        once = Attempt(created_at=gone.created_at, finished_at=gone.started_at, failed=False)
        attempts.remove(once)
        attempts.append(replace(once, finished_at=now, failed=True))
    return replace(
        preset,
        running=tuple(one for one in preset.running if one.id != workspace_id),
        failed=tuple(one for one in preset.failed if one.id != workspace_id),
        failed_deletions=tuple(one for one in preset.failed_deletions if one.id != workspace_id),
        deleting=preset.deleting + 1,
        attempts=tuple(attempts),
    )


def _new_pending(now: datetime) -> PendingStart:
    return PendingStart(
        workspace_id=UUID(int=next(NEW_IDS)), job_id=UUID(int=next(NEW_IDS)), created_at=now
    )


def apply_all(snapshot: Snapshot, decisions: Iterable[Decision], now: datetime) -> Snapshot:
    """Return the snapshot once all decisions were carried out, organizations' counts included."""
    by_preset = {one.preset.id: one for one in decisions}
    organizations = dict(snapshot.organizations)
    presets = []
    for preset in snapshot.presets:
        actions = by_preset[preset.id].actions if preset.id in by_preset else ()
        after = apply(preset, actions, now)
        presets.append(after)
        organizations[preset.organization_id] = _account(
            organizations[preset.organization_id], preset, after
        )
    return Snapshot(presets=tuple(presets), organizations=organizations)


def _account(
    organization: OrganizationSnapshot, before: PresetSnapshot, after: PresetSnapshot
) -> OrganizationSnapshot:
    started = after.starting - before.starting
    return replace(
        organization,
        in_flight=max(organization.in_flight + started + after.deleting - before.deleting, 0),
        quota_used=organization.quota_used + started * before.daily_cost,
    )
