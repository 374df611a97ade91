"""What people and commands ask for: builds of workspaces and their end, pause and resume.

Faces check permission first; these functions only do.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.system import PREBUILDS_USER_ID
from prebuilds import locks, notices
from prebuilds.core.actions import Reason
from prebuilds.errors import TemplateInUse
from prebuilds.execution import deletion
from prebuilds.models import PrebuildsSettings
from templates_app import services as template_services
from templates_app.errors import VersionNotOfTemplate
from templates_app.models import Template, TemplateVersion
from workspaces import locks as workspace_locks
from workspaces.enums import JobStatus, Transition
from workspaces.errors import JobEnded, WorkspacesError
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.models.workspace import IS_LIVE, IS_PREBUILD
from workspaces.services import builds, jobs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanceledStarts:
    """What became of pending starts: canceled, taken by a daemon first, or met by an error."""

    canceled: int
    busy: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A workspace nothing was asked of, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedBuilds:
    """What became of asking the same of many workspaces."""

    asked: int
    refusals: tuple[Refusal, ...]


def request_build(
    *,
    workspace: Workspace,
    transition: Transition,
    actor: Actor,
    now: datetime,
    template_version_id: UUID | None = None,
    given: Mapping[str, str] | None = None,
) -> WorkspaceBuild:
    """Ask for a start, stop or deletion of a workspace in a person's name.

    A version of the workspace's template updates it (or takes it back) to that one; `given` wins
    over the values it has. Raises VersionNotOfTemplate, WorkspaceDeleted, BuildInProgress,
    WorkspaceDormant, QuotaExceeded, InvalidParameters.
    """
    version = None
    if template_version_id is not None:
        versions = TemplateVersion.objects.filter(template=workspace.template_id)
        version = versions.filter(pk=template_version_id).first()
        if version is None:
            raise VersionNotOfTemplate(VersionNotOfTemplate.__doc__)
    with transaction.atomic():
        build = builds.create_build(
            workspace_id=workspace.pk,
            transition=transition,
            initiator_id=actor.user.pk if actor.user else workspace.owner_id,
            template_version=version,
            given=given,
            now=now,
        )
        after = {"build_number": build.build_number}
        audit.record(actor=actor, action=transition, target=workspace, now=now, after=after)
    return build


def request_builds(
    *, workspaces: Iterable[Workspace], transition: Transition, actor: Actor, now: datetime
) -> RequestedBuilds:
    """Ask for a stop or deletion of each of many workspaces in a person's name.

    Each is a transaction of its own: one that is refused does not undo the others.
    """
    asked, refusals = 0, []
    for workspace in workspaces:
        try:
            request_build(workspace=workspace, transition=transition, actor=actor, now=now)
        except WorkspacesError as error:
            refusals.append(Refusal(name=workspace.name, reason=str(error)))
        else:
            asked += 1
    return RequestedBuilds(asked=asked, refusals=tuple(refusals))


def cancel_job(*, job: ProvisionerJob, actor: Actor, now: datetime) -> JobStatus:
    """Ask for a job's end in a person's name: a pending one is canceled, a running one canceling.

    Asking again changes nothing. Raises JobEnded.
    """
    with transaction.atomic():
        before = JobStatus(workspace_locks.lock_job(job.pk).status)
        if before in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED):
            raise JobEnded
        status = jobs.cancel_job(job_id=job.pk, now=now)
        if status != before:
            audit.record(
                actor=actor,
                action="cancel",
                target=job,
                now=now,
                before={"status": before},
                after={"status": status},
            )
    return status


def pause_reconciliation(
    *, actor: Actor, reason: str, until: datetime | None, now: datetime
) -> bool:
    """Pause: nothing is created, deleted or cancelled until resumed; False if it already was.

    Claims and queued builds go on. Pausing again replaces reason and end.
    """
    with transaction.atomic():
        PrebuildsSettings.objects.get_or_create(pk=PrebuildsSettings.SINGLETON_ID)
        row = locks.lock_settings()
        assert row is not None
        before, was_paused = _pause_of(row), row.is_paused(now)
        row.reconciliation_paused = True
        row.paused_by, row.paused_at = actor.user, now
        row.paused_until, row.pause_reason = until, reason
        row.save()
        audit.record(
            actor=actor,
            action="pause",
            target=row,
            now=now,
            before=before,
            after=_pause_of(row),
        )
    return not was_paused


def resume_reconciliation(*, actor: Actor, now: datetime) -> bool:
    """Resume; False, and nothing changed, when it was not paused."""
    with transaction.atomic():
        row = locks.lock_settings()
        if row is None or not row.reconciliation_paused:
            return False
        before = _pause_of(row)
        row.reconciliation_paused = False
        row.paused_by = row.paused_at = row.paused_until = None
        row.pause_reason = ""
        row.save()
        audit.record(
            actor=actor,
            action="resume",
            target=row,
            now=now,
            before=before,
            after=_pause_of(row),
        )
    return True


def _pause_of(row: PrebuildsSettings) -> dict[str, Any]:
    until = row.paused_until.isoformat() if row.paused_until else None
    return {"paused": row.reconciliation_paused, "reason": row.pause_reason, "until": until}


def delete_preset(*, preset_id: UUID, revision: int | None, actor: Actor, now: datetime) -> None:
    """Delete a preset that nothing was ever built from; its readers hear that its notices are over.

    Raises Preset.DoesNotExist, StalePreset, PresetInUse.
    """
    with transaction.atomic():
        notices.close_of_preset(preset_id, now=now)
        template_services.delete_preset(
            preset_id=preset_id, revision=revision, actor=actor, now=now
        )


def delete_template(
    *, template_id: UUID, updated_at: datetime | None, actor: Actor, now: datetime
) -> None:
    """Delete a template that no person has a workspace of; its pools drain.

    `updated_at` as for `edit_template`. Raises Template.DoesNotExist, TemplateDeleted,
    StaleTemplate, TemplateInUse.
    """
    with transaction.atomic():
        template_services.lock_live_template(template_id, updated_at)
        used = Workspace.objects.filter(IS_LIVE, ~IS_PREBUILD, template_id=template_id).count()
        if used:
            raise TemplateInUse(used)
        template_services.delete_template(
            template_id=template_id, updated_at=None, actor=actor, now=now
        )


def cancel_pending_prebuilds(*, template: Template, actor: Actor, now: datetime) -> CanceledStarts:
    """Cancel every start of the template's prebuilds that no daemon has taken, and remove them.

    For a flooded queue; pause first, or the next cycle makes them anew. Each is a transaction of
    its own: what a daemon takes meanwhile is built, and one that fails does not undo the others.
    """
    found = [_cancel_start(workspace_id, now) for workspace_id in _pending_starts(template)]
    outcome = CanceledStarts(
        canceled=found.count(True), busy=found.count(False), failed=found.count(None)
    )
    if outcome.canceled:
        audit.record(
            actor=actor,
            action="cancel_pending",
            target=template,
            now=now,
            after={"canceled": outcome.canceled},
        )
    return outcome


def _pending_starts(template: Template) -> list[UUID]:
    """Return prebuilds whose start waits for a daemon, the newest first: the oldest run soonest."""
    pending = Workspace.objects.filter(
        owner_id=PREBUILDS_USER_ID,
        template=template,
        deleted_at__isnull=True,
        latest_build__transition=Transition.START,
        latest_build__job__status=JobStatus.PENDING,
        latest_build__job__initiator_id=PREBUILDS_USER_ID,
    )
    return list(pending.order_by("-created_at", "pk").values_list("pk", flat=True))


def _cancel_start(workspace_id: UUID, now: datetime) -> bool | None:
    """Cancel one; False when a daemon was faster, None when it failed."""
    try:
        return deletion.cancel_pending(workspace_id=workspace_id, reason=Reason.CANCELED, now=now)
    except Exception:
        logger.exception("cancel pending failed", extra={"workspace": str(workspace_id)})
        return None
