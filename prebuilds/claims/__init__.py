"""CLAIM: give somebody a workspace, a ready one if there is one (semantics.md 14).

One transaction: the oldest eligible prebuild changes its owner, or an ordinary workspace is
built. It never imports the reconciler: the two meet at the row lock.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import User
from prebuilds import locks
from prebuilds.claims import idempotency, reasons
from prebuilds.claims.request import NO_OPTIONS, Options, Request, Wish, read_request
from prebuilds.models import Claim, ClaimOutcome, ClaimReason
from templates_app.models import Preset, Template
from workspaces import tracing
from workspaces.enums import Stage, Transition
from workspaces.errors import NameTaken, QuotaExceeded
from workspaces.models import Workspace
from workspaces.selectors import usual_build_time
from workspaces.services import builds, quota
from workspaces.services import workspaces as workspace_services

__all__ = ["ClaimResult", "Options", "Outlook", "claim_or_create_workspace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What to expect of a pool that was empty: prebuilds on their way, and their usual time.

    `usual_build_time` is from asking to ready; None when the version was never built.
    """

    being_built: int
    usual_build_time: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """What somebody got: the workspace, whether it was ready, and why it was or was not.

    `preset_id` is the preset that was named or matched; `claim_id` the event. `outlook` comes
    with an empty pool. `repeated`: an earlier request with the same Idempotency-Key made it.
    """

    workspace: Workspace
    outcome: ClaimOutcome
    reason: ClaimReason
    preset_id: UUID | None
    claim_id: UUID
    outlook: Outlook | None = None
    repeated: bool = False


def claim_or_create_workspace(
    *,
    owner: User,
    template: Template,
    preset_id: UUID | None,
    name: str,
    parameters: Mapping[str, str],
    now: datetime,
    options: Options = NO_OPTIONS,
    actor: Actor | None = None,
) -> ClaimResult:
    """Hand over the oldest ready prebuild, or build a workspace for the owner.

    Of the named preset, whose values win over `parameters`; without a name, of the presets that
    `parameters` match, best first. The same wish with the same Idempotency-Key gives the same
    workspace. Who asks through a face is the `actor`, and is written down.

    Any error rolls everything back but the event of a refusal: TemplateNotUsable,
    VersionNotOfTemplate, PresetNotOfTemplate, InvalidName, NameTaken, QuotaExceeded,
    InvalidLifecycle, parameters.InvalidParameters, IdempotencyKeyReused.
    """
    wish = Wish(
        owner=owner,
        template_id=template.pk,
        preset_id=preset_id,
        name=name,
        parameters=parameters,
        options=options,
        now=now,
        actor=actor,
    )
    with tracing.span("prebuild.claim", template=template.name, template_id=template.pk):
        tracing.add(user_id=owner.pk, preset_id=preset_id)
        workspace_services.check_name(name)
        result = _earlier(wish) or _serve_once(wish)
        _trace(result)
    return result


def _trace(result: ClaimResult) -> None:
    tracing.add(
        claim_id=result.claim_id,
        outcome=result.outcome,
        reason=result.reason,
        preset_id=result.preset_id,
        workspace_id=result.workspace.pk,
        workspace=result.workspace.name,
        repeated=result.repeated,
    )


def _earlier(wish: Wish) -> ClaimResult | None:
    claim = idempotency.find_claim(wish)
    return _result(claim, repeated=True) if claim else None


def _serve_once(wish: Wish) -> ClaimResult:
    """Serve the wish, unless a request with the same key does so at this very moment."""
    try:
        return _serve(wish)
    except (NameTaken, IntegrityError):
        if repeated := _earlier(wish):
            return repeated
        raise


def _serve(wish: Wish) -> ClaimResult:
    started = time.monotonic()
    with transaction.atomic():
        request = read_request(wish)
        refusal = _refusal(request)
        if refusal is None:
            return _hand_over(request, started) or _build(request, started)
        _record(request, None, None, ClaimReason.QUOTA, started)
    raise refusal


def _refusal(request: Request) -> QuotaExceeded | None:
    """Return why the owner may not have another workspace; None when they may."""
    try:
        quota.check_quota(
            owner_id=request.wish.owner.pk,
            organization_id=request.template.organization_id,
            cost=request.version.daily_cost,
        )
    except QuotaExceeded as refusal:
        return refusal
    return None


