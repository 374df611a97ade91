"""Templates: list, make, edit, delete; promote a version; invalidate the pools.

A template is born with its first version: Coder's `template_version_id` names one made before
without a template, which there is none of here, so the version comes along as `version`.
"""

from typing import ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.policy import Action, Resource
from prebuilds import services
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.preconditions import etag, tied_to
from prebuilds.api.base.search import Filters, one_of, read_search
from prebuilds.api.base.serializers import Empty, PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.template_input import TEXT_LIMIT, SpanField, TextField, VersionInput, to_version
from prebuilds.api.template_output import InvalidatedSerializer, TemplateSerializer
from prebuilds.api.template_versions import TemplateVersionSerializer
from prebuilds.api.visible import (
    find_row,
    visible_organization,
    visible_templates,
    visible_versions,
)
from prebuilds.api.workspace_builds import MessageSerializer
from templates_app import services as template_services
from templates_app.models import Template


class TemplateSettingsInput(StrictSerializer):
    """What a template says of itself, and the policy of its workspaces."""

    display_name = serializers.CharField(max_length=128, allow_blank=True, required=False)
    description = TextField(max_length=TEXT_LIMIT, required=False)
    icon = serializers.CharField(max_length=64, allow_blank=True, required=False)
    default_ttl_ms = SpanField(
        source="default_ttl_seconds", required=False, help_text="0: it runs for ever."
    )
    allow_user_autostart = serializers.BooleanField(required=False)
    allow_user_autostop = serializers.BooleanField(required=False)
    time_til_dormant_ms = SpanField(
        source="time_til_dormant_seconds", required=False, help_text="0: never dormant."
    )
    time_til_dormant_autodelete_ms = SpanField(
        source="time_til_dormant_autodelete_seconds",
        required=False,
        help_text="0: a dormant workspace is kept.",
    )


class CreateTemplateInput(TemplateSettingsInput):
    """A template to be made, with its first version."""

    name = serializers.SlugField(max_length=64)
    version = VersionInput()


class UpdateTemplateInput(TemplateSettingsInput):
    """What is to change; what is left out stays."""

    name = serializers.SlugField(max_length=64, required=False)
    deprecation_message = TextField(
        max_length=TEXT_LIMIT,
        required=False,
        help_text="Set: no new workspaces, and its pools drain. Empty: it is in use again.",
    )


class TemplatesQuery(PageQuery):
    """Which templates."""

    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=1000,
        help_text="`name:web deprecated:false`, or a part of the name.",
    )
    deprecated = serializers.BooleanField(
        default=None, allow_null=True, help_text="Only those that are, or are not."
    )


class PromoteInput(StrictSerializer):
    """Which version is to be the active one."""

    id = serializers.UUIDField()


