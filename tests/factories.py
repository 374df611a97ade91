"""Make rows for tests the way the product makes them: through its services.

Every function has defaults, so a test names only what matters to it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.models import Membership, Organization, User
from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME
from prebuilds import observation
from prebuilds.conf import current_policy
from prebuilds.execution import creation
from templates_app.models import Preset, Template
from templates_app.services import PresetSpec, VersionSpec, create_template
from workspaces.models import Agent, ProvisionerDaemon, Workspace
from workspaces.protocol import AgentReport, BuildResult, ResourceReport
from workspaces.services import agents, jobs

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday at noon, for tests that hand in the clock."""

_numbers = count(1)


def make_baseline() -> None:
    """Bring back what migrations insert; a flushed database has lost it."""
    organization, _ = Organization.objects.get_or_create(
        is_default=True, defaults={"name": "default", "display_name": "Default"}
    )
    user, _ = User.with_system.get_or_create(
        id=PREBUILDS_USER_ID,
        defaults={
            "username": PREBUILDS_USERNAME,
            "name": "Prebuilds",
            "is_system": True,
            "is_active": False,
            "password": "!unusable",
        },
    )
    Membership.objects.get_or_create(organization=organization, user=user)


def default_organization() -> Organization:
    return Organization.objects.get(is_default=True)


def make_organization(name: str = "") -> Organization:
    return Organization.objects.create(name=name or f"organization-{next(_numbers)}")


def make_user(
    username: str = "",
    *,
    roles: Sequence[str] = (),
    organization: Organization | None = None,
    organization_roles: Sequence[str] = (),
    password: str | None = None,
) -> User:
    """Make a person who is a member of the (default) organization."""
    user = User.objects.create_user(
        username or f"user-{next(_numbers)}", password, roles=list(roles)
    )
    Membership.objects.create(
        organization=organization or default_organization(),
        user=user,
        roles=list(organization_roles),
    )
    return user


def make_template(
    name: str = "",
    *,
    organization: Organization | None = None,
    presets: Sequence[PresetSpec] = (PresetSpec(name="Small", desired_instances=2),),
    check_presets: bool = True,
    fields: dict[str, Any] | None = None,
    **version: Any,
) -> Template:
    """Make a template with one active version; keywords go to its VersionSpec."""
    return create_template(
        organization=organization or default_organization(),
        name=name or f"template-{next(_numbers)}",
        created_by=User.objects.first() or make_user(),
        version=VersionSpec(**{"name": "1.0.0", "presets": presets, **version}),
        check_presets=check_presets,
        **(fields or {}),
    )


def preset_of(template: Template, name: str = "Small") -> Preset:
    """Return a preset of the template's active version."""
    return Preset.objects.get(version_id=template.active_version_id, name=name)


def make_daemon(**fields: Any) -> ProvisionerDaemon:
    defaults: dict[str, Any] = {
        "name": f"daemon-{next(_numbers)}",
        "hostname": "test",
        "version": "0",
        "provisioner_types": ["local"],
        "tags": {},
        "concurrency": 1,
        "now": timezone.now(),
    }
    return jobs.register_daemon(**{**defaults, **fields})


def make_pending_prebuilds(
    preset: Preset, number: int = 1, *, now: datetime | None = None
) -> list[Workspace]:
    """Create prebuilds whose first start is pending; at most what the preset is missing."""
    now = now or timezone.now()
    before = set(Workspace.objects.values_list("pk", flat=True))
    (snapshot,) = [
        one
        for one in observation.take_snapshot(current_policy(), using="default").presets
        if one.id == preset.pk
    ]
    creation.create_prebuilds(snapshot, count=number, now=now)
    return list(Workspace.objects.exclude(pk__in=before).order_by("created_at", "pk"))


def make_ready_prebuilds(
    preset: Preset, number: int = 1, *, now: datetime | None = None
) -> list[Workspace]:
    """Create prebuilds and build them to the end, agent ready."""
    workspaces = make_pending_prebuilds(preset, number, now=now)
    finish_all_jobs(now=now)
    for workspace in workspaces:
        make_agent_ready(workspace, now=now)
        workspace.refresh_from_db()
    return workspaces


def finish_all_jobs(*, now: datetime | None = None, fail: str = "") -> list[UUID]:
    """Do every pending job, well or (with `fail`, the error's text) badly; return their ids."""
    now = now or timezone.now()
    daemon, done = make_daemon(now=now), []
    while job := jobs.acquire_job(daemon_id=daemon.pk, access_url="http://test", now=now):
        if fail:
            jobs.fail_job(
                job_id=job.job_id, lease=job.lease, error=fail, code="script_failed", now=now
            )
        else:
            jobs.complete_job(
                job_id=job.job_id, lease=job.lease, result=result_for(job.workspace_id), now=now
            )
        done.append(job.job_id)
    return done


def result_for(workspace_id: UUID, token: str = "") -> BuildResult:
    """Return what a driver reports: one resource with one agent."""
    agent = AgentReport(name="main", token=token or f"token-of-{workspace_id}")
    return BuildResult(
        provisioner_state={"directory": str(workspace_id)},
        resources=[ResourceReport(name="workspace", type="local_process", agents=[agent])],
    )


def make_agent_ready(workspace: Workspace, *, now: datetime | None = None) -> Agent:
    """Report the agent of the workspace's latest build as ready."""
    workspace.refresh_from_db()
    agent = Agent.objects.get(resource__build_id=workspace.latest_build_id)
    agents.report_lifecycle(
        agent_id=agent.pk, state=agents.LifecycleState.READY, now=now or timezone.now()
    )
    agent.refresh_from_db()
    return agent


def hours(number: float) -> timedelta:
    return timedelta(hours=number)
