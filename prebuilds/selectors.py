"""Fetch what people want to see of the pools. No writes.

The same snapshot, state and decision as the reconciler's, so the page cannot disagree with it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import User
from accounts.policy import Resource, subject_of
from prebuilds import locks, observation
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision
from prebuilds.core.decisions import decide
from prebuilds.core.health import describe_health
from prebuilds.models import Claim, Notice, NoticeKind, PrebuildsSettings, ReconcileRun
from prebuilds.notices.reading import EVENT_SHOWN_FOR, count_cold_starts
from templates_app.schedules import Schedule

AN_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """One pool as a person sees it. `health` is one word, `reason` a sentence.

    `base` is what is desired outside of all schedules, `zone` the clock they are read by.
    """

    preset_id: UUID
    preset_name: str
    preset_icon: str
    template_id: UUID
    template_name: str
    template_display_name: str
    template_icon: str
    organization_id: UUID
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
    base: int
    zone: str
    schedules: tuple[Schedule, ...]
    health: str
    reason: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause that holds now. `by` is empty when a command paused; no `until`: until resumed."""

    by: str
    since: datetime
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolsOverview:
    """All pools at one instant."""

    pools: tuple[PoolRow, ...]
    as_of: datetime
    pause: Pause | None

    @property
    def paused(self) -> bool:
        """Whether reconciliation is paused at that instant."""
        return self.pause is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """One incident as a person sees it; one of a whole organization names no preset.

    `cold_starts` is what it cost so far; `cold_starts_last_hour` is 0 once it is closed.
    """

    id: UUID
    kind: str
    title: str
    detail: str
    details: dict[str, Any]
    organization_id: UUID
    organization_name: str
    template_id: UUID | None
    template_name: str
    template_title: str
    version_name: str
    preset_id: UUID | None
    preset_name: str
    workspace_id: UUID | None
    workspace_name: str
    opened_at: datetime
    closed_at: datetime | None
    lasted: timedelta
    cold_starts: int
    cold_starts_last_hour: int
    next_at: datetime | None


def list_pools(*, now: datetime) -> PoolsOverview:
    """Return every pool that is active, or is not but still has something left to remove."""
    policy = current_policy()
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        snapshot = observation.take_snapshot(policy, now=now)
    pause = current_pause(now)
    decisions = [one for one in decide(snapshot, policy, now) if _is_shown(one)]
    return PoolsOverview(
        pools=tuple(_row(one, pause is not None) for one in decisions),
        as_of=now,
        pause=pause,
    )


def current_pause(now: datetime) -> Pause | None:
    """Return who paused reconciliation, why and until when; None when it is not paused now."""
    paused = PrebuildsSettings.objects.filter(reconciliation_paused=True)
    row = paused.select_related("paused_by").first()
    if row is None or not row.is_paused(now):
        return None
    return Pause(
        by=row.paused_by.display_name if row.paused_by else "",
        since=row.paused_at or now,
        reason=row.pause_reason,
        until=row.paused_until,
    )


def last_cycle_at() -> datetime | None:
    """Return when the last cycle that held the lock was completed: the reconciler's heartbeat."""
    runs = ReconcileRun.objects.filter(lock_acquired=True, completed_at__isnull=False)
    return runs.order_by("-completed_at").values_list("completed_at", flat=True).first()


def list_notices(
    *,
    now: datetime,
    open_only: bool = True,
    organization_ids: Collection[UUID] | None = None,
    limit: int = 500,
) -> tuple[NoticeRow, ...]:
    """Return notices, the open ones first, then the newest; one statement."""
    notices = Notice.objects.select_related(
        "organization", "preset__version__template", "claim__workspace"
    ).annotate(
        cost=count_cold_starts(until=now),
        recent_cost=count_cold_starts(until=now, since=now - AN_HOUR),
    )
    if open_only:
        notices = notices.filter(closed_at__isnull=True)
    if organization_ids is not None:
        notices = notices.filter(organization_id__in=organization_ids)
    ordered = notices.order_by(F("closed_at").desc(nulls_first=True), "-opened_at", "id")
    return tuple(_notice_row(one, now) for one in ordered[:limit])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFilter:
    """Which requests for workspaces; what is not named leaves out nothing.

    `preset` is a name; `user` a part of one, or "me"; `text` a part of the workspace's.
    """

    outcome: str = ""
    reason: str = ""
    template_id: UUID | None = None
    preset_id: UUID | None = None
    preset: str = ""
    user: str = ""
    text: str = ""
    since: datetime | None = None
    before: datetime | None = None


