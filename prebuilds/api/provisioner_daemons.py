"""Provisioner daemons: who is there, since when, and what they are doing."""

from typing import Any
from uuid import UUID

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.policy import Action, Resource
from prebuilds.api.base.serializers import Empty
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import visible_organization
from workspaces.enums import DaemonStatus
from workspaces.selectors import DaemonRow, list_daemons


class DaemonJobSerializer(serializers.Serializer[Any]):
    """What a daemon is doing."""

    id = serializers.UUIDField(source="job_id")
    workspace_id = serializers.UUIDField()
    workspace_name = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)


class DaemonSerializer(serializers.Serializer[Any]):
    """A daemon, with Coder's field names; without an organization it serves all of them."""

    id = serializers.UUIDField(source="daemon_id")
    name = serializers.CharField()
    hostname = serializers.CharField(allow_blank=True)
    version = serializers.CharField(allow_blank=True)
    organization_id = serializers.UUIDField(allow_null=True)
    key_id = serializers.UUIDField(allow_null=True)
    key_name = serializers.CharField(allow_blank=True)
    provisioners = serializers.ListField(child=serializers.CharField(), source="provisioner_types")
    tags = serializers.DictField(child=serializers.CharField())
    concurrency = serializers.IntegerField()
    machine = serializers.CharField(
        allow_blank=True,
        help_text="Where it keeps workspaces, shared by daemons of one place; empty: not told.",
    )
    created_at = serializers.DateTimeField(source="started_at")
    last_seen_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=DaemonStatus.choices)
    current_job = serializers.SerializerMethodField()
    jobs = DaemonJobSerializer(many=True)

    @extend_schema(responses=DaemonJobSerializer(allow_null=True))
    def get_current_job(self, daemon: DaemonRow) -> dict[str, Any] | None:
        """Return the job it has been at for longest."""
        return dict(DaemonJobSerializer(daemon.jobs[0]).data) if daemon.jobs else None


class DaemonsView(ApiView):
    """GET /organizations/{organization}/provisionerdaemons"""

    @extend_schema(responses=DaemonSerializer(many=True))
    def get(self, request: Request, organization: UUID) -> Response:
        """Return the daemons that serve the organization, those online first."""
        home = visible_organization(self.user, organization)
        self.require(Action.READ, Resource.PROVISIONER, organization_id=home.pk)
        self.query(Empty)
        daemons = list_daemons(now=timezone.now(), organization_ids={home.pk})
        return Response([DaemonSerializer(daemon).data for daemon in daemons])


urlpatterns = [
    path("organizations/<uuid:organization>/provisionerdaemons", DaemonsView.as_view()),
]
