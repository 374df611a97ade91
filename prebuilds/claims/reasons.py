"""Why there was nothing to hand over: what a cycle would see and decide at this instant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from prebuilds import observation
from prebuilds.claims.request import Request
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision, HoldCreation, Reason
from prebuilds.core.decisions import decide_preset
from prebuilds.models import ClaimReason

HOLD_REASONS: Final = {
    Reason.VALIDATION_FAILED: ClaimReason.VALIDATION_FAILED,
    Reason.HARD_LIMITED: ClaimReason.HARD_LIMITED,
    Reason.BACKING_OFF: ClaimReason.BACKING_OFF,
    Reason.PROBING: ClaimReason.BACKING_OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Why a request is served by a build, and how many prebuilds are on their way."""

    reason: ClaimReason
    being_built: int = 0


def explain_miss(request: Request) -> Miss:
    """Say why there is nothing to hand over; it speaks of the best preset."""
    best = request.best_preset
    if best is None:
        return Miss(reason=ClaimReason.NO_PRESET_MATCH)
    if best.desired_instances is None or request.version.pk != request.template.active_version_id:
        return Miss(reason=ClaimReason.NO_POOL)
    decision = decide_now(best.pk, request.wish.now)
    if decision is None:  # the pool was taken away just now
        return Miss(reason=ClaimReason.NO_POOL)
    reason = _stock_reason(decision) or _hold_reason(decision, request.wish.now)
    return Miss(reason=reason, being_built=decision.state.starting)


def decide_now(preset_id: UUID, now: datetime) -> Decision | None:
    """Return what a cycle would decide for one preset; None when it keeps no pool."""
    policy = current_policy()
    snapshot = observation.take_snapshot(policy, now=now, using=DEFAULT_DB_ALIAS, only=preset_id)
    return decide_preset(snapshot.presets[0], policy, now) if snapshot.presets else None


def _stock_reason(decision: Decision) -> ClaimReason | None:
    """Return why what is running could not be handed over; None when nothing runs."""
    state = decision.state
    if state.eligible:
        return ClaimReason.LOST_RACE
    if state.actual > state.expired:
        return ClaimReason.NOT_READY
    return ClaimReason.EXPIRED if state.actual else None


def _hold_reason(decision: Decision, now: datetime) -> ClaimReason:
    """Return why the pool ran empty."""
    holds = {one.reason for one in decision.actions if isinstance(one, HoldCreation)}
    for hold, reason in HOLD_REASONS.items():
        if hold in holds or decision.preset.status == hold.value:
            return reason
    return ClaimReason.PAUSED_AND_EMPTY if observation.is_paused(now) else ClaimReason.POOL_EMPTY
