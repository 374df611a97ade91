"""Ask for work: a build and its job are born together, in one transaction.

Builds are always made in bulk: a pool of 50 costs as many statements as one workspace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from accounts.system import PREBUILDS_USER_ID
from templates_app import parameters, selectors
from templates_app.models import TemplateVersion
from workspaces import locks, machines, tracing
from workspaces.enums import BuildReason, Stage, Transition
from workspaces.errors import BuildInProgress, WorkspaceDeleted, WorkspaceDormant
from workspaces.models import BuildParameter, ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.models.job import JobPriority
from workspaces.services import quota

BATCH_SIZE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One build to make. The caller holds the workspace's row lock, or has just made the row.

    `parameters` are final: validated by whoever asks, because a deletion must never be stopped
    by them (semantics.md 12).
    """

    workspace: Workspace
    build_number: int
    transition: Transition
    template_version: TemplateVersion
    initiator_id: UUID
    parameters: Mapping[str, str]
    preset_id: UUID | None = None
    reason: BuildReason = BuildReason.INITIATOR
    stage: Stage = Stage.NONE
    action_reason: str = ""
    build_id: UUID | None = None


def insert_builds(requests: Sequence[BuildRequest], *, now: datetime) -> list[WorkspaceBuild]:
    """Insert jobs, builds and parameter values; three statements however many there are.

    A workspace's next job goes to the machine of those before. It is looked up by the INSERT
    itself: a statement that begins after the workspace's lock was got sees who forgot the machine.

    Does not touch the workspaces: a new one carries its `latest_build_id` already (see
    `BuildRequest.build_id`), an old one is moved on by the caller.
    """
    traceparent = tracing.current_traceparent()
    jobs = ProvisionerJob.objects.bulk_create(
        [_new_job(request, traceparent, now) for request in requests], batch_size=BATCH_SIZE
    )
    for request, job in zip(requests, jobs, strict=True):
        if request.build_number > 1:
            del job.machine  # an expression still: it is read when somebody asks
    builds = WorkspaceBuild.objects.bulk_create(
        [_new_build(request, job, now) for request, job in zip(requests, jobs, strict=True)],
        batch_size=BATCH_SIZE,
    )
    BuildParameter.objects.bulk_create(
        [
            BuildParameter(build=build, name=name, value=value)
            for request, build in zip(requests, builds, strict=True)
            for name, value in request.parameters.items()
        ],
        batch_size=BATCH_SIZE,
    )
    return builds


def create_build(
    *,
    workspace_id: UUID,
    transition: Transition,
    initiator_id: UUID,
    now: datetime,
    given: Mapping[str, str] | None = None,
    template_version: TemplateVersion | None = None,
    reason: BuildReason = BuildReason.INITIATOR,
    action_reason: str = "",
) -> WorkspaceBuild:
    """Make the next build of an existing workspace.

    A start takes `given` over the values of the build before and checks them against the
    version's definitions; a stop or delete repeats the values it has, unchecked.

    Raises WorkspaceDeleted, BuildInProgress, WorkspaceDormant (a start), QuotaExceeded and
    parameters.InvalidParameters.
    """
    with transaction.atomic():
        workspace = lock_for_build(workspace_id)
        if transition == Transition.START and workspace.dormant_at is not None:
            raise WorkspaceDormant
        previous = workspace.latest_build
        assert previous is not None
        version = template_version or previous.template_version
        values = _values_of(previous)
        if transition == Transition.START:
            values = resolve_values(version, given or {}, previous=values)
            _check_quota(workspace, version)
        return append_build(
            BuildRequest(
                workspace=workspace,
                build_number=previous.build_number + 1,
                transition=transition,
                template_version=version,
                initiator_id=initiator_id,
                parameters=values,
                preset_id=previous.preset_id
                if version.pk == previous.template_version_id
                else None,
                reason=reason,
                action_reason=action_reason,
            ),
            now=now,
        )


def _check_quota(workspace: Workspace, version: TemplateVersion) -> None:
    if workspace.owner_id != PREBUILDS_USER_ID:
        quota.check_quota(
            owner_id=workspace.owner_id,
            organization_id=workspace.organization_id,
            cost=version.daily_cost,
            instead_of=workspace.pk,
        )


