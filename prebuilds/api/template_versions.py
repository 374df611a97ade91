"""Template versions: make, read; their parameters and presets; what promoting one would do."""

from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy
from accounts.policy import Action, Resource
from prebuilds import plans
from prebuilds.api.base.preconditions import etag
from prebuilds.api.base.views import ApiView
from prebuilds.api.preset_output import (
    PoolPlanSerializer,
    PresetProblemSerializer,
    PresetSerializer,
    VersionPresetSerializer,
)
from prebuilds.api.template_input import PresetInput, VersionInput, to_preset, to_version
from prebuilds.api.visible import (
    visible_organization,
    visible_presets,
    visible_templates,
    visible_versions,
)
from templates_app import services as template_services
from templates_app.enums import Monotonic, ParameterType, ProvisionerType
from templates_app.models import ParameterDefinition, TemplateVersion


class AuthorSerializer(serializers.Serializer[Any]):
    """Who made it."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    name = serializers.CharField()


class TemplateVersionSerializer(serializers.Serializer[Any]):
    """A version, with Coder's field names. It never changes and needs no import job."""

    id = serializers.UUIDField()
    template_id = serializers.UUIDField()
    organization_id = serializers.UUIDField(source="template.organization_id")
    name = serializers.CharField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(source="created_at")
    created_by = AuthorSerializer()
    is_active = serializers.SerializerMethodField()
    provisioner = serializers.ChoiceField(
        source="provisioner_type", choices=ProvisionerType.choices
    )
    startup_timeout_seconds = serializers.IntegerField()
    tags = serializers.DictField(child=serializers.CharField())
    daily_cost = serializers.IntegerField()

    def get_is_active(self, version: TemplateVersion) -> bool:
        """Return whether new workspaces and pools use it."""
        return version.template.active_version_id == version.pk


class WholeVersionSerializer(TemplateVersionSerializer):
    """A version with what it puts into a workspace, for those who may change the template."""

    startup_script = serializers.CharField(allow_null=True)
    source_files = serializers.DictField(child=serializers.CharField(), allow_null=True)


class CreateVersionInput(VersionInput):
    """A version to be made of a template that there is."""

    template_id = serializers.UUIDField()


class OptionSerializer(serializers.Serializer[Any]):
    """One of the values to choose from."""

    name = serializers.CharField()
    description = serializers.CharField()
    value = serializers.CharField()
    icon = serializers.CharField()


class RichParameterSerializer(serializers.Serializer[Any]):
    """A value the version asks for, with Coder's field names."""

    name = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    description_plaintext = serializers.CharField(source="description")
    type = serializers.ChoiceField(choices=ParameterType.choices)
    mutable = serializers.BooleanField()
    default_value = serializers.SerializerMethodField()
    icon = serializers.SerializerMethodField()
    options = serializers.SerializerMethodField()
    validation_error = serializers.CharField()
    validation_regex = serializers.CharField()
    validation_min = serializers.IntegerField(allow_null=True)
    validation_max = serializers.IntegerField(allow_null=True)
    validation_monotonic = serializers.ChoiceField(choices=Monotonic.choices, allow_blank=True)
    required = serializers.BooleanField()  # type: ignore[assignment]  # a field of that name
    ephemeral = serializers.BooleanField()

    def get_default_value(self, row: ParameterDefinition) -> str:
        """Return the default; empty when there is none, as Coder says it."""
        return row.default or ""

    def get_icon(self, row: ParameterDefinition) -> str:
        """Return nothing: parameters have no icons."""
        return ""

    @extend_schema_field(OptionSerializer(many=True))
    def get_options(self, row: ParameterDefinition) -> list[dict[str, str]]:
        """Return the values to choose from, which are their own names."""
        return [
            {"name": value, "description": "", "value": value, "icon": ""} for value in row.options
        ]


class VerdictSerializer(serializers.Serializer[Any]):
    """Whether a preset would hold, and what its pool would do; null: it keeps none."""

    preset_id = serializers.UUIDField()
    preset_name = serializers.CharField()
    problems = PresetProblemSerializer(many=True)
    pool = PoolPlanSerializer(allow_null=True)


