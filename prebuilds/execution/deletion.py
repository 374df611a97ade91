"""Delete prebuilds, or cancel their pending start; a claim in between wins (semantics.md 12)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from accounts.system import PREBUILDS_USER_ID
from prebuilds import locks
from prebuilds.core.actions import Reason
from workspaces import tracing
from workspaces.enums import BuildReason, Transition
from workspaces.models import BuildParameter, ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.services import builds


def delete_prebuilds(reasons: Mapping[UUID, Reason], *, now: datetime) -> dict[UUID, str]:
    """Ask for the deletion of prebuilds, each with its reason; return what became of each.

    `deleting`; `already_claimed` when it has an owner by now; `busy` when a build is unfinished.
    A workspace missing from the answer is held by somebody else or gone. Each is deleted with its
    own version and values, so a new version's required parameters never stand in the way.
    """
    with tracing.span("prebuild.delete", wanted=len(reasons)), transaction.atomic():
        results: dict[UUID, str] = {}
        doomed: list[Workspace] = []
        for workspace in locks.lock_deletable(reasons.keys()):
            results[workspace.pk] = _deletable(workspace)
            if results[workspace.pk] == "deleting":
                doomed.append(workspace)
        values = _values_by_build([one.latest_build_id for one in doomed if one.latest_build_id])
        builds.insert_builds([_deletion(one, reasons[one.pk], values) for one in doomed], now=now)
        _advance_latest_builds([one.pk for one in doomed], now)
        tracing.add(deleted=len(doomed), workspace_ids=[one.pk for one in doomed])
    return results


def _deletable(workspace: Workspace) -> str:
    if workspace.owner_id != PREBUILDS_USER_ID:
        return "already_claimed"
    latest = workspace.latest_build
    return "busy" if latest is None or latest.job.completed_at is None else "deleting"


def _deletion(
    workspace: Workspace, reason: Reason, values: Mapping[UUID, Mapping[str, str]]
) -> builds.BuildRequest:
    latest = workspace.latest_build
    assert latest is not None
    return builds.BuildRequest(
        workspace=workspace,
        build_number=latest.build_number + 1,
        transition=Transition.DELETE,
        template_version=latest.template_version,
        initiator_id=PREBUILDS_USER_ID,
        parameters=values.get(latest.pk, {}),
        preset_id=latest.preset_id,
        reason=BuildReason.RECONCILE,
        action_reason=reason,
    )


def _values_by_build(build_ids: Collection[UUID]) -> dict[UUID, dict[str, str]]:
    found: dict[UUID, dict[str, str]] = {each: {} for each in build_ids}
    rows = BuildParameter.objects.filter(build_id__in=found)
    for build_id, name, value in rows.values_list("build_id", "name", "value"):
        found[build_id][name] = value
    return found


def _advance_latest_builds(workspace_ids: Collection[UUID], now: datetime) -> None:
    newest = WorkspaceBuild.objects.filter(workspace=OuterRef("pk")).order_by("-build_number")
    Workspace.objects.filter(pk__in=workspace_ids).update(
        latest_build_id=Subquery(newest.values("pk")[:1]), updated_at=now
    )


def cancel_pending(*, workspace_id: UUID, reason: Reason, now: datetime) -> bool:
    """Cancel a prebuild's pending first start and remove it; False when a daemon was faster.

    One that a daemon had and gave back is only canceled: it may have left something behind, so
    the next cycle deletes it like any start that was canceled half-way (semantics.md 4 f).
    """
    with tracing.span("prebuild.cancel", workspace_id=workspace_id, reason=reason):
        with transaction.atomic():
            canceled = _cancel_start(workspace_id, reason, now)
        tracing.add(canceled=canceled)
    return canceled


def _cancel_start(workspace_id: UUID, reason: Reason, now: datetime) -> bool:
    workspace = locks.lock_cancellable(workspace_id)
    if workspace is None or workspace.owner_id != PREBUILDS_USER_ID:
        return False
    latest = workspace.latest_build
    assert latest is not None
    if latest.build_number > 1:
        return False  # it was built meanwhile: started again, or being removed properly
    if _cancel_job(latest.job_id, now, heartbeat_at__isnull=True):
        builds.orphan_delete(workspace, initiator_id=PREBUILDS_USER_ID, reason=reason, now=now)
        return True
    return _cancel_job(latest.job_id, now)


def _cancel_job(job_id: UUID, now: datetime, **conditions: bool) -> bool:
    """Cancel a job; the statement itself checks that it is still pending and unassigned."""
    # By primary key: a join would move the conditions into a subquery, and a statement that
    # had to wait for the daemon's commit would not look at them again.
    waiting = ProvisionerJob.objects.filter(
        pk=job_id, started_at__isnull=True, completed_at__isnull=True, canceled_at__isnull=True
    )
    return bool(waiting.filter(**conditions).update(canceled_at=now, completed_at=now))
