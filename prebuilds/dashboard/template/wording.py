"""Say what an action brings, as the sentence and the lines of a plan. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from prebuilds.dashboard.base.plan import PlanLine
from prebuilds.dashboard.base.wording import say_count, say_duration, say_list, say_word
from prebuilds.dashboard.template.foresight import Foreseen
from prebuilds.plans import PoolPlan, PresetVerdict, PromotionPlan

PAUSED: Final = "Reconciliation is paused, so that waits until somebody resumes it."
POLICY: Final = {
    "name": "Name",
    "display_name": "Display name",
    "icon": "Icon",
    "description": "Description",
    "default_ttl_seconds": "Autostop after",
    "allow_user_autostop": "People may set autostop",
    "allow_user_autostart": "People may set autostart",
    "time_til_dormant_seconds": "Dormant when unused for",
    "time_til_dormant_autodelete_seconds": "Dormant workspaces are deleted after",
}
"""A template's fields as people call them."""


def say_value(field: str, value: Any) -> str:
    """Return a template's setting in words."""
    if field.endswith("_seconds"):
        return say_duration(timedelta(seconds=value)) if value else "never"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "empty"


def say_work(
    *, delete: int, cancel: int = 0, create: int = 0, hold: int = 0, paused: bool = False
) -> str:
    """Return what the next cycle does, in a sentence."""
    parts = [
        f"{verb} {say_count(count, noun)}"
        for verb, noun, count in (
            ("delete", "prebuild", delete),
            ("cancel", "pending start", cancel),
            ("build", "prebuild", create),
            ("hold back", "prebuild", hold),
        )
        if count
    ]
    said = f"The next cycle will {say_list(parts)}." if parts else "No prebuild is touched."
    return f"{said} {PAUSED}" if paused and parts else said


def say_pools(pools: Sequence[Foreseen], *, paused: bool) -> str:
    """Return what happens to the pools together."""
    plans = [one.plan for one in pools]
    return say_work(
        delete=sum(plan.delete for plan in plans),
        cancel=sum(plan.cancel for plan in plans),
        create=sum(plan.create for plan in plans),
        hold=sum(plan.hold for plan in plans),
        paused=paused,
    )


def pool_lines(pools: Iterable[Foreseen]) -> tuple[PlanLine, ...]:
    """Return a line for each pool and kind of action."""
    return tuple(line for one in pools for line in _lines(one.plan, f"{one.name} ({one.version})"))


def promotion_lines(plan: PromotionPlan, version: str) -> tuple[PlanLine, ...]:
    """Return what promoting does: what fails first, then the pools, then what is replaced."""
    failing = [line for one in plan.presets for line in _problems(one)]
    pools = [
        line
        for one in plan.presets
        if one.pool and not one.problems
        for line in _lines(one.pool, f"{one.preset_name} ({version})")
    ]
    return (*failing, *_replaced(plan), *pools)


def _replaced(plan: PromotionPlan) -> Iterator[PlanLine]:
    """Say what drains: the plan counts what the promoted version's own pools lose, too."""
    own = [one.pool for one in plan.presets if one.pool]
    if delete := plan.delete - sum(pool.delete for pool in own):
        yield PlanLine(
            icon="minus", tone="bad", text=f"delete {delete}", subject="of other versions"
        )
    if cancel := plan.cancel - sum(pool.cancel for pool in own):
        yield PlanLine(
            icon="x", tone="warn", text=f"cancel {cancel}", subject="starts of other versions"
        )


def _problems(verdict: PresetVerdict) -> Iterator[PlanLine]:
    for field, detail in verdict.problems:
        place = field.removeprefix("parameters.")
        yield PlanLine(
            icon="alert-triangle",
            tone="bad",
            text="would fail",
            subject=f"{verdict.preset_name}: {place}: {detail}",
        )


def _lines(plan: PoolPlan, subject: str) -> Iterator[PlanLine]:
    if plan.delete:
        yield PlanLine(icon="minus", tone="bad", text=f"delete {plan.delete}", subject=subject)
    if plan.cancel:
        yield PlanLine(icon="x", tone="warn", text=f"cancel {plan.cancel}", subject=subject)
    if plan.create:
        yield PlanLine(icon="plus", tone="good", text=f"build {plan.create}", subject=subject)
    if plan.hold:
        why = say_word(plan.hold_reason or "")
        yield PlanLine(
            icon="player-pause", tone="off", text=f"hold {plan.hold}", subject=f"{subject}: {why}"
        )