class PromotionSerializer(serializers.Serializer[Any]):
    """What promoting the version would do in the next cycle; none does anything while paused."""

    presets = VerdictSerializer(many=True)
    create = serializers.IntegerField()  # type: ignore[assignment]  # a field of that name
    delete = serializers.IntegerField(help_text="Prebuilds, of other versions above all.")
    cancel = serializers.IntegerField(help_text="Pending starts that would be cancelled.")
    paused = serializers.BooleanField()


class CreateVersionView(ApiView):
    """POST /organizations/{organization}/templateversions"""

    error_statuses: ClassVar = (409, 410)

    @extend_schema(request=CreateVersionInput, responses={201: WholeVersionSerializer})
    def post(self, request: Request, organization: str) -> Response:
        """Add a version to a template; it is not promoted."""
        home = visible_organization(self.user, organization)
        self.require(Action.UPDATE, Resource.TEMPLATE, organization_id=home.pk)
        asked = self.body(CreateVersionInput)
        template = visible_templates(self.user).filter(organization=home, pk=asked["template_id"])
        made = template_services.add_version(
            template=get_object_or_404(template),
            spec=to_version(asked),
            actor=self.actor,
            now=timezone.now(),
        )
        return Response(WholeVersionSerializer(made).data, status=status.HTTP_201_CREATED)


class VersionView(ApiView):
    """What the views of one version share."""

    def find(self, version: UUID, action: Action = Action.READ) -> TemplateVersion:
        """Return a version of a template the caller may do this to; 404 or 403 else."""
        found = get_object_or_404(visible_versions(self.user), pk=version)
        home = found.template.organization_id
        self.require(action, Resource.TEMPLATE, organization_id=home)
        return found


class TemplateVersionView(VersionView):
    """GET /templateversions/{version}"""

    @extend_schema(responses=WholeVersionSerializer)
    def get(self, request: Request, version: UUID) -> Response:
        """Return a version; script and files are null for those who may not change it."""
        found = self.find(version)
        body = dict(WholeVersionSerializer(found).data)
        where = {"organization_id": found.template.organization_id}
        if not policy.can(self.user, Action.UPDATE, Resource.TEMPLATE, **where):
            body |= {"startup_script": None, "source_files": None}
        return Response(body)


class RichParametersView(VersionView):
    """GET /templateversions/{version}/rich-parameters"""

    @extend_schema(responses=RichParameterSerializer(many=True))
    def get(self, request: Request, version: UUID) -> Response:
        """Return what the version asks for, in order."""
        rows = self.find(version).parameter_definitions.order_by("position", "name")
        return Response(RichParameterSerializer(rows, many=True).data)


class VersionPresetsView(VersionView):
    """GET and POST /templateversions/{version}/presets"""

    error_statuses: ClassVar = (409, 410)

    @extend_schema(responses=VersionPresetSerializer(many=True))
    def get(self, request: Request, version: UUID) -> Response:
        """Return the version's presets by name, in Coder's shape."""
        rows = visible_presets(self.user).filter(version=self.find(version))
        return Response(VersionPresetSerializer(rows, many=True).data)

    @extend_schema(request=PresetInput, responses={201: PresetSerializer})
    def post(self, request: Request, version: UUID) -> Response:
        """Add a preset to the version."""
        found = self.find(version, Action.UPDATE)
        made = template_services.add_preset(
            version=found,
            spec=to_preset(self.body(PresetInput)),
            actor=self.actor,
            now=timezone.now(),
        )
        tag = {"ETag": etag(made.revision)}
        return Response(PresetSerializer(made).data, status=status.HTTP_201_CREATED, headers=tag)


class PromotionView(VersionView):
    """GET /templateversions/{version}/promotion"""

    @extend_schema(responses=PromotionSerializer)
    def get(self, request: Request, version: UUID) -> Response:
        """Return what promoting the version would do: presets that fail, prebuilds replaced."""
        plan = plans.plan_promotion(version=self.find(version, Action.UPDATE), now=timezone.now())
        return Response(PromotionSerializer(plan).data)


urlpatterns = [
    path("organizations/<str:organization>/templateversions", CreateVersionView.as_view()),
    path("templateversions/<uuid:version>", TemplateVersionView.as_view()),
    path("templateversions/<uuid:version>/rich-parameters", RichParametersView.as_view()),
    path("templateversions/<uuid:version>/presets", VersionPresetsView.as_view()),
    path("templateversions/<uuid:version>/promotion", PromotionView.as_view()),
]
