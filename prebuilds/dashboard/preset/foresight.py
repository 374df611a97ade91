"""Say what the next cycle would do for one pool after an action, as lines of a plan."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS

from prebuilds import observation
from prebuilds.conf import current_policy
from prebuilds.core.decisions import decide_preset
from prebuilds.core.snapshot import PresetSnapshot, Status
from prebuilds.dashboard.base.plan import PlanLine
from prebuilds.dashboard.base.wording import say_count, say_list, say_word
from prebuilds.plans import PoolPlan, decision_in_short
from templates_app.models import Preset


def foresee_retry(preset: Preset, now: datetime) -> PoolPlan | None:
    """Return what a cycle does once failures are forgotten; None when it would not look."""
    return _foresee(
        preset,
        lambda found: replace(found, attempts=(), status=Status.HEALTHY, status_reason=""),
        now,
    )


def foresee_invalidation(preset: Preset, now: datetime) -> PoolPlan | None:
    """Return what a cycle does once every prebuild is expired; None when it would not look."""
    return _foresee(preset, lambda found: replace(found, last_invalidated_at=now), now)


def _foresee(
    preset: Preset, change: Callable[[PresetSnapshot], PresetSnapshot], now: datetime
) -> PoolPlan | None:
    policy = current_policy()
    found = observation.take_snapshot(policy, now=now, using=DEFAULT_DB_ALIAS, only=preset.pk)
    if not found.presets:
        return None
    return decision_in_short(decide_preset(change(found.presets[0]), policy, now))


def say_plan(plan: PoolPlan | None, *, paused: bool) -> str:
    """Return what the next cycle would do, in a sentence."""
    if plan is None:
        return "No cycle looks at this preset, so nothing is built or deleted."
    parts = [
        f"{verb} {say_count(count, 'prebuild')}"
        for verb, count in (
            ("delete", plan.delete),
            ("cancel", plan.cancel),
            ("create", plan.create),
        )
        if count
    ]
    if plan.hold and plan.hold_reason:
        parts.append(f"hold {plan.hold} back ({say_word(plan.hold_reason)})")
    done = f"The next cycle will {say_list(parts)}." if parts else NOTHING
    return f"{done} {PAUSED}" if paused else done


NOTHING = "The next cycle has nothing to do for this pool."
PAUSED = "Reconciliation is paused, so that waits until somebody resumes it."


def plan_lines(plan: PoolPlan | None) -> tuple[PlanLine, ...]:
    """Return what the next cycle would do, a line for each kind of action."""
    return tuple(_lines(plan)) if plan else ()


def _lines(plan: PoolPlan) -> Iterator[PlanLine]:
    if plan.delete:
        yield PlanLine(icon="minus", tone="bad", text=f"delete {plan.delete}")
    if plan.cancel:
        yield PlanLine(icon="x", tone="warn", text=f"cancel {plan.cancel}")
    if plan.create:
        yield PlanLine(icon="plus", tone="good", text=f"create {plan.create}")
    if plan.hold and plan.hold_reason:
        why = say_word(plan.hold_reason)
        yield PlanLine(icon="player-pause", tone="off", text=f"hold {plan.hold}", subject=why)
