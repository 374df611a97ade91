"""What the workspace pages read, as rows for people."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from prebuilds.models import Claim
from workspaces.models import (
    Agent,
    AgentLog,
    BuildParameter,
    JobLog,
    Workspace,
    WorkspaceBuild,
)
from workspaces.models.workspace import IS_LIVE
from workspaces.search import Search, search_workspaces, visible_workspaces

LOG_TAIL: Final = 200
BUILDS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One workspace with all that its page shows; builds in the order they were asked for.

    `agents` are those of the latest build, `first_agents` those of the first.
    """

    workspace: Workspace
    build: WorkspaceBuild
    builds: tuple[WorkspaceBuild, ...]
    agents: tuple[Agent, ...]
    first_agents: tuple[Agent, ...]
    parameters: tuple[BuildParameter, ...]

    @property
    def claim(self) -> Claim | None:
        """Return how its owner came by it; None for a prebuild."""
        return getattr(self.workspace, "claim", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """The ends of a workspace's logs, in the order they were written."""

    build: tuple[JobLog, ...]
    agent: tuple[AgentLog, ...]


def list_workspaces(viewer: User, search: Search) -> QuerySet[Workspace]:
    """Return rows of the list, newest first, with what each row shows."""
    return search_workspaces(viewer, search).select_related(
        "owner",
        "organization",
        "template",
        "latest_build__job",
        "latest_build__preset",
        "latest_build__template_version",
    )


def agent_states(workspaces: Sequence[Workspace]) -> dict[UUID, list[str]]:
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
        Workspace.objects.select_related(
            "owner",
            "template__active_version",
            "organization",
            "latest_build__job",
            "latest_build__template_version",
            "claim__user",
        )
        .filter(pk=workspace_id)
        .first()
    )


def load_details(workspace: Workspace) -> Details:
    """Return what the workspace's page shows, in three statements."""
    builds = tuple(
        workspace.builds.select_related("job", "preset", "initiator", "template_version").order_by(
            "-build_number"
        )[:BUILDS_SHOWN]
    )
    build = next(build for build in builds if build.pk == workspace.latest_build_id)
    shown = Agent.objects.filter(resource__build__in=[builds[0], builds[-1]])
    agents = list(shown.select_related("resource").order_by("name"))
    return Details(
        workspace=workspace,
        build=build,
        builds=tuple(reversed(builds)),
        agents=tuple(agent for agent in agents if agent.resource.build_id == build.pk),
        first_agents=tuple(agent for agent in agents if agent.resource.build_id == builds[-1].pk),
        parameters=tuple(build.parameters.order_by("name")),
    )


def load_logs(workspace: Workspace) -> Logs:
    """Return the ends of both logs of its latest build, in two statements."""
    build = workspace.latest_build
    assert build is not None
    of_build = JobLog.objects.filter(job=build.job_id)
    of_agents = AgentLog.objects.filter(agent__resource__build=build)
    return Logs(
        build=tuple(reversed(of_build.order_by("-id")[:LOG_TAIL])),
        agent=tuple(reversed(of_agents.order_by("-id")[:LOG_TAIL])),
    )


def choose_workspaces(
    viewer: User, *, ids: Collection[UUID] = (), search: Search | None = None
) -> QuerySet[Workspace]:
    """Return live workspaces the person may read: those of a search, or those of the ids."""
    found = search_workspaces(viewer, search) if search else visible_workspaces(viewer)
    if search is None:
        found = found.filter(pk__in=ids)
    return found.filter(IS_LIVE).select_related("owner", "latest_build__job")
