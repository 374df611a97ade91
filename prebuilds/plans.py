"""Say what the next cycle would do if an edit were saved or a version promoted. No writes.

The cycle's own snapshot, with the settings in question put in, and the cycle's own decision; so
what is promised is what happens, unless rows change in between. What all pools share (builds in
flight, quota) is not shared out here: that needs every pool.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from prebuilds import observation
from prebuilds.conf import current_policy
from prebuilds.core.actions import (
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    Reason,
)
from prebuilds.core.decisions import decide_preset
from prebuilds.core.snapshot import PresetSnapshot, Status
from templates_app import services as template_services
from templates_app.forecast import Forecast, look_ahead
from templates_app.models import Preset, TemplateVersion
from templates_app.schedules import Schedule
from templates_app.services import Difference, PresetChanges, PresetSpec, promotion_problems

ActionT = TypeVar("ActionT")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """What a cycle would do for one pool; `hold_reason` says why `hold` are not created."""

    desired: int
    running: int
    starting: int
    create: int
    delete: int
    cancel: int
    hold: int
    hold_reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPreview:
    """What saving an edit of a preset would bring; with problems it would not be saved.

    `forecast` and `plan` are None then, and when the preset would keep no pool: no cycle would
    look at it, and what runs would go on running. While `paused` no cycle does anything.
    """

    problems: tuple[tuple[str, str], ...]
    difference: Difference
    forecast: Forecast | None
    plan: PoolPlan | None
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetVerdict:
    """Whether a preset of the version to be promoted validates, and what its pool would do."""

    preset_id: UUID
    preset_name: str
    problems: tuple[tuple[str, str], ...]
    pool: PoolPlan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPlan:
    """What promoting a version would do: to its own presets, and to the pools it replaces."""

    presets: tuple[PresetVerdict, ...]
    delete: int
    cancel: int
    paused: bool

    @property
    def create(self) -> int:
        """How many prebuilds the next cycle would make of the promoted version."""
        return sum(one.pool.create for one in self.presets if one.pool)


def preview_edit(*, preset: Preset, changes: PresetChanges, now: datetime) -> EditPreview:
    """Return what saving these changes would bring, from now on; writes nothing."""
    before = template_services.spec_of(preset)
    after = changes.applied_to(before)
    problems = tuple(template_services.edit_problems(preset, after))
    keeps_pool = after.desired_instances is not None and not problems
    return EditPreview(
        problems=problems,
        difference=template_services.diff_preset(before, after),
        forecast=_forecast(after, now) if keeps_pool else None,
        plan=plan_edit(preset=preset, after=after, now=now) if keeps_pool else None,
        paused=observation.is_paused(now),
    )


def _forecast(spec: PresetSpec, now: datetime) -> Forecast:
    return look_ahead(
        base=spec.desired_instances or 0,
        zone=spec.scheduling_timezone,
        schedules=_to_schedules(spec.schedules),
        start=now,
    )


def plan_edit(*, preset: Preset, after: PresetSpec, now: datetime) -> PoolPlan:
    """Return what the next cycle would do for a preset that keeps a pool with these settings."""
    found = observation.take_snapshot(
        current_policy(), now=now, using=DEFAULT_DB_ALIAS, only=preset.pk, poolless=True
    )
    snapshot = found.presets[0] if found.presets else _empty_snapshot(preset)
    return _plan(_edited(snapshot, preset, after, now), now)


def plan_promotion(*, version: TemplateVersion, now: datetime) -> PromotionPlan:
    """Return what promoting a version would do; a constant number of statements.

    Of a version that is not active past failures are not read, so a backoff is not foreseen.
    """
    found = observation.take_snapshot(current_policy(), now=now, using=DEFAULT_DB_ALIAS)
    snapshots = {one.id: one for one in found.presets if one.template_id == version.template_id}
    verdicts = tuple(_verdicts(version, snapshots, now))
    others = [one for one in snapshots.values() if one.version_id != version.pk]
    drained = [_plan(replace(one, using_active_version=False), now) for one in others]
    own = [one.pool for one in verdicts if one.pool]
    return PromotionPlan(
        presets=verdicts,
        delete=sum(one.delete for one in (*drained, *own)),
        cancel=sum(one.cancel for one in (*drained, *own)),
        paused=observation.is_paused(now),
    )


def _verdicts(
    version: TemplateVersion, snapshots: Mapping[UUID, PresetSnapshot], now: datetime
) -> Iterable[PresetVerdict]:
    failing = {one.preset_id: one.problems for one in promotion_problems(version.pk)}
    presets = version.presets.select_related("version__template__organization")
    for preset in presets.prefetch_related("parameters", "schedules").order_by("name"):
        problems = failing.get(preset.pk, ())
        snapshot = snapshots.get(preset.pk) or _empty_snapshot(preset)
        yield PresetVerdict(
            preset_id=preset.pk,
            preset_name=preset.name,
            problems=problems,
            pool=_promoted(snapshot, preset, broken=bool(problems), now=now),
        )


def _promoted(
    snapshot: PresetSnapshot, preset: Preset, *, broken: bool, now: datetime
) -> PoolPlan | None:
    """Return what a pool does once its version is active; one that does not validate waits."""
    if preset.desired_instances is None:
        return None
    settings = template_services.spec_of(preset)
    active = replace(_with_settings(snapshot, settings), using_active_version=True)
    return _plan(replace(active, status=Status.VALIDATION_FAILED) if broken else active, now)


def _edited(
    snapshot: PresetSnapshot, preset: Preset, after: PresetSpec, now: datetime
) -> PresetSnapshot:
    """Return the preset as saving the edit would leave it (see `edit_preset`)."""
    difference = template_services.diff_preset(template_services.spec_of(preset), after)
    edited = _with_settings(snapshot, after)
    if "parameters" in difference.after:
        edited = replace(edited, last_invalidated_at=now)
    if difference and edited.status == Status.VALIDATION_FAILED:
        edited = replace(edited, status=Status.HEALTHY)
    return edited


def _with_settings(snapshot: PresetSnapshot, spec: PresetSpec) -> PresetSnapshot:
    return replace(
        snapshot,
        desired_instances=spec.desired_instances or 0,
        ttl=timedelta(seconds=spec.ttl_seconds) if spec.ttl_seconds else None,
        scheduling_timezone=spec.scheduling_timezone,
        schedules=_to_schedules(spec.schedules),
    )


def _to_schedules(rows: Sequence[tuple[str, int]]) -> tuple[Schedule, ...]:
    """Return a preset's schedule rows in the words of `templates_app.schedules`."""
    return tuple(Schedule(expression=text, desired_instances=number) for text, number in rows)