def list_claims(viewer: User, asked: ClaimFilter) -> QuerySet[Claim]:
    """Return the requests that are asked for: one's own, and where a role reads workspaces."""
    subject = subject_of(viewer)
    claims = Claim.objects.filter(_claim_condition(viewer, asked))
    organizations = subject.readable_organizations(Resource.WORKSPACE)
    if organizations is None:
        return claims
    own = Q(user=viewer, template__organization__in=set(subject.organization_roles))
    return claims.filter(own | Q(template__organization__in=organizations))


def _claim_condition(viewer: User, asked: ClaimFilter) -> Q:
    plain = {
        "outcome": asked.outcome,
        "reason": asked.reason,
        "template": asked.template_id,
        "preset": asked.preset_id,
        "preset__name__iexact": asked.preset,
        "workspace__name__icontains": asked.text,
        "created_at__gte": asked.since,
        "created_at__lt": asked.before,
    }
    condition = Q(**{name: value for name, value in plain.items() if value})
    if asked.user == "me":
        return condition & Q(user=viewer)
    if asked.user:
        named = Q(user__username__icontains=asked.user) | Q(user__name__icontains=asked.user)
        return condition & named
    return condition


def _is_shown(decision: Decision) -> bool:
    state = decision.state
    return decision.preset.is_active or bool(
        state.actual or state.starting or state.stopping or state.deleting
    )


def _row(decision: Decision, paused: bool) -> PoolRow:
    state, snapshot = decision.state, decision.preset
    health = describe_health(decision, paused=paused)
    return PoolRow(
        preset_id=snapshot.id,
        preset_name=snapshot.name,
        preset_icon=snapshot.icon,
        template_id=snapshot.template_id,
        template_name=snapshot.template_name,
        template_display_name=snapshot.template_display_name,
        template_icon=snapshot.template_icon,
        organization_id=snapshot.organization_id,
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
        base=snapshot.desired_instances,
        zone=snapshot.scheduling_timezone,
        schedules=snapshot.schedules,
        health=health.word,
        reason=health.reason,
        next_at=health.next_at,
    )


def _notice_row(notice: Any, now: datetime) -> NoticeRow:
    """Turn a notice, annotated with its costs, into what a person sees."""
    preset, is_open = notice.preset, notice.closed_at is None
    workspace = notice.claim.workspace if notice.claim else None
    ends = is_open and notice.kind == NoticeKind.RESOURCE_REPLACED
    return NoticeRow(
        id=notice.pk,
        kind=notice.kind,
        title=notice.get_kind_display(),
        detail=notice.detail,
        details=notice.details,
        organization_id=notice.organization_id,
        organization_name=notice.organization.name,
        template_id=preset.version.template_id if preset else None,
        template_name=preset.version.template.name if preset else "",
        template_title=str(preset.version.template) if preset else "",
        version_name=preset.version.name if preset else "",
        preset_id=notice.preset_id,
        preset_name=preset.name if preset else "",
        workspace_id=workspace.pk if workspace else None,
        workspace_name=workspace.name if workspace else "",
        opened_at=notice.opened_at,
        closed_at=notice.closed_at,
        lasted=max((notice.closed_at or now) - notice.opened_at, timedelta(0)),
        cold_starts=notice.cost if is_open else notice.cold_starts,
        cold_starts_last_hour=notice.recent_cost if is_open else 0,
        next_at=notice.opened_at + EVENT_SHOWN_FOR if ends else None,
    )
