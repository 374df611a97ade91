"""What agents say: who they are, how far their start-up is, and whether to start again.

Tokens are stored as SHA-256 digests; 256 random bits need no salt (semantics.md 15).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce

from accounts.selectors import digest
from accounts.system import PREBUILDS_USER_ID
from workspaces import locks
from workspaces.enums import JobStatus, LifecycleState, Stage
from workspaces.errors import UnknownAgentToken
from workspaces.models import (
    Agent,
    AgentLog,
    BuildParameter,
    Workspace,
)
from workspaces.protocol import (
    LOG_TOTAL_LIMIT,
    LogLine,
    ResourceReport,
    fit_log,
    log_length,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The workspace is nobody's yet, or its claim build is unfinished: keep listening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinitialize:
    """The claim build succeeded: start again as this user."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverAgain:
    """A regular workspace, or a claim of the past: there is nothing to wait for."""


def authenticate(token: str) -> Agent:
    """Return the agent that holds this token, with build, workspace and owner.

    Raises UnknownAgentToken, also for agents of deleted workspaces.
    """
    agent = (
        Agent.objects.filter(
            token_digest=digest(token), resource__build__workspace__deleted_at__isnull=True
        )
        .select_related(
            "resource__build__workspace__owner",
            "resource__build__workspace__template",
            "resource__build__template_version",
        )
        .order_by("-created_at", "-resource__build__build_number")
        .first()
    )
    if agent is None:
        raise UnknownAgentToken
    return agent


def manifest_of(agent: Agent) -> dict[str, Any]:
    """Return what an agent needs to know: whom it works for, and what to run."""
    build = agent.resource.build
    workspace, version = build.workspace, build.template_version
    newest = workspace.latest_build_id or build.pk
    parameters = BuildParameter.objects.filter(build_id=newest).values_list("name", "value")
    return {
        "agent_id": str(agent.pk),
        "agent_name": agent.name,
        "workspace_id": str(workspace.pk),
        "workspace_name": workspace.name,
        "template_name": workspace.template.name,
        "owner_id": str(workspace.owner_id),
        "owner_name": workspace.owner.username,
        "owner_is_system": workspace.is_prebuild,
        "build_id": str(build.pk),
        "startup_script": version.startup_script,
        "startup_timeout_seconds": version.startup_timeout_seconds,
        "parameters": dict(parameters),
        "environment": {},
    }


def record_resources(build_id: UUID, resources: Sequence[ResourceReport], *, now: datetime) -> None:
    """Store what the build of a (locked) job made; one statement, however much that is.

    Reporting the same thing again changes only an agent's token.
    """
    if not resources:
        return
    locks.record_resources(
        build_id=build_id,
        resources=dict.fromkeys((one.type, one.name) for one in resources),
        agents={
            (made.type, made.name, one.name): digest(one.token)
            for made in resources
            for one in made.agents
        },
        now=now,
    )


def record_connection(*, agent_id: UUID, now: datetime) -> None:
    """Note that an agent is there."""
    Agent.objects.filter(pk=agent_id).update(
        first_connected_at=Coalesce(F("first_connected_at"), now),
        last_connected_at=now,
        disconnected_at=None,
    )


def report_lifecycle(*, agent_id: UUID, state: LifecycleState, now: datetime) -> None:
    """Store how far an agent is. `ready` is dated once; a start from anew clears the date."""
    ready_at: Any = F("ready_at")
    if state == LifecycleState.READY:
        ready_at = Coalesce(F("ready_at"), now)
    elif state == LifecycleState.STARTING:
        ready_at = None
    Agent.objects.filter(pk=agent_id).update(
        lifecycle_state=state,
        lifecycle_changed_at=Case(
            When(lifecycle_state=state, then=F("lifecycle_changed_at")), default=Value(now)
        ),
        ready_at=ready_at,
        last_connected_at=now,
        disconnected_at=now if state == LifecycleState.OFF else None,
    )


def append_agent_logs(*, agent_id: UUID, lines: Sequence[LogLine]) -> None:
    """Add lines to an agent's log, up to LOG_TOTAL_LIMIT characters."""
    with transaction.atomic():
        agent = locks.lock_agent(agent_id)
        kept = fit_log(lines, room=LOG_TOTAL_LIMIT - agent.log_length)
        AgentLog.objects.bulk_create(
            [
                AgentLog(
                    agent=agent, at=line.at, level=line.level, stage=line.stage, output=line.output
                )
                for line in kept
            ]
        )
        Agent.objects.filter(pk=agent_id).update(
            log_length=log_length(lines, before=agent.log_length)
        )


def reinit_answer(workspace_id: UUID) -> Wait | Reinitialize | NeverAgain:
    """Say what an agent of this workspace should do about re-initialisation (semantics.md 15).

    The rows decide, so an agent that was away, or a server that restarted, gets the same answer.
    """
    workspace = Workspace.objects.select_related("latest_build__job").get(pk=workspace_id)
    if workspace.owner_id == PREBUILDS_USER_ID:
        return Wait()
    latest = workspace.latest_build
    if latest is None or latest.stage != Stage.PREBUILD_CLAIM:
        return NeverAgain()
    if latest.job.completed_at is None:
        return Wait()
    if latest.job.status == JobStatus.SUCCEEDED:
        return Reinitialize(user_id=workspace.owner_id)
    return NeverAgain()
