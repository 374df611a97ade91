"""Presets and their pools: read, preview, edit, retry, invalidate, history. Not Coder's.

Two editors never overwrite each other: an edit names the revision it was made on (If-Match).
"""

from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy
from accounts.enums import AuditSource, TokenScope
from accounts.models import AuditEntry
from accounts.policy import Action, Resource
from prebuilds import plans
from prebuilds import services as prebuild_services
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.preconditions import etag, tied_to
from prebuilds.api.base.serializers import Empty, PageQuery
from prebuilds.api.base.views import ApiView
from prebuilds.api.preset_output import (
    PoolPlanSerializer,
    PresetProblemSerializer,
    PresetSerializer,
)
from prebuilds.api.template_input import PresetSettingsInput, to_settings
from prebuilds.api.template_versions import AuthorSerializer
from prebuilds.api.visible import visible_presets
from templates_app import services
from templates_app.models import Preset
from templates_app.schedules import Change
from templates_app.selectors import history_of_preset
from templates_app.services import PresetChanges

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description='The ETag of the preset as it was read; "*" overwrites whatever is there.',
)


class StepSerializer(serializers.Serializer[Any]):
    """From then on so many are wanted; the schedule that says so, null: none, the preset itself."""

    at = serializers.DateTimeField()
    instances = serializers.IntegerField()
    schedule = serializers.SerializerMethodField()

    def get_schedule(self, step: Change) -> str | None:
        """Return the expression."""
        return step.schedule.expression if step.schedule else None


class DaySerializer(serializers.Serializer[Any]):
    """A day in the preset's zone: how many are wanted in each hour; null: DST skips it."""

    date = serializers.DateField()
    hours = serializers.ListField(
        child=serializers.IntegerField(allow_null=True), min_length=24, max_length=24
    )


