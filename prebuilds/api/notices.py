"""Notices: incidents of pools, from when they began until they ended (semantics.md 21)."""

from typing import Any

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.policy import Resource, subject_of
from prebuilds import selectors
from prebuilds.api.base.serializers import StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.models import NoticeKind

AT_MOST = 500


class NoticeSerializer(serializers.Serializer[Any]):
    """One incident; one of a whole organization names no preset."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=NoticeKind.choices)
    title = serializers.CharField()
    detail = serializers.CharField(help_text="The error's own words.")
    details = serializers.DictField(help_text="Workspaces, resources, paths; by kind.")
    organization_id = serializers.UUIDField()
    organization_name = serializers.CharField()
    template_id = serializers.UUIDField(allow_null=True)
    template_name = serializers.CharField(allow_blank=True)
    template_version_name = serializers.CharField(source="version_name", allow_blank=True)
    preset_id = serializers.UUIDField(allow_null=True)
    preset_name = serializers.CharField(allow_blank=True)
    workspace_id = serializers.UUIDField(allow_null=True)
    workspace_name = serializers.CharField(allow_blank=True)
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    lasted_seconds = serializers.SerializerMethodField()
    cold_starts = serializers.IntegerField(help_text="What it cost: misses while it was open.")
    cold_starts_last_hour = serializers.IntegerField()
    next_at = serializers.DateTimeField(
        allow_null=True, help_text="When it ends by itself, if it does."
    )

    def get_lasted_seconds(self, notice: selectors.NoticeRow) -> float:
        """Return how long it lasted, or has lasted until now."""
        return notice.lasted.total_seconds()


class NoticesQuery(StrictSerializer):
    """Which notices."""

    open = serializers.BooleanField(default=True, help_text="false: closed ones too.")
    limit = serializers.IntegerField(default=AT_MOST, min_value=1, max_value=AT_MOST)


class NoticesView(ApiView):
    """GET /prebuilds/notices"""

    @extend_schema(parameters=[NoticesQuery], responses=NoticeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return what is the matter with the pools the caller may read; open ones first."""
        asked = self.query(NoticesQuery)
        notices = selectors.list_notices(
            now=timezone.now(),
            open_only=asked["open"],
            organization_ids=subject_of(self.user).readable_organizations(Resource.TEMPLATE),
            limit=asked["limit"],
        )
        return Response([NoticeSerializer(one).data for one in notices])


urlpatterns = [path("prebuilds/notices", NoticesView.as_view())]