def append_build(request: BuildRequest, *, now: datetime) -> WorkspaceBuild:
    """Insert one build and make it the latest of its (locked) workspace.

    The deadline of the build before is over with it, so that only awaited ones are in the index.
    A build somebody asks for is a use of the workspace; one that comes by itself is not.
    """
    workspace, previous = request.workspace, request.workspace.latest_build
    (build,) = insert_builds([request], now=now)
    if previous is not None and previous.deadline is not None:
        WorkspaceBuild.objects.filter(pk=previous.pk).update(deadline=None)
    used = request.reason == BuildReason.INITIATOR and not workspace.is_prebuild
    Workspace.objects.filter(pk=workspace.pk).update(
        latest_build=build, updated_at=now, **({"last_used_at": now} if used else {})
    )
    workspace.latest_build = build
    return build


def lock_for_build(workspace_id: UUID) -> Workspace:
    """Lock a workspace that may get a new build; raise WorkspaceDeleted or BuildInProgress."""
    workspace = locks.lock_workspace(workspace_id)
    if workspace.deleted_at is not None:
        raise WorkspaceDeleted
    if has_unfinished_build(workspace):
        raise BuildInProgress
    return workspace


def has_unfinished_build(workspace: Workspace) -> bool:
    """Return whether a job of the workspace is still under way."""
    return ProvisionerJob.objects.filter(workspace=workspace, completed_at__isnull=True).exists()


def orphan_delete(workspace: Workspace, *, initiator_id: UUID, reason: str, now: datetime) -> None:
    """Delete a (locked) workspace for which nothing was ever provisioned.

    The delete build's job has succeeded from the start: no daemon is needed (semantics.md 12).
    """
    previous = workspace.latest_build
    assert previous is not None
    request = BuildRequest(
        workspace=workspace,
        build_number=previous.build_number + 1,
        transition=Transition.DELETE,
        template_version=previous.template_version,
        initiator_id=initiator_id,
        parameters=_values_of(previous),
        preset_id=previous.preset_id,
        reason=BuildReason.RECONCILE,
        action_reason=reason,
    )
    build = append_build(request, now=now)
    ProvisionerJob.objects.filter(pk=build.job_id).update(completed_at=now)
    Workspace.objects.filter(pk=workspace.pk).update(deleted_at=now)


def resolve_values(
    version: TemplateVersion,
    given: Mapping[str, str],
    *,
    previous: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the values a build of this version gets; raises parameters.InvalidParameters."""
    definitions = selectors.definitions_of([version.pk])[version.pk]
    return parameters.resolve_values(definitions, given, previous=previous)


def _values_of(build: WorkspaceBuild) -> dict[str, str]:
    return dict(build.parameters.values_list("name", "value"))


def _new_job(request: BuildRequest, traceparent: str, now: datetime) -> ProvisionerJob:
    return ProvisionerJob(
        organization_id=request.workspace.organization_id,
        initiator_id=request.initiator_id,
        workspace=request.workspace,
        provisioner_type=request.template_version.provisioner_type,
        priority=_priority(request),
        tags=request.template_version.tags,
        machine=_machine_of(request),
        traceparent=traceparent,
        created_at=now,
    )


def _new_build(request: BuildRequest, job: ProvisionerJob, now: datetime) -> WorkspaceBuild:
    starts = request.transition == Transition.START
    return WorkspaceBuild(
        id=request.build_id or uuid4(),
        workspace=request.workspace,
        build_number=request.build_number,
        transition=request.transition,
        template_version=request.template_version,
        preset_id=request.preset_id,
        initiator_id=request.initiator_id,
        reason=request.reason,
        stage=request.stage,
        action_reason=request.action_reason,
        job=job,
        created_at=now,
        daily_cost=request.template_version.daily_cost if starts else 0,
    )


def _machine_of(request: BuildRequest) -> Any:
    """Return where the workspace is; a new one is nowhere yet."""
    is_new = request.build_number == 1
    return "" if is_new else machines.bound_machine(request.workspace.pk)


def _priority(request: BuildRequest) -> JobPriority:
    if request.initiator_id != PREBUILDS_USER_ID:
        return JobPriority.PEOPLE
    if request.transition == Transition.DELETE:
        return JobPriority.PREBUILD_DELETE
    return JobPriority.PREBUILD_CREATE
