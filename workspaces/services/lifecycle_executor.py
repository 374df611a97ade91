"""What time does to people's workspaces: deletion, dormancy, autostop, autostart (semantics.md 16).

Each rule finds the workspaces whose time has come, and acts on one at a time: a transaction of its
own, the row locked without waiting, the condition looked at again. So two executors at once act
once, and one workspace in trouble holds up none of the others. Prebuilds are never found.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from templates_app.models import Template
from templates_app.parameters import InvalidParameters
from workspaces import autostart, lifecycle, locks
from workspaces.enums import AutomaticUpdates, BuildReason, JobStatus, Transition
from workspaces.errors import BuildInProgress, InvalidLifecycle, WorkspacesError
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.models.workspace import IS_AWAKE, IS_LIVE, IS_PREBUILD
from workspaces.services import builds
from workspaces.services.lifecycle import is_running, make_dormant
from workspaces.services.workspaces import policy_of

logger = logging.getLogger(__name__)

DELETION_RETRY: Final = timedelta(days=1)
"""After how long a deletion that failed is tried again."""

PATIENCE_SECONDS: Final = 40.0
"""After how long a run leaves what is left to the next one: less than the task queue allows."""

Find = Callable[[datetime], Sequence[UUID]]
Act = Callable[[Workspace, datetime], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRun:
    """How many workspaces one run stopped, started and so on; `failed` are in the log."""

    deleting: int = 0
    dormant: int = 0
    stopping: int = 0
    starting: int = 0
    refused: int = 0
    failed: int = 0


def apply_lifecycle(*, now: datetime, patience_seconds: float = PATIENCE_SECONDS) -> LifecycleRun:
    """Do to every person's workspace what its times ask for; return how many of each.

    `refused` are autostarts that were not possible (quota, values): they wait for their next time.
    """
    until = time.monotonic() + patience_seconds
    counts: Counter[str] = Counter()
    for find, act in RULES:
        for workspace_id in find(now):
            if time.monotonic() > until:
                logger.warning("lifecycle run out of time", extra={"done": counts.total()})
                return _run_of(counts)
            counts[_apply(act, workspace_id, now)] += 1
    return _run_of(counts)


def _run_of(counts: Counter[str]) -> LifecycleRun:
    return LifecycleRun(**{word: number for word, number in counts.items() if word})


def _apply(act: Act, workspace_id: UUID, now: datetime) -> str:
    """Act on one workspace; its error is logged and never stops another."""
    try:
        with transaction.atomic():
            workspace = locks.lock_free_workspace(workspace_id)
            return act(workspace, now) if workspace else ""
    except BuildInProgress:
        return ""  # the next run looks again
    except Exception:
        logger.exception("lifecycle of a workspace failed", extra={"workspace": str(workspace_id)})
        return "failed"


def _find_undated(now: datetime) -> Sequence[UUID]:
    """Find what went dormant before its template had a policy of deletion."""
    return _ids(
        Q(dormant_at__isnull=False, deleting_at__isnull=True)
        & Q(template__time_til_dormant_autodelete_seconds__gt=0),
        first="dormant_at",
    )


def _date(workspace: Workspace, now: datetime) -> str:
    """Give it the whole span from now on: nobody was told of a date before."""
    if workspace.dormant_at is not None and workspace.deleting_at is None:
        _change(
            workspace,
            deleting_at=lifecycle.plan_deletion(policy_of(workspace.template), dormant_at=now),
        )
    return ""


def _find_deletions(now: datetime) -> Sequence[UUID]:
    return _ids(Q(deleting_at__lte=now), first="deleting_at")


def _delete(workspace: Workspace, now: datetime) -> str:
    """Delete it if the template still says so; a longer policy moves the date, none takes it."""
    if workspace.dormant_at is None or workspace.deleting_at is None:
        return ""
    due = lifecycle.plan_deletion(
        policy_of(workspace.template),
        dormant_at=workspace.dormant_at,
        promised_at=workspace.deleting_at,
    )
    if due is None or due > now:
        _change(workspace, deleting_at=due)
        return ""
    _build(workspace, Transition.DELETE, BuildReason.AUTODELETE, now)
    _change(workspace, deleting_at=now + DELETION_RETRY)
    return "deleting"


def _find_unused(now: datetime) -> Sequence[UUID]:
    """Find what nobody used for long, by the policies as they are now; two statements."""
    policies = Template.objects.filter(time_til_dormant_seconds__gt=0)
    templates_by_span: dict[int, list[UUID]] = {}
    for template_id, span in policies.values_list("pk", "time_til_dormant_seconds"):
        templates_by_span.setdefault(span, []).append(template_id)
    unused = Q()
    for span, templates in templates_by_span.items():
        before = now - timedelta(seconds=span)
        unused |= Q(template_id__in=templates, last_used_at__lt=before)
    return _ids(unused & IS_AWAKE & ~IS_PREBUILD, first="last_used_at") if unused else []


def _sleep(workspace: Workspace, now: datetime) -> str:
    policy = policy_of(workspace.template)
    unused = lifecycle.is_unused(policy, last_used_at=workspace.last_used_at, now=now)
    if not unused or workspace.dormant_at is not None:
        return ""
    make_dormant(workspace, now=now)
    return "dormant"


def _find_deadlines(now: datetime) -> Sequence[UUID]:
    due = WorkspaceBuild.objects.filter(deadline__lte=now, workspace__deleted_at__isnull=True)
    return list(due.order_by("deadline", "pk").values_list("workspace_id", flat=True))


def _stop(workspace: Workspace, now: datetime) -> str:
    build = workspace.latest_build
    if build is None or build.deadline is None or build.deadline > now or not is_running(build):
        return ""
    _build(workspace, Transition.STOP, BuildReason.AUTOSTOP, now)
    return "stopping"


def _find_starts(now: datetime) -> Sequence[UUID]:
    return _ids(Q(next_start_at__lte=now), first="next_start_at")


def _start(workspace: Workspace, now: datetime) -> str:
    """Start it if it may; whatever comes of that, its next start moves on."""
    if workspace.next_start_at is None or workspace.next_start_at > now:
        return ""
    if builds.has_unfinished_build(workspace):
        raise BuildInProgress
    _change(workspace, next_start_at=_following_start(workspace, now))
    if not _may_start(workspace):
        return ""
    try:
        with transaction.atomic():
            _build(workspace, Transition.START, BuildReason.AUTOSTART, now)
    except (WorkspacesError, InvalidParameters) as problem:
        logger.warning(
            "autostart refused",
            extra={"workspace": str(workspace.pk), "reason": type(problem).__name__},
        )
        return "refused"
    return "starting"


def _may_start(workspace: Workspace) -> bool:
    """Return whether an autostart does anything: only what was stopped well is started."""
    latest = workspace.latest_build
    return (
        latest is not None
        and latest.transition == Transition.STOP
        and latest.job.status == JobStatus.SUCCEEDED
        and workspace.dormant_at is None
        and workspace.owner.is_active
        and workspace.template.allow_user_autostart
    )


def _following_start(workspace: Workspace, now: datetime) -> datetime | None:
    """Return the next start by the schedule, whatever the template allows by now."""
    try:
        schedule = autostart.read_schedule(workspace.autostart_schedule)
    except InvalidLifecycle as problem:  # edited in SQL, or the zone is gone
        logger.warning(
            "autostart schedule unreadable",
            extra={"workspace": str(workspace.pk), "reason": str(problem)},
        )
        return None
    return autostart.next_start(schedule, now=now)


def _build(
    workspace: Workspace, transition: Transition, reason: BuildReason, now: datetime
) -> None:
    """Ask for a build in the owner's name; a start follows the template if its owner wants it."""
    follows = (
        transition == Transition.START and workspace.automatic_updates == AutomaticUpdates.ALWAYS
    )
    builds.create_build(
        workspace_id=workspace.pk,
        transition=transition,
        initiator_id=workspace.owner_id,
        template_version=workspace.template.active_version if follows else None,
        reason=reason,
        now=now,
    )


def _ids(condition: Q, *, first: str) -> list[UUID]:
    rows = Workspace.objects.filter(condition & IS_LIVE).order_by(first, "pk")
    return list(rows.values_list("pk", flat=True))


def _change(workspace: Workspace, **changes: datetime | None) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(**changes)


RULES: Final[tuple[tuple[Find, Act], ...]] = (
    (_find_undated, _date),
    (_find_deletions, _delete),
    (_find_unused, _sleep),
    (_find_deadlines, _stop),
    (_find_starts, _start),
)
"""In this order: what is deleted or sleeps is not started."""
