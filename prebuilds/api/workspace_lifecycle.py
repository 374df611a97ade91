"""A workspace's times: ttl, deadline, autostart, dormancy, automatic updates (semantics.md 16).

A prebuild has none of them: each call answers 409.
"""

from typing import Any, ClassVar
from uuid import UUID

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.enums import TokenScope
from accounts.policy import Action, Resource
from prebuilds.api.base.serializers import StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import find_workspace, visible_workspaces
from prebuilds.api.workspace_builds import MessageSerializer
from prebuilds.api.workspaces import WorkspaceSerializer, workspace_as_json
from workspaces.enums import AutomaticUpdates
from workspaces.errors import InvalidLifecycle
from workspaces.models import Workspace
from workspaces.services import lifecycle

SCHEDULE_LIMIT = 128


class TtlField(serializers.IntegerField):
    """How long a start lasts, in milliseconds; empty or 0 is no limit of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=30 * 24 * 3_600_000, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        """Return the milliseconds; only whole seconds are stored."""
        milliseconds: int = super().to_internal_value(data)
        seconds, rest = divmod(milliseconds, 1_000)
        if rest:
            raise serializers.ValidationError(
                f"{milliseconds} ms is no whole number of seconds: send {seconds * 1_000}."
            )
        return milliseconds


class TtlSerializer(StrictSerializer):
    """How long each start lasts, from the next one on."""

    ttl_ms = TtlField(allow_null=True, help_text="Milliseconds; null or 0: until it is stopped.")


class AutostartSerializer(StrictSerializer):
    """When it starts by itself."""

    schedule = serializers.CharField(
        allow_blank=True,
        allow_null=True,
        max_length=SCHEDULE_LIMIT,
        help_text="Such as `CRON_TZ=Europe/Berlin 30 9 * * 1-5`; empty or null: never.",
    )


class ExtendSerializer(StrictSerializer):
    """When the start that runs now is to stop."""

    deadline = serializers.DateTimeField()


class DormantSerializer(StrictSerializer):
    """Whether it sleeps."""

    dormant = serializers.BooleanField()


class AutomaticUpdatesSerializer(StrictSerializer):
    """Whether an autostart moves it to the active version."""

    automatic_updates = serializers.ChoiceField(choices=AutomaticUpdates.choices)


class LifecycleView(ApiView):
    """Base of what changes one workspace's times."""

    write_scope = TokenScope.USE
    error_statuses: ClassVar = (409, 410)

    def changeable(self, workspace: UUID) -> Workspace:
        """Return a workspace the caller may change; 404 or 403 otherwise."""
        found = find_workspace(self.user, workspace)
        self.require(
            Action.UPDATE,
            Resource.WORKSPACE,
            organization_id=found.organization_id,
            owner_id=found.owner_id,
        )
        return found


class TtlView(LifecycleView):
    """PUT /workspaces/{workspace}/ttl"""

    @extend_schema(request=TtlSerializer, responses={204: None})
    def put(self, request: Request, workspace: UUID) -> Response:
        """Say how long each start lasts."""
        found = self.changeable(workspace)
        milliseconds = self.body(TtlSerializer)["ttl_ms"]
        lifecycle.set_ttl(
            workspace_id=found.pk,
            ttl_seconds=(milliseconds or 0) // 1_000 or None,
            now=timezone.now(),
            actor=self.actor,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class AutostartView(LifecycleView):
    """PUT /workspaces/{workspace}/autostart"""

    @extend_schema(request=AutostartSerializer, responses={204: None})
    def put(self, request: Request, workspace: UUID) -> Response:
        """Say when it starts by itself."""
        found = self.changeable(workspace)
        schedule = self.body(AutostartSerializer)["schedule"] or ""
        try:
            lifecycle.set_autostart(
                workspace_id=found.pk, schedule=schedule, now=timezone.now(), actor=self.actor
            )
        except InvalidLifecycle as error:
            raise serializers.ValidationError({"schedule": [error.detail]}) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExtendView(LifecycleView):
    """PUT /workspaces/{workspace}/extend"""

    @extend_schema(request=ExtendSerializer, responses=MessageSerializer)
    def put(self, request: Request, workspace: UUID) -> Response:
        """Move the deadline of the start that runs."""
        found = self.changeable(workspace)
        deadline = self.body(ExtendSerializer)["deadline"]
        lifecycle.extend_deadline(
            workspace_id=found.pk, deadline=deadline, now=timezone.now(), actor=self.actor
        )
        return Response({"message": f"Deadline updated to {deadline.isoformat()}.", "detail": ""})


class DormantView(LifecycleView):
    """PUT /workspaces/{workspace}/dormant"""

    @extend_schema(
        request=DormantSerializer,
        responses={200: WorkspaceSerializer, 304: OpenApiResponse(description="It is so already.")},
    )
    def put(self, request: Request, workspace: UUID) -> Response:
        """Put it to sleep, or wake it; 304 when it is so already."""
        found = self.changeable(workspace)
        dormant = self.body(DormantSerializer)["dormant"]
        was_dormant = found.dormant_at is not None
        lifecycle.set_dormancy(
            workspace_id=found.pk, dormant=dormant, now=timezone.now(), actor=self.actor
        )
        if dormant == was_dormant:
            return Response(status=status.HTTP_304_NOT_MODIFIED)
        return Response(workspace_as_json(visible_workspaces(self.user).get(pk=found.pk)))


class AutomaticUpdatesView(LifecycleView):
    """PUT /workspaces/{workspace}/autoupdates"""

    @extend_schema(request=AutomaticUpdatesSerializer, responses={204: None})
    def put(self, request: Request, workspace: UUID) -> Response:
        """Say whether an autostart moves it to the active version."""
        found = self.changeable(workspace)
        lifecycle.set_automatic_updates(
            workspace_id=found.pk,
            automatic_updates=AutomaticUpdates(
                self.body(AutomaticUpdatesSerializer)["automatic_updates"]
            ),
            now=timezone.now(),
            actor=self.actor,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


urlpatterns = [
    path("workspaces/<uuid:workspace>/ttl", TtlView.as_view()),
    path("workspaces/<uuid:workspace>/autostart", AutostartView.as_view()),
    path("workspaces/<uuid:workspace>/extend", ExtendView.as_view()),
    path("workspaces/<uuid:workspace>/dormant", DormantView.as_view()),
    path("workspaces/<uuid:workspace>/autoupdates", AutomaticUpdatesView.as_view()),
]