def _hand_over(request: Request, started: float) -> ClaimResult | None:
    """Take the oldest eligible prebuild of the best preset that has one."""
    for preset in request.presets:
        workspace = _claim(request, preset)
        if workspace:
            return _result(_record(request, workspace, preset, ClaimReason.WARM, started))
    return None


def _claim(request: Request, preset: Preset) -> Workspace | None:
    """Take the oldest eligible prebuild: owner and build change together; None when none is."""
    if preset.desired_instances is None:
        return None
    wish, template, build_id = request.wish, request.template, uuid4()
    found = locks.lock_claimable_prebuild(preset_id=preset.pk, now=wish.now)
    if found is None:
        return None
    workspace, build_number = found
    workspace.template = template
    workspace_services.transfer_ownership(
        workspace,
        owner=wish.owner,
        name=wish.name,
        latest_build_id=build_id,
        ttl_seconds=wish.options.ttl_seconds,
        autostart_schedule=wish.options.autostart_schedule,
        automatic_updates=wish.options.automatic_updates,
        now=wish.now,
    )
    claim = builds.BuildRequest(
        workspace=workspace,
        build_id=build_id,
        build_number=build_number + 1,
        transition=Transition.START,
        template_version=request.version,  # the lock asks for the preset's own
        initiator_id=wish.owner.pk,
        parameters=request.values,
        preset_id=preset.pk,
        stage=Stage.PREBUILD_CLAIM,
    )
    (workspace.latest_build,) = builds.insert_builds([claim], now=wish.now)
    return workspace


def _build(request: Request, started: float) -> ClaimResult:
    """Build an ordinary workspace, for want of a ready one."""
    wish, best, build_id = request.wish, request.best_preset, uuid4()
    miss = reasons.explain_miss(request)
    workspace = workspace_services.insert_workspace(
        owner=wish.owner,
        template=request.template,
        name=wish.name,
        latest_build_id=build_id,
        ttl_seconds=wish.options.ttl_seconds,
        autostart_schedule=wish.options.autostart_schedule,
        automatic_updates=wish.options.automatic_updates,
        now=wish.now,
    )
    first = builds.BuildRequest(
        workspace=workspace,
        build_id=build_id,
        build_number=1,
        transition=Transition.START,
        template_version=request.version,
        initiator_id=wish.owner.pk,
        parameters=request.values,
        preset_id=best.pk if best else None,
    )
    (workspace.latest_build,) = builds.insert_builds([first], now=wish.now)
    claim = _record(request, workspace, best, miss.reason, started)
    return replace(_result(claim), outlook=_outlook(request, miss))


def _outlook(request: Request, miss: reasons.Miss) -> Outlook | None:
    if miss.reason != ClaimReason.POOL_EMPTY:
        return None
    return Outlook(
        being_built=miss.being_built,
        usual_build_time=usual_build_time(request.version.pk),
    )


def _record(
    request: Request,
    workspace: Workspace | None,
    preset: Preset | None,
    reason: ClaimReason,
    started: float,
) -> Claim:
    """Write the event down, in the transaction of what it tells."""
    wish = request.wish
    if workspace is not None and wish.actor is not None:
        audit.record(
            actor=wish.actor,
            action="create",
            target=workspace,
            now=wish.now,
            after={"owner": wish.owner.username, "template": request.template.name},
        )
    return Claim.objects.create(
        workspace=workspace,
        template=request.template,
        preset=preset or request.best_preset,
        user=wish.owner,
        outcome=ClaimOutcome.WARM if reason == ClaimReason.WARM else ClaimOutcome.COLD,
        reason=reason,
        created_at=wish.now,
        duration_seconds=time.monotonic() - started,
        # A refusal is no answer to hold on to: with more quota the same request succeeds.
        idempotency_key=wish.options.idempotency_key if workspace else "",
        request_digest=idempotency.digest_of(wish) if wish.options.idempotency_key else None,
    )


def _result(claim: Claim, *, repeated: bool = False) -> ClaimResult:
    assert claim.workspace is not None
    return ClaimResult(
        workspace=claim.workspace,
        outcome=ClaimOutcome(claim.outcome),
        reason=ClaimReason(claim.reason),
        preset_id=claim.preset_id,
        claim_id=claim.pk,
        repeated=repeated,
    )
