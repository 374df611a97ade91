"""What people may change about a workspace's times, one public verb each (semantics.md 16).

Each locks the workspace row and refuses prebuilds and deleted workspaces. What happens when a time
has come is in `lifecycle_executor`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import audit
from accounts.audit import THE_SYSTEM, Actor
from workspaces import lifecycle, locks
from workspaces.enums import AutomaticUpdates, BuildReason, JobStatus, Transition
from workspaces.errors import (
    BuildInProgress,
    InvalidLifecycle,
    NoDeadline,
    PrebuildHasNoLifecycle,
    WorkspaceDeleted,
    WorkspaceNotRunning,
)
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.services import builds
from workspaces.services.workspaces import policy_of


def set_ttl(
    *, workspace_id: UUID, ttl_seconds: int | None, now: datetime, actor: Actor = THE_SYSTEM
) -> Workspace:
    """Say how long each start lasts from the next one on; None = until somebody stops it.

    None also takes the deadline from the start that runs. Raises PrebuildHasNoLifecycle,
    WorkspaceDeleted and InvalidLifecycle.
    """
    with transaction.atomic():
        workspace = _locked(workspace_id)
        before = {"ttl_seconds": workspace.ttl_seconds}
        workspace.ttl_seconds = lifecycle.check_ttl(policy_of(workspace.template), ttl_seconds)
        if workspace.ttl_seconds is None:
            WorkspaceBuild.objects.filter(workspace=workspace).update(deadline=None)
        after = {"ttl_seconds": workspace.ttl_seconds}
        _note(actor, "set_ttl", workspace, before, after, now)
        return _saved(workspace, "ttl_seconds", now=now)


def extend_deadline(
    *, workspace_id: UUID, deadline: datetime, now: datetime, actor: Actor = THE_SYSTEM
) -> Workspace:
    """Move the deadline of the start that runs.

    Raises PrebuildHasNoLifecycle, WorkspaceDeleted, WorkspaceNotRunning, NoDeadline and
    InvalidLifecycle.
    """
    with transaction.atomic():
        workspace = _locked(workspace_id)
        build = workspace.latest_build
        if build is None or not is_running(build):
            raise WorkspaceNotRunning
        if build.deadline is None:
            raise NoDeadline
        before = {"deadline": build.deadline.isoformat()}
        build.deadline = lifecycle.check_deadline(
            deadline, max_deadline=build.max_deadline, now=now
        )
        build.save(update_fields=["deadline"])
        _note(actor, "extend", workspace, before, {"deadline": build.deadline.isoformat()}, now)
        return _saved(workspace, now=now)


def set_autostart(
    *, workspace_id: UUID, schedule: str, now: datetime, actor: Actor = THE_SYSTEM
) -> Workspace:
    """Start by a schedule such as `CRON_TZ=Europe/Berlin 30 9 * * 1-5`; "" = no longer.

    Raises PrebuildHasNoLifecycle, WorkspaceDeleted and InvalidLifecycle.
    """
    with transaction.atomic():
        workspace = _locked(workspace_id)
        policy = policy_of(workspace.template)
        before = {"autostart_schedule": workspace.autostart_schedule}
        workspace.next_start_at = lifecycle.plan_start(policy, schedule, now=now)
        workspace.autostart_schedule = schedule.strip()
        after = {"autostart_schedule": workspace.autostart_schedule}
        _note(actor, "set_autostart", workspace, before, after, now)
        return _saved(workspace, "autostart_schedule", "next_start_at", now=now)


def set_dormancy(
    *, workspace_id: UUID, dormant: bool, now: datetime, actor: Actor = THE_SYSTEM
) -> Workspace:
    """Put a workspace to sleep, or wake it; one that is so already stays as it is.

    Raises PrebuildHasNoLifecycle, WorkspaceDeleted and BuildInProgress.
    """
    with transaction.atomic():
        workspace = _locked(workspace_id)
        if dormant == (workspace.dormant_at is not None):
            return workspace
        _note(actor, "set_dormancy", workspace, {"dormant": not dormant}, {"dormant": dormant}, now)
        if dormant:
            return make_dormant(workspace, now=now)
        workspace.dormant_at = workspace.deleting_at = None
        workspace.last_used_at = now
        return _saved(workspace, "dormant_at", "deleting_at", "last_used_at", now=now)


def make_dormant(workspace: Workspace, *, now: datetime) -> Workspace:
    """Make a (locked) workspace dormant: stop what it started, and plan its deletion.

    A dormant workspace is therefore never running. Raises BuildInProgress.
    """
    if builds.has_unfinished_build(workspace):
        raise BuildInProgress
    latest = workspace.latest_build
    if latest is not None and latest.transition == Transition.START:
        workspace.latest_build = builds.create_build(
            workspace_id=workspace.pk,
            transition=Transition.STOP,
            initiator_id=workspace.owner_id,
            reason=BuildReason.DORMANCY,
            now=now,
        )
    workspace.dormant_at = now
    workspace.deleting_at = lifecycle.plan_deletion(policy_of(workspace.template), dormant_at=now)
    return _saved(workspace, "dormant_at", "deleting_at", now=now)


def set_automatic_updates(
    *,
    workspace_id: UUID,
    automatic_updates: AutomaticUpdates,
    now: datetime,
    actor: Actor = THE_SYSTEM,
) -> Workspace:
    """Say whether an autostart moves the workspace to its template's active version.

    Raises PrebuildHasNoLifecycle, WorkspaceDeleted and InvalidLifecycle.
    """
    if automatic_updates not in AutomaticUpdates.values:
        choices = " or ".join(AutomaticUpdates.values)
        detail = f'"{automatic_updates}" is no choice: use {choices}.'
        raise InvalidLifecycle("automatic_updates", detail)
    with transaction.atomic():
        workspace = _locked(workspace_id)
        before = {"automatic_updates": workspace.automatic_updates}
        workspace.automatic_updates = automatic_updates
        after = {"automatic_updates": str(automatic_updates)}
        _note(actor, "set_automatic_updates", workspace, before, after, now)
        return _saved(workspace, "automatic_updates", now=now)


def record_use(*, workspace_id: UUID, now: datetime) -> Workspace:
    """Note that somebody works in a workspace: its dormancy counts from here.

    Raises PrebuildHasNoLifecycle and WorkspaceDeleted.
    """
    with transaction.atomic():
        workspace = _locked(workspace_id)
        workspace.last_used_at = now
        workspace.save(update_fields=["last_used_at"])
    return workspace


def is_running(build: WorkspaceBuild) -> bool:
    """Return whether a workspace whose latest build this is runs."""
    return build.transition == Transition.START and build.job.status == JobStatus.SUCCEEDED


def _locked(workspace_id: UUID) -> Workspace:
    """Lock a person's live workspace; raise for any other."""
    workspace = locks.lock_workspace(workspace_id)
    if workspace.deleted_at is not None:
        raise WorkspaceDeleted
    if workspace.is_prebuild:
        raise PrebuildHasNoLifecycle
    return workspace


def _note(
    actor: Actor,
    action: str,
    workspace: Workspace,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add an audit entry, unless the change changes nothing."""
    audit.record_change(
        actor=actor, action=action, target=workspace, before=before, after=after, now=now
    )


def _saved(workspace: Workspace, *fields: str, now: datetime) -> Workspace:
    workspace.updated_at = now
    workspace.save(update_fields=[*fields, "updated_at"])
    return workspace
