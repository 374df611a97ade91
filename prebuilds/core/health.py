"""Say how a pool is, in one word and one sentence: will the next person get a warm one?."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from prebuilds.core.actions import CreatePrebuilds, Decision, HoldCreation, Reason


class HealthWord(StrEnum):
    """One word for a pool; the first that applies, in this order of urgency."""

    DRAINING = "draining"
    PAUSED = "paused"
    VALIDATION_FAILED = "validation_failed"
    HARD_LIMITED = "hard_limited"
    BACKING_OFF = "backing_off"
    HELD = "held"
    FILLING = "filling"
    DEGRADED = "degraded"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A pool's health: the word, why, and when it changes next, if that is known."""

    word: HealthWord
    reason: str
    next_at: datetime | None = None


HELD_WORDS = {
    Reason.VALIDATION_FAILED: HealthWord.VALIDATION_FAILED,
    Reason.HARD_LIMITED: HealthWord.HARD_LIMITED,
    Reason.BACKING_OFF: HealthWord.BACKING_OFF,
    Reason.PROBING: HealthWord.BACKING_OFF,
    Reason.HELD_IN_FLIGHT: HealthWord.HELD,
    Reason.QUOTA: HealthWord.HELD,
}


def describe_health(decision: Decision, *, paused: bool) -> Health:
    """Return how a pool is, from the same decision the reconciler would carry out.

    A schedule that cannot be read is said as well; it changes no word: the pool goes on without.
    """
    health = _describe(decision, paused)
    problem = decision.state.schedule_problem
    if not problem:
        return health
    return replace(
        health, reason=f"{health.reason} A schedule cannot be read: {problem.rstrip('.')}."
    )


def _describe(decision: Decision, paused: bool) -> Health:
    state = decision.state
    if not decision.preset.is_active:
        return Health(word=HealthWord.DRAINING, reason=_draining(decision))
    full = state.eligible >= state.desired
    if paused and not full:
        return Health(word=HealthWord.PAUSED, reason="Reconciliation is paused; nothing is built.")
    hold = next((one for one in decision.actions if isinstance(one, HoldCreation)), None)
    if hold is not None:
        return Health(
            word=HELD_WORDS[hold.reason], reason=_held(decision, hold), next_at=hold.until
        )
    if full:
        return Health(word=HealthWord.HEALTHY, reason=_healthy(decision))
    creating = any(isinstance(one, CreatePrebuilds) for one in decision.actions)
    unready = state.actual - state.expired - state.eligible
    if state.starting or creating or unready > 0:
        return Health(word=HealthWord.FILLING, reason=_filling(decision))
    return Health(word=HealthWord.DEGRADED, reason=_degraded(decision))


def _draining(decision: Decision) -> str:
    state, preset = decision.state, decision.preset
    left = state.actual + state.starting + state.deleting + state.stopping
    why = "This version is no longer the active one"
    if preset.deleted:
        why = "The template was deleted"
    elif preset.deprecated:
        why = "The template is deprecated"
    return f"{why}; {left} left to remove."


def _healthy(decision: Decision) -> str:
    state = decision.state
    if state.desired == 0:
        return "No prebuilt workspaces are wanted right now."
    return f"{state.eligible} ready; the next person gets one at once."


def _filling(decision: Decision) -> str:
    state = decision.state
    building = state.missing + state.starting
    unready = state.actual - state.expired - state.eligible
    parts = [f"{state.eligible} of {state.desired} ready"]
    if building:
        parts.append(f"{building} being built")
    if unready:
        parts.append(f"{unready} starting up")
    return ", ".join(parts) + "."


def _degraded(decision: Decision) -> str:
    state = decision.state
    return f"{state.eligible} of {state.desired} ready, and nothing is under way."


def _held(decision: Decision, hold: HoldCreation) -> str:
    match hold.reason:
        case Reason.VALIDATION_FAILED:
            return decision.preset.status_reason or "The preset's parameters do not validate."
        case Reason.HARD_LIMITED:
            return "Creation stopped after repeated failures. Press Retry once the cause is mended."
        case Reason.BACKING_OFF:
            noun = "failed build" if hold.failures == 1 else "failed builds"
            return f"Waiting after {hold.failures} {noun} before trying again."
        case Reason.PROBING:
            return "The last build failed; one is tried before the rest."
        case Reason.QUOTA:
            return "The prebuilds group's quota is used up. Raise its allowance."
        case _:
            return f"{hold.count} wait for their turn: too many builds are under way."
