"""Write the requests of the invented past: each with its workspace, builds and jobs, all over.

No workspace of it lives and no job waits, so no cycle decides otherwise for it. Counters are not
written: metrics count the rows.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from accounts.models import User
from accounts.system import PREBUILDS_USER_ID
from prebuilds.management.demo_past.story import WHAT_BROKE, Asking, Incident, Past
from prebuilds.models import Claim, ClaimOutcome
from templates_app.enums import ProvisionerType
from templates_app.models import Preset
from workspaces.enums import BuildReason, JobErrorCode, Stage, Transition
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.models.job import JobPriority

FAILURES: Final = 3
CLAIM_SECONDS: Final = 0.4
WAITED_IN_POOL: Final = timedelta(minutes=17)


@dataclass(slots=True)
class Rows:
    """What is written at the end, table by table."""

    workspaces: list[Workspace] = field(default_factory=list)
    jobs: list[ProvisionerJob] = field(default_factory=list)
    builds: list[WorkspaceBuild] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One build that is over: by whom, when, how long it took, and what went wrong."""

    by: UUID
    at: datetime
    seconds: float
    stage: Stage = Stage.NONE
    transition: Transition = Transition.START
    error: str = ""

    @property
    def is_by_prebuilds(self) -> bool:
        """Whether the reconciler asked for it."""
        return self.by == PREBUILDS_USER_ID


def let_ask(rows: Rows, preset: Preset, user: User, one: Asking, past: Past) -> None:
    """Add one request with its workspace: handed over or built, and deleted when done with."""
    made_at = one.at - WAITED_IN_POOL if one.is_warm else one.at
    ended_at = min(one.at + one.kept_for, past.end - timedelta(seconds=2))
    workspace = _workspace(rows, preset, user.pk, one.name, made_at, ended_at)
    claim = Stage.PREBUILD_CLAIM
    if one.is_warm:
        _build(rows, workspace, preset, _for_the_pool(made_at, one.pool.builds_in))
        handed = Made(by=user.pk, at=one.at, seconds=CLAIM_SECONDS, stage=claim)
        _build(rows, workspace, preset, handed)
    else:
        _build(rows, workspace, preset, Made(by=user.pk, at=one.at, seconds=one.waited))
    _end(rows, workspace, preset, ended_at, by=user.pk)
    rows.claims.append(_claim(workspace, preset, user, one))


def let_fail(rows: Rows, preset: Preset, incident: Incident) -> None:
    """Add the prebuilds that could not be built, from what broke until the pool was stopped."""
    step = (incident.stopped_at - incident.broken_at) / FAILURES
    for number in range(FAILURES):
        made_at = incident.broken_at + number * step
        name = f"prebuild-failed-{number + 1}"
        workspace = _workspace(rows, preset, PREBUILDS_USER_ID, name, made_at, incident.mended_at)
        seconds = step.total_seconds() - 1
        _build(rows, workspace, preset, _for_the_pool(made_at, seconds, error=WHAT_BROKE))
        _end(rows, workspace, preset, incident.mended_at, by=PREBUILDS_USER_ID)


def _for_the_pool(at: datetime, seconds: float, error: str = "") -> Made:
    stage = Stage.PREBUILD_CREATE
    return Made(by=PREBUILDS_USER_ID, at=at, seconds=seconds, stage=stage, error=error)


def _workspace(
    rows: Rows, preset: Preset, owner_id: UUID, name: str, made_at: datetime, ended_at: datetime
) -> Workspace:
    template = preset.version.template
    made = Workspace(
        organization_id=template.organization_id,
        owner_id=owner_id,
        template=template,
        name=name,
        created_at=made_at,
        updated_at=ended_at,
        deleted_at=ended_at,
    )
    rows.workspaces.append(made)
    return made


def _build(rows: Rows, workspace: Workspace, preset: Preset, made: Made) -> None:
    """Add a build whose job is over, and make it the workspace's latest."""
    before = workspace.latest_build
    build = WorkspaceBuild(
        workspace=workspace,
        build_number=1 + (before.build_number if before else 0),
        transition=made.transition,
        template_version=preset.version,
        preset=preset,
        initiator_id=made.by,
        reason=BuildReason.RECONCILE if made.is_by_prebuilds else BuildReason.INITIATOR,
        stage=made.stage,
        job=_job(workspace, made),
        created_at=made.at,
    )
    workspace.latest_build = build
    rows.jobs.append(build.job)
    rows.builds.append(build)


def _job(workspace: Workspace, made: Made) -> ProvisionerJob:
    ended_at = made.at + timedelta(seconds=made.seconds)
    return ProvisionerJob(
        organization_id=workspace.organization_id,
        initiator_id=made.by,
        workspace=workspace,
        provisioner_type=ProvisionerType.LOCAL,
        priority=_priority(made),
        created_at=made.at,
        started_at=made.at + timedelta(seconds=0.1),
        lease=uuid4(),
        heartbeat_at=ended_at,
        completed_at=ended_at,
        error=made.error,
        error_code=JobErrorCode.SCRIPT_FAILED if made.error else "",
    )


def _priority(made: Made) -> JobPriority:
    if not made.is_by_prebuilds:
        return JobPriority.PEOPLE
    deletes = made.transition == Transition.DELETE
    return JobPriority.PREBUILD_DELETE if deletes else JobPriority.PREBUILD_CREATE


def _end(rows: Rows, workspace: Workspace, preset: Preset, at: datetime, *, by: UUID) -> None:
    made_at = at - timedelta(seconds=1)
    gone = Made(by=by, at=made_at, seconds=1, transition=Transition.DELETE)
    _build(rows, workspace, preset, gone)


def _claim(workspace: Workspace, preset: Preset, user: User, one: Asking) -> Claim:
    return Claim(
        workspace=workspace,
        template=preset.version.template,
        preset=preset,
        user=user,
        outcome=ClaimOutcome.WARM if one.is_warm else ClaimOutcome.COLD,
        reason=one.reason,
        created_at=one.at,
        duration_seconds=one.took,
        wait_seconds=one.waited,
    )
