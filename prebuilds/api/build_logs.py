"""What a build wrote: all at once, from an id on, or followed until its job ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import Token, User
from prebuilds.api.base.views import ApiView, user_of
from prebuilds.api.visible import visible_builds
from prebuilds.api.workspace_agents import LINES_AT_ONCE, AfterQuery
from workspaces.listening import hub
from workspaces.models import JobLog, ProvisionerJob

LOOK_EVERY: Final = 0.5
ASK_EVERY: Final = 15.0
"""Seconds. A build may take hours; whoever is let in no more, or may read it no more, is told no
more of it."""
PING_EVERY: Final = 15.0


class JobLogSerializer(serializers.Serializer[Any]):
    """One line a build wrote, with Coder's field names."""

    id = serializers.IntegerField()
    created_at = serializers.DateTimeField(source="at")
    log_source = serializers.SerializerMethodField()
    log_level = serializers.CharField(source="level")
    stage = serializers.CharField(allow_blank=True)
    output = serializers.CharField(allow_blank=True)

    @extend_schema(responses=serializers.ChoiceField(choices=["provisioner"]))
    def get_log_source(self, line: JobLog) -> str:
        """Return who wrote it: all lines come from the provisioner's driver."""
        return "provisioner"


class LogsQuery(AfterQuery):
    """Which lines, and whether to wait for more."""

    follow = serializers.BooleanField(
        default=False,
        help_text="Answer with server-sent events, one `data` per line, until the job ends.",
    )


class EventStreamRenderer(JSONRenderer):
    """Lets a client accept nothing but events; the events themselves are not rendered."""

    media_type = "text/event-stream"
    format = "events"


class BuildLogsView(ApiView):
    """GET /workspacebuilds/{build}/logs"""

    renderer_classes = (JSONRenderer, EventStreamRenderer)

    @extend_schema(
        parameters=[LogsQuery],
        responses={
            (200, "application/json"): JobLogSerializer(many=True),
            (200, "text/event-stream"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request, build: UUID) -> HttpResponseBase:
        """Return what the build wrote, oldest first."""
        asked = self.query(LogsQuery)
        found = get_object_or_404(visible_builds(self.user).prefetch_related(None), pk=build)
        if asked["follow"] or isinstance(request.accepted_renderer, EventStreamRenderer):
            return StreamingHttpResponse(
                _follow(found.job_id, asked["after"], partial(_may_still, request, build)),
                content_type="text/event-stream",
                headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
            )
        return Response(_lines(found.job_id, asked["after"], asked["limit"]))

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error as JSON, whatever was to be accepted."""
        request: Any = self.request
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
        return super().handle_exception(exc)


async def _follow(job_id: UUID, after: int, may_still: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield lines as they come. Log lines ring no bell, so the rows are looked at again and again.

    The connection is let go of between two looks: many may follow for long. When the process ends
    it ends, too; who follows comes back with the last id.
    """
    silent_for, clock = 0.0, asyncio.get_running_loop().time
    asked_at = clock()
    while not hub().is_closed:
        if clock() - asked_at >= ASK_EVERY:
            if not await sync_to_async(may_still)():
                return
            asked_at = clock()
        ended, lines = await sync_to_async(_look)(job_id, after)
        for line in lines:
            yield f"event: data\nid: {line['id']}\ndata: {json.dumps(line)}\n\n"
        if lines:
            after, silent_for = lines[-1]["id"], 0.0
            continue
        if ended:
            return
        if silent_for >= PING_EVERY:
            yield "event: ping\ndata: {}\n\n"
            silent_for = 0.0
        await asyncio.sleep(LOOK_EVERY)
        silent_for += LOOK_EVERY


def _may_still(request: Request, build: UUID) -> bool:
    """Return whether who opened the stream would be let in now, and may read this build."""
    try:
        caller = _let_in(request)
        return caller is not None and visible_builds(caller).filter(pk=build).exists()
    finally:
        close_old_connections()


def _let_in(request: Request) -> User | None:
    """Return the caller as they are now, if their token or session still lets them in."""
    if isinstance(request.auth, Token):
        token = selectors.live_tokens(now=timezone.now()).filter(pk=request.auth.pk).first()
        return token.user if token else None
    session = request._request.session  # noqa: SLF001  the session is the plain request's
    caller = User.objects.filter(pk=user_of(request).pk, is_active=True).first()
    is_same = caller and caller.get_session_auth_hash() == user_of(request).get_session_auth_hash()
    return caller if is_same and session.exists(session.session_key or "") else None


def _look(job_id: UUID, after: int) -> tuple[bool, list[dict[str, Any]]]:
    """Ask whether the job has ended, and only then for its lines, so that none is left out."""
    try:
        ended = ProvisionerJob.objects.filter(pk=job_id, completed_at__isnull=False).exists()
        return ended, _lines(job_id, after, LINES_AT_ONCE)
    finally:
        close_old_connections()


def _lines(job_id: UUID, after: int, limit: int) -> list[dict[str, Any]]:
    lines = JobLog.objects.filter(job=job_id, pk__gt=after).order_by("pk")[:limit]
    return [dict(JobLogSerializer(line).data) for line in lines]


urlpatterns = [path("workspacebuilds/<uuid:build>/logs", BuildLogsView.as_view())]
