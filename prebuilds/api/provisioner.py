"""What remote provisioner daemons call (semantics.md 17): they come, ask for work, and go.

A key bounds what its daemons see: another key's daemon and another organization's job are 404.
What they say about a job is in `provisioner_jobs`.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import connection
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from prebuilds.api import provisioner_input as shapes
from prebuilds.api import provisioner_output as answers
from prebuilds.api.authentication import ProvisionerKeyAuthentication
from prebuilds.api.base.serializers import Empty
from prebuilds.api.base.views import described_by
from prebuilds.api.permissions import IsProvisioner
from workspaces import selectors
from workspaces.errors import LeaseLost
from workspaces.listening import PROVISIONER_JOBS, hub
from workspaces.models import ProvisionerDaemon, ProvisionerKey
from workspaces.protocol import DaemonProfile
from workspaces.services import daemons, jobs

NO_JOB = OpenApiResponse(description="There is none for this daemon.")


class ProvisionerView(APIView):
    """Base of what only daemons with a key may call."""

    authentication_classes = (ProvisionerKeyAuthentication,)
    permission_classes = (IsProvisioner,)
    serializer_class: ClassVar[type[Serializer[Any]]] = Empty

    def key_of(self, request: Request) -> ProvisionerKey:
        """Return the calling daemon's key."""
        assert isinstance(request.auth, ProvisionerKey)
        return request.auth

    def daemon_of(self, request: Request, daemon: UUID) -> ProvisionerDaemon:
        """Return one of the key's daemons; UnknownDaemon is 404."""
        return selectors.find_daemon(key=self.key_of(request), daemon_id=daemon)

    def said(self, request: Request) -> dict[str, Any]:
        """Return the request's body, checked; an error names every field at fault."""
        body = self.serializer_class(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


class RegisterView(ProvisionerView):
    """POST /provisioner/daemons"""

    serializer_class = shapes.Profile

    @extend_schema(request=shapes.Profile, responses={201: answers.Registered})
    def post(self, request: Request) -> Response:
        """Introduce a daemon; its id accompanies everything it says from then on."""
        daemon = daemons.register_daemon(
            profile=DaemonProfile(**self.said(request)),
            key=self.key_of(request),
            now=timezone.now(),
        )
        return Response({"id": str(daemon.pk), "tags": daemon.tags}, status=status.HTTP_201_CREATED)


class TouchView(ProvisionerView):
    """POST /provisioner/daemons/{daemon}/touch"""

    @extend_schema(request=Empty, responses={204: None})
    def post(self, request: Request, daemon: UUID) -> Response:
        """Note that the daemon is alive."""
        self.said(request)
        found = self.daemon_of(request, daemon)
        daemons.touch_daemon(daemon_id=found.pk, now=timezone.now())
        return nothing()


class ReapView(ProvisionerView):
    """POST /provisioner/daemons/{daemon}/reap"""

    @extend_schema(request=Empty, responses=answers.Reaped)
    def post(self, request: Request, daemon: UUID) -> Response:
        """Fail the lost jobs of the key's organization; tell how many there were."""
        self.said(request)
        found = self.daemon_of(request, daemon)
        lost = jobs.reap_lost_jobs(organization_id=found.organization_id, now=timezone.now())
        return Response({"count": len(lost)})


class GoodbyeView(ProvisionerView):
    """POST /provisioner/daemons/{daemon}/goodbye"""

    serializer_class = shapes.Farewell

    @extend_schema(request=shapes.Farewell, responses={204: None})
    def post(self, request: Request, daemon: UUID) -> Response:
        """Note that the daemon ends; give back what it was given and never heard of."""
        said, now = self.said(request), timezone.now()
        found = self.daemon_of(request, daemon)
        if lease := said.get("lease"):
            jobs.release_unanswered(daemon_id=found.pk, lease=lease, now=now)
        daemons.retire_daemon(daemon_id=found.pk, now=now)
        return nothing()


class AcquireView(ProvisionerView):
    """One look for a job; `acquire` waits between two of them."""

    serializer_class = shapes.Wish

    @extend_schema(request=shapes.Wish, responses={200: answers.GivenJob, 204: NO_JOB})
    def post(self, request: Request, daemon: UUID) -> Response:
        """Lease the next job to the daemon: 200 with the job, 204 when there is none."""
        said = self.said(request)
        job = jobs.acquire_job(
            daemon_id=self.daemon_of(request, daemon).pk,
            access_url=settings.PREBUILDS_ACCESS_URL,
            lease=said["lease"],
            now=timezone.now(),
        )
        return Response(asdict(job)) if job else nothing()


@described_by(AcquireView)
@csrf_exempt
async def acquire(request: HttpRequest, daemon: UUID) -> HttpResponseBase:
    """POST /provisioner/daemons/{daemon}/acquire: wait for a job up to `wait_seconds`.

    Nothing is leased to a client that hung up while it waited. An answer that got lost on its
    way is asked for again with the same lease; is it not, the lease lapses like any other.
    """
    try:
        request.body  # noqa: B018  read now: every look reads it again
    except RequestDataTooBig as error:
        words = {"message": str(error), "detail": "", "validations": []}
        return JsonResponse(words, status=413)
    clock = asyncio.get_running_loop().time
    with hub().subscribe(PROVISIONER_JOBS) as bells:
        answer = await _look(request, daemon)
        until = clock() + (_patience(request) if _is_empty(answer) else 0)
        while _is_empty(answer) and not bells.is_over and (left := until - clock()) > 0:
            await bells.get(timeout=left)
            bells.drain()
            answer = await _look(request, daemon)
    return answer


async def _look(request: HttpRequest, daemon: UUID) -> Response:
    """Look once; when the client goes away meanwhile, give back what was leased to it."""
    looking = asyncio.ensure_future(sync_to_async(_look_now)(request, daemon))
    try:
        return await asyncio.shield(looking)
    except asyncio.CancelledError:
        await sync_to_async(_give_back)(await looking)
        raise


def _look_now(request: HttpRequest, daemon: UUID) -> Response:
    try:
        answer = AcquireView.as_view()(request, daemon=daemon)
    finally:
        _give_connection_back()
    assert isinstance(answer, Response)
    return answer


def _give_back(answer: Response) -> None:
    if answer.status_code == status.HTTP_200_OK:
        job: Mapping[str, UUID] = answer.data
        with suppress(LeaseLost):
            jobs.release_job(
                job_id=job["job_id"], lease=job["lease"], unheard=True, now=timezone.now()
            )
    _give_connection_back()


def _give_connection_back() -> None:
    """Let the pool have the connection while we wait; it has better use for it."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def _is_empty(answer: Response) -> bool:
    return answer.status_code == status.HTTP_204_NO_CONTENT


def _patience(request: HttpRequest) -> float:
    """Return how long the (checked) body says the client would wait."""
    wish = shapes.Wish(data=json.loads(request.body))
    wish.is_valid(raise_exception=True)
    return float(wish.validated_data["wait_seconds"])


def nothing() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)


_DAEMON = "provisioner/daemons/<uuid:daemon>"
urlpatterns = [
    path("provisioner/daemons", RegisterView.as_view()),
    path(f"{_DAEMON}/touch", TouchView.as_view()),
    path(f"{_DAEMON}/reap", ReapView.as_view()),
    path(f"{_DAEMON}/acquire", acquire),
    path(f"{_DAEMON}/goodbye", GoodbyeView.as_view()),
]