class TemplatesView(ApiView):
    """GET /templates"""

    @extend_schema(parameters=[TemplatesQuery], responses=TemplateSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the templates the caller may see, by name."""
        return answer_templates(self, request, visible_templates(self.user))


class OrganizationTemplatesView(ApiView):
    """GET and POST /organizations/{organization}/templates"""

    error_statuses: ClassVar = (409,)

    @extend_schema(parameters=[TemplatesQuery], responses=TemplateSerializer(many=True))
    def get(self, request: Request, organization: str) -> Response:
        """Return an organization's templates, by name."""
        home = visible_organization(self.user, organization)
        return answer_templates(
            self, request, visible_templates(self.user).filter(organization=home)
        )

    @extend_schema(request=CreateTemplateInput, responses={201: TemplateSerializer})
    def post(self, request: Request, organization: str) -> Response:
        """Make a template with its first version, which is active at once."""
        home = visible_organization(self.user, organization)
        self.require(Action.CREATE, Resource.TEMPLATE, organization_id=home.pk)
        asked = self.body(CreateTemplateInput)
        name, version = asked.pop("name"), to_version(asked.pop("version"))
        made = template_services.add_template(
            organization=home,
            name=name,
            version=version,
            fields=template_services.TemplateChanges(**asked),
            actor=self.actor,
            now=timezone.now(),
        )
        return answer_template(visible_templates(self.user).get(pk=made.pk), 201)


class TemplateByNameView(ApiView):
    """GET /organizations/{organization}/templates/{templatename}"""

    @extend_schema(responses=TemplateSerializer)
    def get(self, request: Request, organization: str, templatename: str) -> Response:
        """Return an organization's template by its name."""
        home = visible_organization(self.user, organization)
        rows = visible_templates(self.user).filter(organization=home)
        return answer_template(find_row(rows, "name", templatename))


class TemplateView(ApiView):
    """GET, PATCH and DELETE /templates/{template}"""

    error_statuses: ClassVar = (409, 410, 412)

    @extend_schema(responses=TemplateSerializer)
    def get(self, request: Request, template: UUID) -> Response:
        """Return one template; its ETag is for If-Match."""
        return answer_template(self.find(template))

    @extend_schema(
        request=UpdateTemplateInput,
        responses={
            200: TemplateSerializer,
            304: OpenApiResponse(description="Nothing changed."),
        },
    )
    def patch(self, request: Request, template: UUID) -> Response:
        """Change a template; deprecating one drains its pools. If-Match is honoured."""
        found = self.find(template, Action.UPDATE)
        changed = template_services.edit_template(
            template_id=found.pk,
            updated_at=tied_to(request, found.updated_at),
            changes=template_services.TemplateChanges(**self.body(UpdateTemplateInput)),
            actor=self.actor,
            now=timezone.now(),
        )
        return answer_template(self.find(template)) if changed else Response(status=304)

    @extend_schema(request=None, responses={200: MessageSerializer})
    def delete(self, request: Request, template: UUID) -> Response:
        """Delete a template nobody has a workspace of; its pools drain."""
        found = self.find(template, Action.DELETE)
        services.delete_template(
            template_id=found.pk,
            updated_at=tied_to(request, found.updated_at),
            actor=self.actor,
            now=timezone.now(),
        )
        return Response({"message": "The template is deleted.", "detail": "Its pools drain."})

    def find(self, template: UUID, action: Action = Action.READ) -> Template:
        """Return a template the caller may do this to; 404 or 403 else."""
        found = get_object_or_404(visible_templates(self.user), pk=template)
        self.require(action, Resource.TEMPLATE, organization_id=found.organization_id)
        return found


class TemplateVersionsView(ApiView):
    """GET and PATCH /templates/{template}/versions"""

    error_statuses: ClassVar = (410,)

    @extend_schema(parameters=[PageQuery], responses=TemplateVersionSerializer(many=True))
    def get(self, request: Request, template: UUID) -> Response:
        """Return a template's versions, newest first."""
        page = self.query(PageQuery)
        found = get_object_or_404(visible_templates(self.user), pk=template)
        rows = visible_versions(self.user).filter(template=found)
        return answer_page(
            request,
            rows.order_by("-created_at", "-id"),
            page,
            lambda one: TemplateVersionSerializer(one).data,
        )

    @extend_schema(request=PromoteInput, responses=MessageSerializer)
    def patch(self, request: Request, template: UUID) -> Response:
        """Promote a version: new workspaces and pools use it from now on."""
        found = get_object_or_404(visible_templates(self.user), pk=template)
        self.require(Action.UPDATE, Resource.TEMPLATE, organization_id=found.organization_id)
        promoted = template_services.promote_version(
            template_id=found.pk,
            version_id=self.body(PromoteInput)["id"],
            actor=self.actor,
            now=timezone.now(),
        )
        version = promoted.active_version
        return Response({"message": f"The active version is {version}.", "detail": ""})


class InvalidateView(ApiView):
    """POST /templates/{template}/prebuilds/invalidate"""

    @extend_schema(request=Empty, responses=InvalidatedSerializer)
    def post(self, request: Request, template: UUID) -> Response:
        """Expire every prebuild of the active version; the next cycle replaces them."""
        found = get_object_or_404(visible_templates(self.user), pk=template)
        self.require(Action.UPDATE, Resource.TEMPLATE, organization_id=found.organization_id)
        self.body(Empty)
        presets = template_services.invalidate_template(
            template_id=found.pk, actor=self.actor, now=timezone.now()
        )
        return Response(InvalidatedSerializer({"invalidated": presets}).data)


def answer_template(template: Template, code: int = status.HTTP_200_OK) -> Response:
    """Return a template with its ETag."""
    tag = {"ETag": etag(template.updated_at)}
    return Response(TemplateSerializer(template).data, status=code, headers=tag)


def answer_templates(view: ApiView, request: Request, rows: QuerySet[Template]) -> Response:
    """Return the part of these templates that the query asks for."""
    asked = view.query(TemplatesQuery)
    rows = rows.filter(read_search(asked["q"], FILTERS))
    if asked["deprecated"] is not None:
        rows = rows.filter(_deprecated(str(asked["deprecated"])))
    return answer_page(request, rows, asked, lambda one: TemplateSerializer(one).data)


def _named(value: str) -> Q:
    return Q(name__icontains=value) | Q(display_name__icontains=value)


def _deprecated(value: str) -> Q:
    live = Q(deprecation_message="")
    return ~live if one_of(value, ["true", "false"]) == "true" else live


FILTERS: Filters = {
    "": _named,
    "name": _named,
    "exact_name": lambda value: Q(name__iexact=value),
    "organization": lambda value: Q(organization__name__iexact=value),
    "deprecated": _deprecated,
}

urlpatterns = [
    path("templates", TemplatesView.as_view()),
    path("templates/<uuid:template>", TemplateView.as_view()),
    path("templates/<uuid:template>/versions", TemplateVersionsView.as_view()),
    path("templates/<uuid:template>/prebuilds/invalidate", InvalidateView.as_view()),
    path("organizations/<str:organization>/templates", OrganizationTemplatesView.as_view()),
    path(
        "organizations/<str:organization>/templates/<str:templatename>",
        TemplateByNameView.as_view(),
    ),
]
