"""What agents call: manifest, lifecycle, logs, heartbeat, and the re-initialisation stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from prebuilds.api.authentication import AgentAuthentication, bearer_of
from prebuilds.api.permissions import IsAgent
from workspaces.enums import LifecycleState
from workspaces.errors import UnknownAgentToken
from workspaces.listening import WORKSPACE_CLAIMED, hub
from workspaces.models import Agent
from workspaces.protocol import LogLine
from workspaces.services import agents

PING_SECONDS: Final = 15.0


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


class LogsSerializer(serializers.Serializer[Any]):
    """A batch of lines."""

    logs = serializers.ListField(child=LogLineSerializer(), max_length=1_000)


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

    def get(self, request: Request) -> Response:
        """Register the agent as connected and tell it whom it works for."""
        agent = self.agent_of(request)
        agents.record_connection(agent_id=agent.pk, now=timezone.now())
        return Response(agents.manifest_of(agent))


class LifecycleView(AgentView):
    """POST /workspaceagents/me/lifecycle"""

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

    def patch(self, request: Request) -> Response:
        """Add lines to the agent's log."""
        batch = LogsSerializer(data=request.data)
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

    def post(self, request: Request) -> Response:
        """Note that the agent is alive."""
        agents.record_connection(agent_id=self.agent_of(request).pk, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


async def reinit_stream(request: HttpRequest) -> HttpResponseBase:
    """GET /workspaceagents/me/reinit: one event when the workspace is claimed (semantics.md 15).

    409 when there is nothing to wait for: a regular workspace, or a claim of the past.
    """
    try:
        agent = await sync_to_async(agents.authenticate)(bearer_of(request) or "")
    except UnknownAgentToken as error:
        return _error(status.HTTP_401_UNAUTHORIZED, str(error))
    workspace_id = agent.resource.build.workspace_id
    answer = await sync_to_async(agents.reinit_answer)(workspace_id)
    if isinstance(answer, agents.NeverAgain):
        return _error(status.HTTP_409_CONFLICT, "This workspace is not waiting to be claimed.")
    return StreamingHttpResponse(
        _reinit_events(workspace_id),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _reinit_events(workspace_id: UUID) -> AsyncIterator[str]:
    """Subscribe first, then look, then wait: so no claim falls between the two."""
    with hub().subscribe(WORKSPACE_CLAIMED, payload=str(workspace_id)) as claims:
        while True:
            answer = await sync_to_async(agents.reinit_answer)(workspace_id)
            if isinstance(answer, agents.Reinitialize):
                yield _event("data", _claimed(workspace_id, answer.user_id))
                return
            if isinstance(answer, agents.NeverAgain):
                return
            yield _event("ping", {})
            await claims.get(timeout=PING_SECONDS)
            await asyncio.sleep(0)


def _claimed(workspace_id: UUID, user_id: UUID) -> dict[str, str]:
    return {
        "workspace_id": str(workspace_id),
        "reason": "prebuild_claimed",
        "user_id": str(user_id),
    }


def _event(name: str, payload: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(payload)}\n\n"


def _error(code: int, message: str) -> JsonResponse:
    return JsonResponse({"message": message, "detail": "", "validations": []}, status=code)
