"""Create a workspace: hand over a ready one, or build one (semantics.md 14)."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.enums import TokenScope
from accounts.models import Organization
from accounts.policy import Action, Resource, subject_of
from prebuilds import claims
from prebuilds.api.base.serializers import StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import visible_user, workspaces_with_relations
from prebuilds.api.workspace_builds import PARAMETERS_LIMIT, ParameterSerializer, values_of
from prebuilds.api.workspace_lifecycle import SCHEDULE_LIMIT, TtlField
from prebuilds.api.workspaces import WorkspaceSerializer, workspace_as_json
from templates_app.models import Template
from workspaces.enums import AutomaticUpdates
from workspaces.models import Workspace

KEY_LIMIT = 255
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key and body give the same workspace, however often they are sent.",
)


class CreateWorkspaceSerializer(StrictSerializer):
    """What somebody asks for; the field names are Coder's."""

    template_id = serializers.UUIDField(required=False)
    template_version_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="Default: the template's active version."
    )
    template_version_preset_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="Default: what the parameter values match."
    )
    name = serializers.CharField(max_length=64)
    rich_parameter_values = serializers.ListField(
        child=ParameterSerializer(), required=False, max_length=PARAMETERS_LIMIT
    )
    ttl_ms = TtlField(
        required=False,
        allow_null=True,
        help_text="How long a start lasts; default: the template's.",
    )
    autostart_schedule = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=SCHEDULE_LIMIT,
        help_text="When it starts by itself, such as `CRON_TZ=Europe/Berlin 30 9 * * 1-5`.",
    )
    automatic_updates = serializers.ChoiceField(
        choices=AutomaticUpdates.choices, default=AutomaticUpdates.NEVER
    )


class OutlookSerializer(serializers.Serializer[Any]):
    """What to expect of a pool that was empty."""

    being_built = serializers.IntegerField(help_text="How many prebuilds are on their way.")
    usual_build_seconds = serializers.FloatField(
        allow_null=True,
        help_text="The usual time from asking to ready; null when it was never built.",
    )


class CreatedWorkspaceSerializer(WorkspaceSerializer):
    """A workspace just made; an empty pool says what is on its way."""

    outlook = OutlookSerializer(allow_null=True, help_text="Only when the pool was empty.")


class CreateWorkspaceView(ApiView):
    """POST /organizations/{organization}/members/{user}/workspaces"""

    write_scope = TokenScope.USE
    error_statuses: ClassVar = (409,)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=CreateWorkspaceSerializer,
        responses={201: CreatedWorkspaceSerializer},
    )
    def post(self, request: Request, user: str, organization: UUID | None = None) -> Response:
        """Hand over a ready workspace, or build one; 201 either way, `claim` says which."""
        owner = visible_user(self.user, user)
        if organization is not None:
            home = get_object_or_404(Organization, pk=organization)
            self.require(Action.READ, Resource.TEMPLATE, organization_id=home.pk)
            self.require(
                Action.CREATE, Resource.WORKSPACE, organization_id=home.pk, owner_id=owner.pk
            )
        asked = self.body(CreateWorkspaceSerializer)
        template = find_template(self, organization, asked)
        self.require(
            Action.CREATE,
            Resource.WORKSPACE,
            organization_id=template.organization_id,
            owner_id=owner.pk,
        )
        result = claims.claim_or_create_workspace(
            owner=owner,
            template=template,
            preset_id=asked.get("template_version_preset_id"),
            name=asked["name"],
            parameters=values_of(asked),
            now=timezone.now(),
            options=options_of(request, asked),
            actor=self.actor,
        )
        got = workspace_of(result, template.organization)
        answer = {**workspace_as_json(got), "outlook": outlook_as_json(result.outlook)}
        return Response(answer, status=status.HTTP_201_CREATED)


class CreateOwnWorkspaceView(CreateWorkspaceView):
    """POST /users/{user}/workspaces: the organization is the template's."""


def options_of(request: Request, asked: Mapping[str, Any]) -> claims.Options:
    """Return what the request says beyond template, preset, name and values."""
    return claims.Options(
        template_version_id=asked.get("template_version_id"),
        ttl_seconds=(asked.get("ttl_ms") or 0) // 1_000 or None,
        autostart_schedule=asked.get("autostart_schedule") or "",
        automatic_updates=AutomaticUpdates(asked["automatic_updates"]),
        idempotency_key=idempotency_key(request),
    )


def workspace_of(result: claims.ClaimResult, home: Organization) -> Workspace:
    """Return what somebody got, with everything its JSON needs.

    What was handed over or made just now is known down to its job, and its build has made nothing
    yet: only what an earlier request got is read.
    """
    workspace = result.workspace
    if result.repeated:
        return workspaces_with_relations().get(pk=workspace.pk)
    assert workspace.latest_build is not None
    workspace.organization, workspace.latest_build.initiator = home, workspace.owner
    workspace.latest_build.shown_resources = []  # type: ignore[attr-defined]  # as if read
    return workspace


def outlook_as_json(outlook: claims.Outlook | None) -> dict[str, Any] | None:
    """Return what to expect of an empty pool; None for a pool that was not."""
    if outlook is None:
        return None
    usual = outlook.usual_build_time
    return {
        "being_built": outlook.being_built,
        "usual_build_seconds": usual.total_seconds() if usual else None,
    }


def find_template(view: ApiView, organization: UUID | None, asked: Mapping[str, Any]) -> Template:
    """Return the template a request names, itself or by one of its versions; 404 when none."""
    templates = Template.objects.select_related("organization")
    readable = subject_of(view.user).readable_organizations(Resource.TEMPLATE)
    if organization is not None:
        templates = templates.filter(organization=organization)
    elif readable is not None:
        templates = templates.filter(organization__in=readable)
    if asked.get("template_id"):
        return get_object_or_404(templates, pk=asked["template_id"])
    if asked.get("template_version_id"):
        return get_object_or_404(templates, versions=asked["template_version_id"])
    raise serializers.ValidationError(
        {"template_id": ["Name a template here, or one of its versions in template_version_id."]}
    )


def idempotency_key(request: Request) -> str:
    """Return the request's Idempotency-Key; empty when it carries none."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LIMIT or not key.isprintable():
        raise serializers.ValidationError(
            {"Idempotency-Key": [f"Send at most {KEY_LIMIT} printable characters."]}
        )
    return key


urlpatterns = [
    path(
        "organizations/<uuid:organization>/members/<str:user>/workspaces",
        CreateWorkspaceView.as_view(),
    ),
    path("users/<str:user>/workspaces", CreateOwnWorkspaceView.as_view()),
]
