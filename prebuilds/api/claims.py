"""Claims and misses: who asked for a workspace, and whether one stood ready (semantics.md 14)."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from prebuilds import selectors
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.serializers import PageQuery
from prebuilds.api.base.views import ApiView
from prebuilds.models import ClaimOutcome, ClaimReason
from prebuilds.selectors import ClaimFilter


class ClaimSerializer(serializers.Serializer[Any]):
    """One request for a workspace; one that the quota refused has none."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=ClaimOutcome.choices)
    reason = serializers.ChoiceField(choices=ClaimReason.choices)
    user_id = serializers.UUIDField()
    user_name = serializers.CharField(source="user.username")
    organization_id = serializers.UUIDField(source="template.organization_id")
    template_id = serializers.UUIDField()
    template_name = serializers.CharField(source="template.name")
    template_version_name = serializers.CharField(
        source="preset.version.name", default="", help_text="The preset's."
    )
    preset_id = serializers.UUIDField(allow_null=True)
    preset_name = serializers.CharField(source="preset.name", default="")
    workspace_id = serializers.UUIDField(allow_null=True)
    workspace_name = serializers.CharField(source="workspace.name", default="")
    duration_seconds = serializers.FloatField(help_text="How long the request took.")
    wait_seconds = serializers.FloatField(
        allow_null=True,
        help_text="From asking until the workspace was ready as its owner's; null until known.",
    )


class ClaimsQuery(PageQuery):
    """Which requests; filters that are not given leave out nothing."""

    outcome = serializers.ChoiceField(choices=ClaimOutcome.choices, default="")
    reason = serializers.ChoiceField(choices=ClaimReason.choices, default="")
    template_id = serializers.UUIDField(default=None)
    preset_id = serializers.UUIDField(default=None)
    user = serializers.CharField(
        default="", max_length=150, help_text="Part of a name, or `me` for one's own."
    )
    since = serializers.DateTimeField(default=None, help_text="Asked at or after this instant.")
    before = serializers.DateTimeField(default=None, help_text="Asked before this instant.")


class ClaimsView(ApiView):
    """GET /prebuilds/claims"""

    @extend_schema(parameters=[ClaimsQuery], responses=ClaimSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return one's own requests, and those in organizations whose workspaces one may read."""
        asked = self.query(ClaimsQuery)
        given = {name: value for name, value in asked.items() if name not in ("limit", "offset")}
        claims = selectors.list_claims(self.user, ClaimFilter(**given))
        rows = claims.select_related("user", "template", "preset__version", "workspace")
        ordered = rows.order_by("-created_at", "-id")
        return answer_page(request, ordered, asked, lambda one: ClaimSerializer(one).data)


urlpatterns = [path("prebuilds/claims", ClaimsView.as_view())]