class DifferenceSerializer(serializers.Serializer[Any]):
    """Only what would change, before and after."""

    before = serializers.DictField()
    after = serializers.DictField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What saving would bring: 14 days of steps, a week by the hour, the next cycle's doing.

    With problems, or without a pool, there is nothing to foresee.
    """

    problems = PresetProblemSerializer(many=True)
    changes = DifferenceSerializer(source="difference")
    steps = serializers.SerializerMethodField()
    heat_map = serializers.SerializerMethodField()
    plan = PoolPlanSerializer(allow_null=True)
    paused = serializers.BooleanField(help_text="No cycle does anything until it is resumed.")

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, preview: plans.EditPreview) -> Any:
        """Return the steps; the first is what holds now."""
        return StepSerializer(preview.forecast.steps if preview.forecast else (), many=True).data

    @extend_schema_field(DaySerializer(many=True))
    def get_heat_map(self, preview: plans.EditPreview) -> Any:
        """Return the days, from today on."""
        return DaySerializer(preview.forecast.heat_map if preview.forecast else (), many=True).data


class HistorySerializer(serializers.Serializer[Any]):
    """Who did what to the preset; before and after hold only what changed."""

    id = serializers.IntegerField()
    time = serializers.DateTimeField(source="at")
    action = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field of that name
        choices=AuditSource.choices, help_text="Through which door it came."
    )
    user = AuthorSerializer(
        source="actor", allow_null=True, help_text="null: a command or the system itself."
    )
    before = serializers.DictField()
    after = serializers.DictField()


class PresetView(ApiView):
    """What the views of one preset share."""

    def find(self, preset: UUID, action: Action = Action.READ) -> Preset:
        """Return a preset of a template the caller may do this to; 404 or 403 else."""
        found = get_object_or_404(visible_presets(self.user), pk=preset)
        self.require(action, Resource.TEMPLATE, organization_id=home_of(found))
        return found

    def answer(self, preset: UUID) -> Response:
        """Return the preset as it is now, with its ETag."""
        found = self.find(preset)
        return Response(PresetSerializer(found).data, headers={"ETag": etag(found.revision)})


class OnePresetView(PresetView):
    """GET, PATCH and DELETE /presets/{preset}"""

    error_statuses: ClassVar = (409, 412, 428)

    @extend_schema(responses=PresetSerializer)
    def get(self, request: Request, preset: UUID) -> Response:
        """Return a preset; its ETag is for If-Match."""
        return self.answer(preset)

    @extend_schema(parameters=[IF_MATCH], request=PresetSettingsInput, responses=PresetSerializer)
    def patch(self, request: Request, preset: UUID) -> Response:
        """Change settings; a changed parameter value replaces the pool, which had the old one."""
        found = self.find(preset, Action.UPDATE)
        services.edit_preset(
            preset_id=found.pk,
            revision=tied_to(request, found.revision, required=True),
            changes=PresetChanges(**to_settings(self.body(PresetSettingsInput))),
            actor=self.actor,
            now=timezone.now(),
        )
        return self.answer(preset)

    @extend_schema(parameters=[IF_MATCH], request=None, responses={204: None})
    def delete(self, request: Request, preset: UUID) -> Response:
        """Delete a preset nothing was ever built from; others keep their history (409)."""
        found = self.find(preset, Action.UPDATE)
        prebuild_services.delete_preset(
            preset_id=found.pk,
            revision=tied_to(request, found.revision, required=True),
            actor=self.actor,
            now=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class PreviewView(PresetView):
    """POST /presets/{preset}/preview"""

    write_scope = TokenScope.READ

    @extend_schema(request=PresetSettingsInput, responses=PreviewSerializer)
    def post(self, request: Request, preset: UUID) -> Response:
        """Return what saving these settings would bring; nothing is saved."""
        found = self.find(preset, Action.UPDATE)
        changes = PresetChanges(**to_settings(self.body(PresetSettingsInput)))
        preview = plans.preview_edit(preset=found, changes=changes, now=timezone.now())
        return Response(PreviewSerializer(preview).data)


class RetryView(PresetView):
    """POST /presets/{preset}/retry"""

    @extend_schema(request=Empty, responses=PresetSerializer)
    def post(self, request: Request, preset: UUID) -> Response:
        """Forget past failures: the next cycle tries again."""
        found = self.find(preset, Action.UPDATE)
        self.body(Empty)
        services.retry_preset(preset_id=found.pk, actor=self.actor, now=timezone.now())
        return self.answer(preset)


class InvalidatePresetView(PresetView):
    """POST /presets/{preset}/invalidate"""

    @extend_schema(request=Empty, responses=PresetSerializer)
    def post(self, request: Request, preset: UUID) -> Response:
        """Expire every prebuild made before now; the next cycle replaces them."""
        found = self.find(preset, Action.UPDATE)
        self.body(Empty)
        services.invalidate_presets(preset_ids=[found.pk], actor=self.actor, now=timezone.now())
        return self.answer(preset)


class HistoryView(PresetView):
    """GET /presets/{preset}/history"""

    @extend_schema(parameters=[PageQuery], responses=HistorySerializer(many=True))
    def get(self, request: Request, preset: UUID) -> Response:
        """Return what was done to the preset, newest first; for those who may edit or audit it."""
        page = self.query(PageQuery)
        found = self.find(preset)
        if not policy.can(self.user, Action.READ, Resource.AUDIT_LOG):
            self.require(Action.UPDATE, Resource.TEMPLATE, organization_id=home_of(found))
        return answer_page(request, history_of_preset(found.pk), page, history_as_json)


def home_of(preset: Preset) -> UUID:
    """Return the organization the preset's template belongs to."""
    return preset.version.template.organization_id


def history_as_json(entry: AuditEntry) -> dict[str, Any]:
    """Return one entry of a preset's history."""
    return dict(HistorySerializer(entry).data)


urlpatterns = [
    path("presets/<uuid:preset>", OnePresetView.as_view()),
    path("presets/<uuid:preset>/preview", PreviewView.as_view()),
    path("presets/<uuid:preset>/retry", RetryView.as_view()),
    path("presets/<uuid:preset>/invalidate", InvalidatePresetView.as_view()),
    path("presets/<uuid:preset>/history", HistoryView.as_view()),
]
