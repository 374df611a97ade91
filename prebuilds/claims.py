"""CLAIM: give somebody a workspace, a ready one if there is one (semantics.md 14).

One transaction: the oldest eligible prebuild changes its owner, or an ordinary workspace is
built. It never imports the reconciler: the two meet at the row lock.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, transaction

from accounts.models import User
from prebuilds import locks, observation
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision, HoldCreation, Reason
from prebuilds.core.decisions import decide_preset
from prebuilds.errors import PresetNotOfTemplate
from prebuilds.models import Claim, ClaimOutcome, ClaimReason
from templates_app import parameters, selectors
from templates_app.errors import TemplateNotUsable
from templates_app.models import Preset, Template
from workspaces.enums import Stage, Transition
from workspaces.models import Workspace
from workspaces.services import builds, quota
from workspaces.services import workspaces as workspace_services

HOLD_REASONS: Final = {
    Reason.VALIDATION_FAILED: ClaimReason.VALIDATION_FAILED,
    Reason.HARD_LIMITED: ClaimReason.HARD_LIMITED,
    Reason.BACKING_OFF: ClaimReason.BACKING_OFF,
    Reason.PROBING: ClaimReason.BACKING_OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """What somebody got: the workspace, whether it was ready, and why it was or was not."""

    workspace: Workspace
    outcome: ClaimOutcome
    reason: ClaimReason
    preset_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    owner: User
    template: Template
    preset: Preset | None
    name: str
    values: Mapping[str, str]
    now: datetime


def claim_or_create_workspace(
    *,
    owner: User,
    template: Template,
    preset_id: UUID | None,
    name: str,
    parameters: Mapping[str, str],
    now: datetime,
) -> ClaimResult:
    """Hand over the oldest ready prebuild of the preset, or build a workspace for the owner.

    The preset's values win over `parameters`. Any error rolls everything back: TemplateNotUsable,
    PresetNotOfTemplate, InvalidName, NameTaken, QuotaExceeded, parameters.InvalidParameters.
    """
    started = time.monotonic()
    workspace_services.check_name(name)
    with transaction.atomic():
        request = _check_request(owner, template, preset_id, name, parameters, now)
        quota.check_quota(
            owner_id=owner.pk,
            organization_id=request.template.organization_id,
            cost=_daily_cost(request),
        )
        workspace = _claim(request)
        outcome, reason = ClaimOutcome.WARM, ClaimReason.WARM
        if workspace is None:
            outcome, reason = ClaimOutcome.COLD, _why_cold(request)
            workspace = _build_anew(request)
        Claim.objects.create(
            workspace=workspace,
            template=request.template,
            preset=request.preset,
            user=owner,
            outcome=outcome,
            reason=reason,
            created_at=now,
            duration_seconds=time.monotonic() - started,
        )
    return ClaimResult(workspace=workspace, outcome=outcome, reason=reason, preset_id=preset_id)


def _check_request(
    owner: User,
    template: Template,
    preset_id: UUID | None,
    name: str,
    given: Mapping[str, str],
    now: datetime,
) -> _Request:
    """Read the template as it is now and the values the workspace will have."""
    template = Template.objects.select_related("active_version").get(pk=template.pk)
    if not template.is_usable or template.active_version is None:
        raise TemplateNotUsable(TemplateNotUsable.__doc__)
    preset = _find_preset(template, preset_id) if preset_id else None
    preset_values = selectors.values_of([preset.pk])[preset.pk] if preset else {}
    definitions = selectors.definitions_of([template.active_version.pk])[template.active_version.pk]
    values = parameters.resolve_values(definitions, {**given, **preset_values})
    return _Request(
        owner=owner, template=template, preset=preset, name=name, values=values, now=now
    )


def _find_preset(template: Template, preset_id: UUID) -> Preset:
    preset = Preset.objects.filter(pk=preset_id, version_id=template.active_version_id).first()
    if preset is None:
        raise PresetNotOfTemplate
    return preset


def _daily_cost(request: _Request) -> int:
    version = request.template.active_version
    return version.daily_cost if version else 0


def _claim(request: _Request) -> Workspace | None:
    """Take the oldest eligible prebuild: owner and build change together; None when none is."""
    if request.preset is None or request.preset.desired_instances is None:
        return None
    workspace_id = locks.lock_claimable_prebuild(
        template_id=request.template.pk, preset_id=request.preset.pk, now=request.now
    )
    if workspace_id is None:
        return None
    workspace = Workspace.objects.select_related("template", "latest_build__template_version").get(
        pk=workspace_id
    )
    latest = workspace.latest_build
    assert latest is not None
    workspace_services.transfer_ownership(
        workspace, owner=request.owner, name=request.name, now=request.now
    )
    builds.append_build(
        builds.BuildRequest(
            workspace=workspace,
            build_number=latest.build_number + 1,
            transition=Transition.START,
            template_version=latest.template_version,
            initiator_id=request.owner.pk,
            parameters=request.values,
            preset_id=request.preset.pk,
            stage=Stage.PREBUILD_CLAIM,
        ),
        now=request.now,
    )
    return workspace


def _build_anew(request: _Request) -> Workspace:
    version = request.template.active_version
    assert version is not None
    build_id = uuid4()
    workspace = workspace_services.insert_workspace(
        owner=request.owner,
        template=request.template,
        name=request.name,
        latest_build_id=build_id,
        now=request.now,
    )
    first = builds.BuildRequest(
        workspace=workspace,
        build_id=build_id,
        build_number=1,
        transition=Transition.START,
        template_version=version,
        initiator_id=request.owner.pk,
        parameters=request.values,
        preset_id=request.preset.pk if request.preset else None,
    )
    builds.insert_builds([first], now=request.now)
    return workspace


def _why_cold(request: _Request) -> ClaimReason:
    """Say why there was nothing to hand over, from what a cycle would see and decide now."""
    if request.preset is None:
        return ClaimReason.NO_PRESET_MATCH
    if request.preset.desired_instances is None:
        return ClaimReason.NO_POOL
    policy = current_policy()
    snapshot = observation.take_snapshot(
        policy, now=request.now, using=DEFAULT_DB_ALIAS, only=request.preset.pk
    )
    if not snapshot.presets:  # the pool was taken away just now
        return ClaimReason.NO_POOL
    decision = decide_preset(snapshot.presets[0], policy, request.now)
    return _stock_reason(decision) or _hold_reason(decision, request.now)


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
