"""What the workspace pages read, as rows for people."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.policy import Resource, subject_of
from prebuilds.models import Claim
from workspaces.models import Agent, AgentLog, JobLog, Workspace, WorkspaceBuild

LOG_TAIL: Final = 200
BUILDS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One workspace with all that its page shows; logs in the order they were written."""

    workspace: Workspace
    build: WorkspaceBuild
    builds: tuple[WorkspaceBuild, ...]
    agents: tuple[Agent, ...]
    claim: Claim | None
    build_log: tuple[JobLog, ...]
    agent_log: tuple[AgentLog, ...]


def visible_workspaces(viewer: User) -> QuerySet[Workspace]:
    """Return the live workspaces a person may read: their own, and where a role says so."""
    workspaces = Workspace.objects.filter(deleted_at__isnull=True)
    organizations = subject_of(viewer).readable_organizations(Resource.WORKSPACE)
    if organizations is None:
        return workspaces
    return workspaces.filter(Q(owner=viewer) | Q(organization_id__in=organizations))


def list_workspaces(viewer: User, condition: Q) -> QuerySet[Workspace]:
    """Return rows of the list, newest first, with what each row shows."""
    return (
        visible_workspaces(viewer)
        .filter(condition)
        .select_related("owner", "template", "latest_build__job", "latest_build__preset")
        .order_by("-created_at", "id")
    )


def agent_states(workspaces: list[Workspace]) -> dict[UUID, list[str]]:
    """Return build id → lifecycle states of its agents, for the latest builds of a list."""
    builds = [workspace.latest_build_id for workspace in workspaces]
    rows = Agent.objects.filter(resource__build_id__in=builds)
    states: dict[UUID, list[str]] = {}
    for build_id, state in rows.values_list("resource__build_id", "lifecycle_state"):
        states.setdefault(build_id, []).append(state)
    return states


def find_workspace(workspace_id: UUID) -> Workspace | None:
    """Return a workspace, deleted ones too, or None."""
    return (
        Workspace.objects.select_related("owner", "template", "organization", "latest_build")
        .filter(pk=workspace_id)
        .first()
    )


def load_details(workspace: Workspace) -> Details:
    """Return everything the workspace's page shows, in a constant number of queries."""
    builds = tuple(
        workspace.builds.select_related("job", "preset", "initiator", "template_version").order_by(
            "-build_number"
        )[:BUILDS_SHOWN]
    )
    build = next(build for build in builds if build.pk == workspace.latest_build_id)
    agents = tuple(Agent.objects.filter(resource__build=build).order_by("name"))
    return Details(
        workspace=workspace,
        build=build,
        builds=tuple(reversed(builds)),
        agents=agents,
        claim=Claim.objects.select_related("user").filter(workspace=workspace).first(),
        build_log=tuple(reversed(JobLog.objects.filter(job=build.job).order_by("-id")[:LOG_TAIL])),
        agent_log=tuple(
            reversed(AgentLog.objects.filter(agent__in=agents).order_by("-id")[:LOG_TAIL])
        ),
    )
