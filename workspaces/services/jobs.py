"""Do work: jobs are acquired, kept alive, logged, completed, failed, given back and reaped.

Every statement after the acquire carries the lease; a daemon that lost it can change nothing
(semantics.md 17). Rows are locked in the order workspace, build, job.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction

from accounts.system import PREBUILDS_USER_ID
from workspaces import lifecycle, locks
from workspaces.enums import JobErrorCode, JobStatus, Transition
from workspaces.errors import LeaseLost
from workspaces.models import (
    JobLog,
    ProvisionerDaemon,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
)
from workspaces.protocol import (
    LOG_TOTAL_LIMIT,
    AcquiredJob,
    BuildResult,
    LogLine,
    ResourceReport,
    fit_log,
    log_length,
    storable,
)
from workspaces.services import agents
from workspaces.services import workspaces as workspace_services

LOST_AFTER: Final = timedelta(seconds=30)
ERROR_LIMIT: Final = 8_000


def acquire_job(
    *, daemon_id: UUID, access_url: str, now: datetime, lease: UUID | None = None
) -> AcquiredJob | None:
    """Give a daemon the next job it can do, with everything it needs; None when there is none.

    A daemon whose answers may get lost on the way names the lease it wants. Asking again with
    the same lease returns the job that was leased the first time, never a second one.
    """
    daemon = ProvisionerDaemon.objects.get(pk=daemon_id)
    wanted = lease or uuid4()
    with transaction.atomic():
        job_id = _leased_before(daemon_id, lease, now) if lease else None
        job_id = job_id or locks.lease_next_job(
            daemon_id=daemon.pk,
            organization_id=daemon.organization_id,
            types=daemon.provisioner_types,
            tags=json.dumps(daemon.tags),
            lease=wanted,
            now=now,
        )
        return _describe(job_id, wanted, access_url) if job_id else None


def _leased_before(daemon_id: UUID, lease: UUID, now: datetime) -> UUID | None:
    """Return the job a daemon holds by this lease; its acquires go one after the other."""
    locks.lock_daemon(daemon_id)
    held = ProvisionerJob.objects.filter(
        daemon=daemon_id, lease=lease, started_at__isnull=False, completed_at__isnull=True
    )
    job_id = held.values_list("pk", flat=True).first()
    if job_id:
        _leased(job_id, lease, heartbeat_at=now)
    return job_id


def heartbeat_job(*, job_id: UUID, lease: UUID, now: datetime) -> bool:
    """Keep a job alive; return whether somebody asked to cancel it. Raises LeaseLost."""
    _leased(job_id, lease, heartbeat_at=now)
    return ProvisionerJob.objects.filter(pk=job_id, canceled_at__isnull=False).exists()


def append_job_logs(*, job_id: UUID, lease: UUID, lines: Sequence[LogLine], now: datetime) -> None:
    """Add lines to a job's log, up to LOG_TOTAL_LIMIT characters. Raises LeaseLost."""
    with transaction.atomic():
        job = _locked(job_id, lease)
        kept = fit_log(lines, room=LOG_TOTAL_LIMIT - job.log_length)
        JobLog.objects.bulk_create(
            [
                JobLog(job=job, at=line.at, level=line.level, stage=line.stage, output=line.output)
                for line in kept
            ]
        )
        _leased(
            job_id,
            lease,
            heartbeat_at=now,
            log_length=log_length(lines, before=job.log_length),
        )


def report_resources(
    *, job_id: UUID, lease: UUID, resources: Sequence[ResourceReport], now: datetime
) -> None:
    """Make a running build's resources and agents known, so the agents can connect."""
    with transaction.atomic():
        job = _locked(job_id, lease)
        agents.record_resources(WorkspaceBuild.objects.get(job=job), resources, now=now)


def complete_job(*, job_id: UUID, lease: UUID, result: BuildResult, now: datetime) -> None:
    """End a job well: its build succeeded and left `result` behind. Raises LeaseLost."""
    with transaction.atomic():
        build = locks.lock_leased_build(job_id=job_id, lease=lease)
        if build is None:
            raise LeaseLost
        _leased(job_id, lease, completed_at=now, heartbeat_at=now)
        agents.record_resources(build, result.resources, now=now)
        WorkspaceBuild.objects.filter(pk=build.pk).update(
            provisioner_state=dict(result.provisioner_state),
            replacements=[asdict(one) for one in result.replacements],
            deadline=_deadline(build, now),
        )
        if build.transition == Transition.DELETE:
            Workspace.objects.filter(pk=build.workspace_id).update(deleted_at=now, updated_at=now)


def fail_job(*, job_id: UUID, lease: UUID, error: str, code: str, now: datetime) -> None:
    """End a job badly, in the words of whoever failed. Raises LeaseLost."""
    _leased(
        job_id,
        lease,
        completed_at=now,
        heartbeat_at=now,
        error=storable(error)[-ERROR_LIMIT:] or "The build failed without saying why.",
        error_code=JobErrorCode(code),
    )


def finish_canceled_job(*, job_id: UUID, lease: UUID, now: datetime) -> None:
    """End a job that was asked to stop and has stopped. Raises LeaseLost."""
    with transaction.atomic():
        job = _locked(job_id, lease)
        _leased(job_id, lease, completed_at=now, canceled_at=job.canceled_at or now)


