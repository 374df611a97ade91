"""What builds made, for people: resources, the agents in them, and an agent's log."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from prebuilds.api.base.output import OutputSerializer
from prebuilds.api.base.serializers import StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import visible_agents
from workspaces.enums import AgentStatus, LifecycleState, Transition
from workspaces.models import Agent
from workspaces.status import agent_status

LINES_AT_ONCE = 1_000
HUGE = 9_223_372_036_854_775_807
"""The greatest id a database hands out."""


class AgentHealthSerializer(serializers.Serializer[Any]):
    """Whether an agent does what it should."""

    healthy = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True, help_text="Empty when it is healthy.")


class AgentSerializer(OutputSerializer):
    """An agent, with Coder's field names; takes the instant as `now` from its context."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    resource_id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(source="lifecycle_changed_at")
    first_connected_at = serializers.DateTimeField(allow_null=True)
    last_connected_at = serializers.DateTimeField(allow_null=True)
    disconnected_at = serializers.DateTimeField(allow_null=True)
    ready_at = serializers.DateTimeField(allow_null=True)
    lifecycle_state = serializers.ChoiceField(choices=LifecycleState.choices)
    status = serializers.SerializerMethodField()
    health = serializers.SerializerMethodField()
    logs_length = serializers.IntegerField(source="log_length")

    @extend_schema(responses=serializers.ChoiceField(choices=AgentStatus.choices))
    def get_status(self, agent: Agent) -> str:
        """Return whether it is there now."""
        return str(_status_of(agent, self.context))

    @extend_schema(responses=AgentHealthSerializer)
    def get_health(self, agent: Agent) -> dict[str, Any]:
        """Return whether it does what it should."""
        reason = ailment(agent, self.context)
        return {"healthy": not reason, "reason": reason}


class ResourceSerializer(OutputSerializer):
    """A thing a build made, with Coder's field names."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    job_id = serializers.UUIDField(source="build.job_id")
    workspace_transition = serializers.ChoiceField(
        source="build.transition", choices=Transition.choices
    )
    type = serializers.CharField()
    name = serializers.CharField()
    agents = AgentSerializer(many=True, source="shown_agents")


class AgentLogSerializer(serializers.Serializer[Any]):
    """One line an agent's start-up wrote."""

    id = serializers.IntegerField()
    created_at = serializers.DateTimeField(source="at")
    level = serializers.CharField()
    stage = serializers.CharField()
    output = serializers.CharField(allow_blank=True)


class AfterQuery(StrictSerializer):
    """Which lines of a log."""

    after = serializers.IntegerField(
        default=0, min_value=0, max_value=HUGE, help_text="Only lines with a greater id."
    )
    limit = serializers.IntegerField(
        default=LINES_AT_ONCE, min_value=1, max_value=LINES_AT_ONCE, help_text="How many at most."
    )


class AgentForPeopleView(ApiView):
    """GET /workspaceagents/{agent}"""

    @extend_schema(responses=AgentSerializer)
    def get(self, request: Request, agent: UUID) -> Response:
        """Return one agent."""
        found = get_object_or_404(visible_agents(self.user), pk=agent)
        return Response(AgentSerializer(found, context={"now": timezone.now()}).data)


class AgentLogsView(ApiView):
    """GET /workspaceagents/{agent}/logs"""

    @extend_schema(parameters=[AfterQuery], responses=AgentLogSerializer(many=True))
    def get(self, request: Request, agent: UUID) -> Response:
        """Return what its start-up wrote, oldest first."""
        asked = self.query(AfterQuery)
        found = get_object_or_404(visible_agents(self.user), pk=agent)
        lines = found.logs.filter(pk__gt=asked["after"]).order_by("pk")[: asked["limit"]]
        return Response(AgentLogSerializer(lines, many=True).data)


def ailment(agent: Agent, context: Mapping[str, Any]) -> str:
    """Return why an agent is not healthy; empty when it is, or is just starting up."""
    if agent.lifecycle_state in _FAULTS:
        return LifecycleState(agent.lifecycle_state).label
    if _status_of(agent, context) == AgentStatus.DISCONNECTED:
        return "The agent has not been heard of for a while."
    return ""


def _status_of(agent: Agent, context: Mapping[str, Any]) -> AgentStatus:
    return agent_status(
        first_connected_at=agent.first_connected_at,
        last_connected_at=agent.last_connected_at,
        disconnected_at=agent.disconnected_at,
        now=context["now"],
    )


_FAULTS = {
    LifecycleState.START_ERROR,
    LifecycleState.START_TIMEOUT,
    LifecycleState.SHUTDOWN_ERROR,
    LifecycleState.SHUTDOWN_TIMEOUT,
    LifecycleState.OFF,
}

urlpatterns = [
    path("workspaceagents/<uuid:agent>", AgentForPeopleView.as_view()),
    path("workspaceagents/<uuid:agent>/logs", AgentLogsView.as_view()),
]
