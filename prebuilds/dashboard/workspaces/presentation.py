"""Say how a workspace's agents, builds and times are. Pure; the clock arrives as an argument."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from accounts.system import PREBUILDS_USER_ID
from prebuilds.dashboard.base.wording import say_duration
from prebuilds.dashboard.workspaces.autostart_words import say_schedule
from prebuilds.dashboard.workspaces.status import Status, status_of
from workspaces.enums import AgentStatus, LifecycleState, Stage, Transition
from workspaces.models import Agent, Workspace, WorkspaceBuild
from workspaces.status import agent_status

CONNECTIONS: Final = {
    AgentStatus.CONNECTING: ("Not heard yet", "circle-dashed", "busy"),
    AgentStatus.CONNECTED: ("Connected", "plug-connected", "good"),
    AgentStatus.DISCONNECTED: ("Lost", "plug-connected-x", "warn"),
}
KINDS: Final = {Transition.START: "Start", Transition.STOP: "Stop", Transition.DELETE: "Delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent: whether it is there, and where it is between its start and its end."""

    agent: Agent
    connection: str
    icon: str
    tone: str
    state: str
    took: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildView:
    """One build of the list; `took` from asking to its end."""

    build: WorkspaceBuild
    kind: str
    status: Status
    who: str
    took: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What acts on a person's workspace by itself, in words."""

    autostop: str
    deadline: datetime | None
    autostart: str
    next_start_at: datetime | None
    dormant_at: datetime | None
    deleting_at: datetime | None
    last_used_at: datetime | None
    is_extendable: bool
    may_set_autostop: bool
    may_set_autostart: bool


def agent_views(agents: Sequence[Agent], *, now: datetime) -> list[AgentView]:
    """Return the agents in words."""
    return [_agent_view(agent, now) for agent in agents]


def build_views(builds: Sequence[WorkspaceBuild], *, now: datetime) -> list[BuildView]:
    """Return the builds in words, newest first."""
    return [_build_view(build, now) for build in reversed(builds)]


def say_times(workspace: Workspace, build: WorkspaceBuild, *, now: datetime) -> Times:
    """Return the workspace's times."""
    template = workspace.template
    ttl = workspace.ttl_seconds if template.allow_user_autostop else template.default_ttl_seconds
    schedule = workspace.autostart_schedule
    return Times(
        autostop=f"{say_duration(timedelta(seconds=ttl))} after each start" if ttl else "never",
        deadline=build.deadline,
        autostart=say_schedule(schedule) if schedule else "never",
        next_start_at=workspace.next_start_at,
        dormant_at=workspace.dormant_at,
        deleting_at=workspace.deleting_at,
        last_used_at=workspace.last_used_at,
        is_extendable=build.deadline is not None and build.deadline > now,
        may_set_autostop=template.allow_user_autostop,
        may_set_autostart=template.allow_user_autostart,
    )


def _agent_view(agent: Agent, now: datetime) -> AgentView:
    connection, icon, tone = CONNECTIONS[
        agent_status(
            first_connected_at=agent.first_connected_at,
            last_connected_at=agent.last_connected_at,
            disconnected_at=agent.disconnected_at,
            now=now,
        )
    ]
    return AgentView(
        agent=agent,
        connection=connection,
        icon=icon,
        tone=tone,
        state=LifecycleState(agent.lifecycle_state).label,
        took=agent.ready_at - agent.created_at if agent.ready_at else None,
    )


def _build_view(build: WorkspaceBuild, now: datetime) -> BuildView:
    is_claim = build.stage == Stage.PREBUILD_CLAIM
    ended = build.job.completed_at
    by_prebuilds = build.initiator_id == PREBUILDS_USER_ID
    return BuildView(
        build=build,
        kind="Hand over" if is_claim else KINDS[Transition(build.transition)],
        status=_job_look(build),
        who="Prebuilds" if by_prebuilds else build.initiator.display_name,
        took=(ended or now) - build.created_at,
    )


def _job_look(build: WorkspaceBuild) -> Status:
    """Return how the build itself went; what became of the workspace is another question."""
    if build.job.status == "succeeded":
        return Status(word="Done", icon="circle-check", tone="good")
    return status_of(build.transition, build.job.status, [])
