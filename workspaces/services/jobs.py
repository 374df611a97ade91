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
from templates_app.models import Template
from workspaces import lifecycle, locks, machines
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
    if lease is None:
        return _lease_next(daemon_id, uuid4(), access_url, now)
    with transaction.atomic():
        locks.lock_daemon(daemon_id)
        held = locks.renew_lease(daemon_id=daemon_id, lease=lease, access_url=access_url, now=now)
        return held or _lease_next(daemon_id, lease, access_url, now)


def _lease_next(daemon_id: UUID, lease: UUID, access_url: str, now: datetime) -> AcquiredJob | None:
    organization_id, types, tags, machine = ProvisionerDaemon.objects.values_list(
        "organization_id", "provisioner_types", "tags", "machine"
    ).get(pk=daemon_id)
    return locks.lease_next_job(
        daemon_id=daemon_id,
        organization_id=organization_id,
        types=types,
        tags=json.dumps(tags),
        machine=machine,
        lease=lease,
        access_url=access_url,
        now=now,
    )


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
        _locked(job_id, lease)
        build_id = WorkspaceBuild.objects.values_list("pk", flat=True).get(job=job_id)
        agents.record_resources(build_id, resources, now=now)


def complete_job(*, job_id: UUID, lease: UUID, result: BuildResult, now: datetime) -> None:
    """End a job well: its build succeeded and left `result` behind. Raises LeaseLost."""
    with transaction.atomic():
        build = locks.lock_leased_build(job_id=job_id, lease=lease)
        if build is None:
            raise LeaseLost
        ended = locks.end_build(
            job_id=job_id,
            lease=lease,
            state=dict(result.provisioner_state),
            replacements=[asdict(one) for one in result.replacements],
            deadline=_deadline(build, now),
            now=now,
        )
        if not ended:
            raise LeaseLost
        agents.record_resources(build.pk, result.resources, now=now)
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


def release_job(*, job_id: UUID, lease: UUID, now: datetime, unheard: bool = False) -> None:
    """Give a job back to the queue, or end it when it was canceled. Raises LeaseLost.

    Its last sign of life and its machine stay: a daemon has been at it, and may have left
    something behind. `unheard` says that the daemon never heard of it, so that the job is bound
    to a machine only if it was before. One with a log was taken before, by a daemon that heard.
    """
    with transaction.atomic():
        job = _locked(job_id, lease)
        if job.canceled_at is not None:
            _leased(job_id, lease, completed_at=now)
        else:
            back: dict[str, Any] = {"started_at": None, "daemon": None, "lease": None}
            if unheard and not job.log_length:
                back["machine"] = machines.bound_machine(job.workspace_id, besides=job_id)
            _change_leased(job_id, lease, back)


def release_unanswered(*, daemon_id: UUID, lease: UUID, now: datetime) -> None:
    """Give back the job a daemon got by this lease and never heard of, if there is one."""
    held = ProvisionerJob.objects.filter(
        daemon=daemon_id, lease=lease, started_at__isnull=False, completed_at__isnull=True
    )
    for job_id in held.values_list("pk", flat=True):
        release_job(job_id=job_id, lease=lease, now=now, unheard=True)


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


def _deadline(build: locks.LeasedBuild, now: datetime) -> datetime | None:
    """Return when a person's started workspace stops by itself; prebuilds never do."""
    if build.transition != Transition.START or build.owner_id == PREBUILDS_USER_ID:
        return None
    policy = workspace_services.policy_of(Template.objects.get(pk=build.template_id))
    return lifecycle.calculate_deadline(policy, ttl_seconds=build.ttl_seconds, started_at=now)