def _empty_snapshot(preset: Preset) -> PresetSnapshot:
    """Return a preset that no cycle would look at: it has no prebuilds, so its rows say it all."""
    version, template = preset.version, preset.version.template
    return PresetSnapshot(
        id=preset.pk,
        name=preset.name,
        template_id=template.pk,
        template_name=template.name,
        version_id=version.pk,
        version_name=version.name,
        organization_id=template.organization_id,
        organization_name=template.organization.name,
        using_active_version=template.active_version_id == version.pk,
        deleted=template.deleted_at is not None,
        deprecated=bool(template.deprecation_message),
        desired_instances=preset.desired_instances or 0,
        last_invalidated_at=preset.last_invalidated_at,
        status=Status(preset.prebuild_status),
        status_reason=preset.status_reason,
        daily_cost=version.daily_cost,
    )


def _plan(snapshot: PresetSnapshot, now: datetime) -> PoolPlan:
    return decision_in_short(decide_preset(snapshot, current_policy(), now))


def decision_in_short(decision: Decision) -> PoolPlan:
    """Return a decision as numbers."""
    holds = _of(decision, HoldCreation)
    return PoolPlan(
        desired=decision.state.desired,
        running=decision.state.actual,
        starting=decision.state.starting,
        create=sum(one.count for one in _of(decision, CreatePrebuilds)),
        delete=len(_of(decision, DeletePrebuild)),
        cancel=sum(len(one.builds) for one in _of(decision, CancelPending)),
        hold=sum(one.count for one in holds),
        hold_reason=holds[0].reason if holds else None,
    )


def _of(decision: Decision, kind: type[ActionT]) -> list[ActionT]:
    return [one for one in decision.actions if isinstance(one, kind)]
