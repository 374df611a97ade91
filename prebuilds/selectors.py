"""Fetch what people want to see of the pools. No writes.

The same snapshot, state and decision as the reconciler's, so the page cannot disagree with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from prebuilds import locks, observation
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision
from prebuilds.core.decisions import decide
from prebuilds.core.health import describe_health
from prebuilds.models import ReconcileRun
from templates_app.models import Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """One pool as a person sees it. `health` is one word, `reason` a sentence."""

    preset_id: UUID
    preset_name: str
    preset_icon: str
    template_id: UUID
    template_name: str
    template_display_name: str
    template_icon: str
    organization_name: str
    version_name: str
    is_active_version: bool
    desired: int
    ready: int
    unready: int
    starting: int
    stopping: int
    deleting: int
    expired: int
    health: str
    reason: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolsOverview:
    """All pools at one instant."""

    pools: tuple[PoolRow, ...]
    as_of: datetime
    paused: bool


def list_pools(*, now: datetime) -> PoolsOverview:
    """Return every pool that is active, or is not but still has something left to remove."""
    policy = current_policy()
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        snapshot = observation.take_snapshot(policy, now=now)
    paused = observation.is_paused(now)
    decisions = [one for one in decide(snapshot, policy, now) if _is_shown(one)]
    looks = _looks(one.preset.id for one in decisions)
    return PoolsOverview(
        pools=tuple(_row(one, looks[one.preset.id], paused) for one in decisions),
        as_of=now,
        paused=paused,
    )


def last_cycle_at() -> datetime | None:
    """Return when the last cycle that held the lock was completed: the reconciler's heartbeat."""
    runs = ReconcileRun.objects.filter(lock_acquired=True, completed_at__isnull=False)
    return runs.order_by("-completed_at").values_list("completed_at", flat=True).first()


def _is_shown(decision: Decision) -> bool:
    state = decision.state
    return decision.preset.is_active or bool(
        state.actual or state.starting or state.stopping or state.deleting
    )


def _looks(preset_ids: Iterable[UUID]) -> dict[UUID, Preset]:
    """Return presets with their templates, for the icons and names a snapshot has no use for."""
    presets = Preset.objects.select_related("version__template").in_bulk(list(preset_ids))
    return dict(presets)


def _row(decision: Decision, preset: Preset, paused: bool) -> PoolRow:
    state, snapshot, template = decision.state, decision.preset, preset.version.template
    health = describe_health(decision, paused=paused)
    return PoolRow(
        preset_id=snapshot.id,
        preset_name=snapshot.name,
        preset_icon=preset.icon,
        template_id=snapshot.template_id,
        template_name=snapshot.template_name,
        template_display_name=template.display_name or template.name,
        template_icon=template.icon,
        organization_name=snapshot.organization_name,
        version_name=snapshot.version_name,
        is_active_version=snapshot.using_active_version,
        desired=state.desired,
        ready=state.eligible,
        unready=max(state.actual - state.expired - state.eligible, 0),
        starting=state.starting,
        stopping=state.stopping,
        deleting=state.deleting,
        expired=state.expired,
        health=health.word,
        reason=health.reason,
        next_at=health.next_at,
    )
