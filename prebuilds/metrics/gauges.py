"""How things are at one instant: pools, queue, provisioners, cycles, mails (semantics.md 20).

The pools come from the same snapshot and decision as the reconciler's, so a gauge cannot
disagree with what it does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Count, Min, Q, Value, When

from prebuilds import locks, observation
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision, HoldCreation, Reason
from prebuilds.core.decisions import decide
from prebuilds.core.snapshot import Status
from prebuilds.models import Mail, ReconcileRun
from prebuilds.models.mail import IS_WAITING
from workspaces.enums import Transition
from workspaces.machines import is_online
from workspaces.models import ProvisionerDaemon, ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.models.job import IS_PENDING, JobPriority
from workspaces.models.workspace import IS_LIVE

INITIATORS: Final = ("people", "prebuilds")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolGauges:
    """One pool of an active version. `labels` are template, preset and organization name."""

    labels: tuple[str, str, str]
    desired: int
    running: int
    eligible: int
    starting: int
    stopping: int
    deleting: int
    expired: int
    hard_limited: bool
    validation_failed: bool
    backing_off: bool
    held: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailGauges:
    """Mails that wait for the mail server, and how long the oldest one has."""

    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemGauges:
    """Everything that is not about one pool. Ages are seconds; None when there is nothing."""

    paused: bool
    queue_depth: dict[str, int]
    queue_oldest_seconds: dict[str, float]
    provisioners_online: int
    seconds_since_last_cycle: float | None
    lifecycle_overdue_seconds: dict[str, float]
    mails: MailGauges | None


def read_pools(*, now: datetime) -> list[PoolGauges]:
    """Return the pools of active versions of templates that are not deleted."""
    policy = current_policy()
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        snapshot = observation.take_snapshot(policy, now=now)
    return [
        _pool(decision)
        for decision in decide(snapshot, policy, now)
        if decision.preset.using_active_version and not decision.preset.deleted
    ]


def read_system(*, now: datetime) -> SystemGauges:
    """Return the rest; at most seven statements."""
    depth, oldest = _queue(now)
    runs = ReconcileRun.objects.filter(lock_acquired=True, completed_at__isnull=False)
    last = runs.order_by("-completed_at").values_list("completed_at", flat=True).first()
    daemons = ProvisionerDaemon.objects.filter(is_online(now))
    return SystemGauges(
        paused=observation.is_paused(now),
        queue_depth=depth,
        queue_oldest_seconds=oldest,
        provisioners_online=daemons.count(),
        seconds_since_last_cycle=_seconds_since(last, now) if last else None,
        lifecycle_overdue_seconds=read_overdue(now=now),
        mails=_mails(now) if settings.PREBUILDS_SENDS_MAIL else None,
    )


def read_overdue(*, now: datetime) -> dict[str, float]:
    """Return how late the autostop and the autostart are that should have come first."""
    stops = WorkspaceBuild.objects.filter(deadline__lte=now, workspace__deleted_at__isnull=True)
    starts = Workspace.objects.filter(IS_LIVE, next_start_at__lte=now)
    first = {
        Transition.STOP: stops.order_by("deadline").values_list("deadline", flat=True).first(),
        Transition.START: starts.order_by("next_start_at")
        .values_list("next_start_at", flat=True)
        .first(),
    }
    return {transition.value: _seconds_since(due, now) for transition, due in first.items()}


def _pool(decision: Decision) -> PoolGauges:
    preset, state = decision.preset, decision.state
    held: dict[str, int] = {}
    for action in decision.actions:
        if isinstance(action, HoldCreation):
            held[action.reason] = held.get(action.reason, 0) + action.count
    return PoolGauges(
        labels=(preset.template_name, preset.name, preset.organization_name),
        desired=state.desired,
        running=state.actual,
        eligible=state.eligible,
        starting=state.starting,
        stopping=state.stopping,
        deleting=state.deleting,
        expired=state.expired,
        hard_limited=preset.status == Status.HARD_LIMITED or Reason.HARD_LIMITED in held,
        validation_failed=preset.status == Status.VALIDATION_FAILED,
        backing_off=Reason.BACKING_OFF in held,
        held=held,
    )


def _queue(now: datetime) -> tuple[dict[str, int], dict[str, float]]:
    who = Case(
        When(Q(priority=JobPriority.PEOPLE), then=Value("people")), default=Value("prebuilds")
    )
    rows = (
        ProvisionerJob.objects.filter(IS_PENDING)
        .annotate(who=who)
        .values("who")
        .annotate(depth=Count("pk"), oldest=Min("created_at"))
        .order_by()
    )
    found = {row["who"]: row for row in rows}
    depth = {who: found[who]["depth"] if who in found else 0 for who in INITIATORS}
    oldest = {
        who: _seconds_since(found[who]["oldest"] if who in found else None, now)
        for who in INITIATORS
    }
    return depth, oldest


def _mails(now: datetime) -> MailGauges:
    found = Mail.objects.filter(IS_WAITING).aggregate(waiting=Count("pk"), oldest=Min("created_at"))
    return MailGauges(waiting=found["waiting"], oldest_seconds=_seconds_since(found["oldest"], now))


def _seconds_since(then: datetime | None, now: datetime) -> float:
    """Return the age of what has one; 0 for nothing."""
    return (now - then).total_seconds() if then else 0.0