def release_job(*, job_id: UUID, lease: UUID, now: datetime) -> None:
    """Give a job back to the queue, or end it when it was canceled. Raises LeaseLost.

    Its last sign of life stays: a daemon has been at it, and may have left something behind.
    """
    with transaction.atomic():
        job = _locked(job_id, lease)
        if job.canceled_at is not None:
            _leased(job_id, lease, completed_at=now)
        else:
            back = {"started_at": None, "daemon": None, "lease": None}
            _change_leased(job_id, lease, back)


def release_unanswered(*, daemon_id: UUID, lease: UUID, now: datetime) -> None:
    """Give back the job a daemon got by this lease and never heard of, if there is one."""
    held = ProvisionerJob.objects.filter(
        daemon=daemon_id, lease=lease, started_at__isnull=False, completed_at__isnull=True
    )
    for job_id in held.values_list("pk", flat=True):
        release_job(job_id=job_id, lease=lease, now=now)


def cancel_job(*, job_id: UUID, now: datetime) -> JobStatus:
    """Ask for a job's end and return its status: pending ones are canceled at once.

    A running job becomes canceling; its daemon sees that on its next heartbeat. An ended job
    stays as it is.
    """
    with transaction.atomic():
        job = locks.lock_job(job_id)
        if job.completed_at is None and job.canceled_at is None:
            ended = None if job.started_at else now
            ProvisionerJob.objects.filter(pk=job_id).update(canceled_at=now, completed_at=ended)
            job.refresh_from_db(fields=("status",))
    return JobStatus(job.status)


def reap_lost_jobs(*, now: datetime, organization_id: UUID | None = None) -> list[UUID]:
    """Fail the jobs whose daemon has been silent for LOST_AFTER; return their ids.

    With an organization only its jobs: a daemon with a key looks after those.
    """
    lost = ProvisionerJob.objects.filter(
        completed_at__isnull=True, started_at__isnull=False, heartbeat_at__lt=now - LOST_AFTER
    )
    if organization_id is not None:
        lost = lost.filter(organization=organization_id)
    job_ids = list(lost.values_list("pk", flat=True))
    return [job_id for job_id in job_ids if _reap(job_id, now)]


def _reap(job_id: UUID, now: datetime) -> bool:
    """End one lost job; False when it was finished, or came back to life, in between.

    One that somebody had asked to cancel ends as canceled, any other as failed.
    """
    lost = ProvisionerJob.objects.filter(
        pk=job_id,
        completed_at__isnull=True,
        started_at__isnull=False,
        heartbeat_at__lt=now - LOST_AFTER,
    )
    failed = lost.filter(canceled_at__isnull=True).update(
        completed_at=now,
        error=f"The provisioner was silent for {LOST_AFTER.seconds} s, so the build was ended.",
        error_code=JobErrorCode.PROVISIONER_LOST,
    )
    return bool(failed or lost.filter(canceled_at__isnull=False).update(completed_at=now))


def _leased(job_id: UUID, lease: UUID, **changes: Any) -> None:
    _change_leased(job_id, lease, changes)


def _change_leased(job_id: UUID, lease: UUID, changes: Mapping[str, Any]) -> None:
    """Change a job this lease still holds, in one statement; else raise LeaseLost."""
    held = ProvisionerJob.objects.filter(pk=job_id, lease=lease, completed_at__isnull=True)
    if not held.update(**changes):
        raise LeaseLost


def _locked(job_id: UUID, lease: UUID) -> ProvisionerJob:
    job = locks.lock_leased_job(job_id=job_id, lease=lease)
    if job is None:
        raise LeaseLost
    return job


def _deadline(build: WorkspaceBuild, now: datetime) -> datetime | None:
    """Return when a person's started workspace stops by itself; prebuilds never do."""
    workspace = build.workspace
    if build.transition != Transition.START or workspace.owner_id == PREBUILDS_USER_ID:
        return None
    policy = workspace_services.policy_of(workspace.template)
    return lifecycle.calculate_deadline(policy, ttl_seconds=workspace.ttl_seconds, started_at=now)


def _describe(job_id: UUID, lease: UUID, access_url: str) -> AcquiredJob:
    build = WorkspaceBuild.objects.select_related(
        "workspace__owner", "workspace__template", "template_version"
    ).get(job_id=job_id)
    workspace, version = build.workspace, build.template_version
    return AcquiredJob(
        job_id=job_id,
        lease=lease,
        build_id=build.pk,
        build_number=build.build_number,
        workspace_id=workspace.pk,
        workspace_name=workspace.name,
        owner_id=workspace.owner_id,
        owner_name=workspace.owner.username,
        template_name=workspace.template.name,
        template_version=version.name,
        transition=build.transition,
        stage=build.stage,
        source_files=version.source_files,
        startup_script=version.startup_script,
        startup_timeout_seconds=version.startup_timeout_seconds,
        parameters=dict(build.parameters.values_list("name", "value")),
        provisioner_state=_previous_state(build),
        access_url=access_url,
    )


def _previous_state(build: WorkspaceBuild) -> dict[str, Any]:
    if build.build_number == 1:
        return {}
    states = WorkspaceBuild.objects.filter(
        workspace=build.workspace_id, build_number__lt=build.build_number
    ).order_by("-build_number")
    state = states.exclude(provisioner_state={}).values_list("provisioner_state", flat=True).first()
    return state or {}
