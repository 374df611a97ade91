"""What agents call: manifest, lifecycle, logs, heartbeat. Re-initialisation is in `reinit`."""

from typing import Any, ClassVar

from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from prebuilds.api.authentication import AgentAuthentication
from prebuilds.api.base.views import described_by
from prebuilds.api.permissions import IsAgent
from prebuilds.api.reinit import reinit_stream
from workspaces.enums import LifecycleState
from workspaces.models import Agent
from workspaces.protocol import LogLine
from workspaces.services import agents


class LifecycleSerializer(serializers.Serializer[Any]):
    """How far the agent's start-up is."""

    state = serializers.ChoiceField(choices=LifecycleState.choices)
    changed_at = serializers.DateTimeField()


class LogLineSerializer(serializers.Serializer[Any]):
    """One line the start-up wrote."""

    created_at = serializers.DateTimeField()
    level = serializers.CharField(max_length=8, default="info")
    stage = serializers.CharField(max_length=64, default="startup")
    output = serializers.CharField(allow_blank=True, trim_whitespace=False)


class AgentLogsSerializer(serializers.Serializer[Any]):
    """A batch of lines."""

    logs = serializers.ListField(child=LogLineSerializer(), max_length=1_000)


class ManifestSerializer(serializers.Serializer[Any]):
    """What an agent needs to know: whom it works for, and what to run."""

    agent_id = serializers.UUIDField()
    agent_name = serializers.CharField()
    workspace_id = serializers.UUIDField()
    workspace_name = serializers.CharField()
    template_name = serializers.CharField()
    owner_id = serializers.UUIDField()
    owner_name = serializers.CharField()
    owner_is_system = serializers.BooleanField(help_text="It is a prebuild: nobody's yet.")
    build_id = serializers.UUIDField()
    startup_script = serializers.CharField(allow_blank=True)
    startup_timeout_seconds = serializers.IntegerField()
    parameters = serializers.DictField(child=serializers.CharField(allow_blank=True))
    environment = serializers.DictField(child=serializers.CharField(allow_blank=True))


class AgentView(APIView):
    """Base of what only agents may call."""

    authentication_classes = (AgentAuthentication,)
    permission_classes = (IsAgent,)

    def agent_of(self, request: Request) -> Agent:
        """Return the calling agent."""
        assert isinstance(request.auth, Agent)
        return request.auth


class ManifestView(AgentView):
    """GET /workspaceagents/me"""

    @extend_schema(responses=ManifestSerializer)
    def get(self, request: Request) -> Response:
        """Register the agent as connected and tell it whom it works for."""
        agent = self.agent_of(request)
        agents.record_connection(agent_id=agent.pk, now=timezone.now())
        return Response(agents.manifest_of(agent))


class LifecycleView(AgentView):
    """POST /workspaceagents/me/lifecycle"""

    @extend_schema(request=LifecycleSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Store how far the start-up is."""
        report = LifecycleSerializer(data=request.data)
        report.is_valid(raise_exception=True)
        agents.report_lifecycle(
            agent_id=self.agent_of(request).pk,
            state=LifecycleState(report.validated_data["state"]),
            now=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogsView(AgentView):
    """PATCH /workspaceagents/me/logs"""

    @extend_schema(request=AgentLogsSerializer, responses={204: None})
    def patch(self, request: Request) -> Response:
        """Add lines to the agent's log."""
        batch = AgentLogsSerializer(data=request.data)
        batch.is_valid(raise_exception=True)
        lines = [
            LogLine(
                at=each["created_at"],
                level=each["level"],
                stage=each["stage"],
                output=each["output"],
            )
            for each in batch.validated_data["logs"]
        ]
        agents.append_agent_logs(agent_id=self.agent_of(request).pk, lines=lines)
        return Response(status=status.HTTP_204_NO_CONTENT)


class HeartbeatView(AgentView):
    """POST /workspaceagents/me/heartbeat"""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Note that the agent is alive."""
        agents.record_connection(agent_id=self.agent_of(request).pk, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReinitView(AgentView):
    """What `reinit.reinit_stream` answers, for the document; that function does it."""

    error_statuses: ClassVar = (409,)

    @extend_schema(responses={(200, "text/event-stream"): OpenApiTypes.STR})
    def get(self, request: Request) -> Response:
        """Wait for a claim: one `data` event when the prebuild becomes somebody's workspace."""
        raise NotImplementedError


urlpatterns = [
    path("workspaceagents/me", ManifestView.as_view()),
    path("workspaceagents/me/lifecycle", LifecycleView.as_view()),
    path("workspaceagents/me/logs", LogsView.as_view()),
    path("workspaceagents/me/heartbeat", HeartbeatView.as_view()),
    path("workspaceagents/me/reinit", described_by(ReinitView)(reinit_stream)),
]
