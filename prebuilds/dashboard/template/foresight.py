"""Say what the next cycle would do to a template's pools after an action.

The cycle's own snapshot, with the change put in, and the cycle's own decision.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from prebuilds import observation
from prebuilds.conf import current_policy
from prebuilds.core.decisions import decide_preset
from prebuilds.core.snapshot import PresetSnapshot
from prebuilds.plans import PoolPlan, decision_in_short

Change = Callable[[PresetSnapshot], PresetSnapshot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One pool and what the next cycle would do for it."""

    preset_id: UUID
    name: str
    version: str
    plan: PoolPlan


def foresee_deletion(template_id: UUID, now: datetime) -> tuple[Foreseen, ...]:
    """Return what a cycle does once the template is deleted."""
    return _foresee(template_id, lambda found: replace(found, deleted=True), now)


def foresee_deprecation(template_id: UUID, now: datetime) -> tuple[Foreseen, ...]:
    """Return what a cycle does once the template is deprecated."""
    return _foresee(template_id, lambda found: replace(found, deprecated=True), now)


def foresee_invalidation(template_id: UUID, now: datetime) -> tuple[Foreseen, ...]:
    """Return what a cycle does once every prebuild of the active version is expired."""
    return _foresee(template_id, lambda found: _stamped(found, now), now)


def foresee_revival(template_id: UUID, now: datetime) -> tuple[Foreseen, ...]:
    """Return what a cycle does with the prebuilds that are left once it is in use again."""
    return _foresee(template_id, lambda found: replace(found, deprecated=False), now)


def _foresee(template_id: UUID, change: Change, now: datetime) -> tuple[Foreseen, ...]:
    policy = current_policy()
    found = observation.take_snapshot(policy, now=now, using=DEFAULT_DB_ALIAS)
    return tuple(
        Foreseen(
            preset_id=one.id,
            name=one.name,
            version=one.version_name,
            plan=decision_in_short(decide_preset(change(one), policy, now)),
        )
        for one in found.presets
        if one.template_id == template_id
    )


def _stamped(found: PresetSnapshot, now: datetime) -> PresetSnapshot:
    return replace(found, last_invalidated_at=now) if found.using_active_version else found
