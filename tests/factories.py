"""Make rows for tests the way the product makes them: through its services.

Every function has defaults, so a test names only what matters to it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.audit import THE_SYSTEM
from accounts.models import Group, GroupMembership, Membership, Organization, User
from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME
from prebuilds import claims, observation, services
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision
from prebuilds.core.decisions import decide_preset
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import PresetSnapshot
from prebuilds.execution import creation
from templates_app.models import Preset, Template
from templates_app.services import (
    PresetSpec,
    VersionSpec,
    create_template,
    create_version,
    promote_version,
)
from workspaces.enums import Transition
from workspaces.models import (
    Agent,
    ProvisionerDaemon,
    ProvisionerJob,
    ProvisionerKey,
    Workspace,
    WorkspaceBuild,
)
from workspaces.protocol import (
    AcquiredJob,
    AgentReport,
    BuildResult,
    DaemonProfile,
    ResourceReport,
)
from workspaces.services import agents, builds, daemons, jobs, provisioner_keys

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


def promote_new_version(
    template: Template,
    name: str = "2.0.0",
    *,
    presets: Sequence[PresetSpec] = (PresetSpec(name="Small", desired_instances=2),),
    **version: Any,
) -> Template:
    """Give a template its next version and make that the active one."""
    created = create_version(
        template=template,
        created_by=User.objects.first() or make_user(),
        spec=VersionSpec(**{"name": name, "presets": presets, **version}),
        check_presets=False,
    )
    return promote_version(template_id=template.pk, version_id=created.pk, now=timezone.now())


def observe(
    preset: Preset,
    policy: Policy | None = None,
    *,
    now: datetime | None = None,
    using: str = "default",
) -> PresetSnapshot:
    """Return what a cycle would see of one preset, also inside of a test's transaction."""
    snapshot = observation.take_snapshot(
        policy or current_policy(), now=now or timezone.now(), using=using
    )
    (found,) = [one for one in snapshot.presets if one.id == preset.pk]
    return found


def decide_for(preset: Preset, *, now: datetime, policy: Policy | None = None) -> Decision:
    """Return what a cycle would decide for one preset, before admission."""
    policy = policy or current_policy()
    return decide_preset(observe(preset, policy, now=now), policy, now)


def make_daemon(**fields: Any) -> ProvisionerDaemon:
    defaults: dict[str, Any] = {
        "name": f"daemon-{next(_numbers)}",
        "hostname": "test",
        "version": "0",
        "provisioner_types": ["local"],
        "tags": {},
        "concurrency": 1,
    }
    now, key = fields.pop("now", None) or timezone.now(), fields.pop("key", None)
    profile = DaemonProfile(**{**defaults, **fields})
    return daemons.register_daemon(profile=profile, key=key, now=now)


def make_bound_job(**daemon: Any) -> ProvisionerJob:
    """Return a stop that waits for the machine of its workspace, `m-1`, away for an hour."""
    now = timezone.now()
    away: dict[str, Any] = {"name": "build-1", "hostname": "far", "machine": "m-1"}
    workspace = make_workspace(name="api")
    job = acquire(daemon=make_daemon(**{**away, **daemon, "now": now - hours(1)}))
    jobs.complete_job(job_id=job.job_id, lease=job.lease, result=result_for(workspace.pk), now=now)
    return ask_for(workspace, Transition.STOP).job


def make_key(
    name: str = "", *, organization: Organization | None = None, tags: dict[str, str] | None = None
) -> tuple[ProvisionerKey, str]:
    """Make a provisioner key; return it with its secret."""
    return provisioner_keys.create_key(
        organization=organization or default_organization(),
        name=name or f"key-{next(_numbers)}",
        tags=tags or {},
        actor=THE_SYSTEM,
        now=timezone.now(),
    )


def make_pending_prebuilds(
    preset: Preset, number: int = 1, *, now: datetime | None = None
) -> list[Workspace]:
    """Create prebuilds whose first start is pending; at most what the preset is missing."""
    now = now or timezone.now()
    before = set(Workspace.objects.values_list("pk", flat=True))
    (snapshot,) = [
        one
        for one in observation.take_snapshot(current_policy(), now=now, using="default").presets
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


def allow(user: User, amount: int) -> Group:
    """Give a person an allowance of daily cost in the default organization."""
    group = Group.objects.create(
        organization=default_organization(),
        name=f"group-{next(_numbers)}",
        quota_allowance=amount,
    )
    GroupMembership.objects.create(group=group, user=user)
    return group


def make_workspace(
    owner: User | None = None,
    *,
    template: Template | None = None,
    name: str = "",
    parameters: dict[str, str] | None = None,
    now: datetime | None = None,
) -> Workspace:
    """Make a person's workspace from nothing; its first build is pending."""
    return claims.claim_or_create_workspace(
        owner=owner or make_user(),
        template=template or make_template(),
        preset_id=None,
        name=name or f"workspace-{next(_numbers)}",
        parameters=parameters or {},
        now=now or timezone.now(),
    ).workspace


def claim_prebuild(
    preset: Preset, owner: User | None = None, *, name: str = "", now: datetime | None = None
) -> Workspace:
    """Claim the preset's oldest ready prebuild, which there must be; its claim build is pending."""
    result = claims.claim_or_create_workspace(
        owner=owner or make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name=name or f"workspace-{next(_numbers)}",
        parameters={},
        now=now or timezone.now(),
    )
    assert result.outcome == "warm", result.reason
    return result.workspace


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


def acquire(*, now: datetime | None = None, daemon: ProvisionerDaemon | None = None) -> AcquiredJob:
    """Take the next job as a daemon; there must be one."""
    now = now or timezone.now()
    daemon = daemon or make_daemon(now=now)
    job = jobs.acquire_job(daemon_id=daemon.pk, access_url="http://test", now=now)
    assert job is not None
    return job


def ask_for(
    workspace: Workspace,
    transition: Transition,
    *,
    by: User | None = None,
    now: datetime | None = None,
) -> WorkspaceBuild:
    """Ask for a build as a person does."""
    return builds.create_build(
        workspace_id=workspace.pk,
        transition=transition,
        initiator_id=(by or make_user()).pk,
        now=now or timezone.now(),
    )


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


def pause(*, until: datetime | None = None, now: datetime | None = None) -> bool:
    """Pause reconciliation as the system."""
    return services.pause_reconciliation(
        actor=THE_SYSTEM, reason="upgrade", until=until, now=now or timezone.now()
    )


def hours(number: float) -> timedelta:
    return timedelta(hours=number)
