"""How presets look in JSON: Coder's shape in a version's list, ours everywhere else."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from prebuilds.core.actions import Reason
from templates_app.enums import PrebuildStatus
from templates_app.models import Preset


class ScheduleSerializer(serializers.Serializer[Any]):
    """A range of time with its own number of instances."""

    cron_expression = serializers.CharField()
    desired_instances = serializers.IntegerField()


class PresetSerializer(serializers.Serializer[Any]):
    """A preset, its pool's settings, and how the pool may fare."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    organization_id = serializers.UUIDField(source="version.template.organization_id")
    template_id = serializers.UUIDField(source="version.template_id")
    template_name = serializers.CharField(source="version.template.name")
    template_version_id = serializers.UUIDField(source="version_id")
    template_version_name = serializers.CharField(source="version.name")
    is_active = serializers.SerializerMethodField()
    description = serializers.CharField()
    icon = serializers.CharField()
    is_default = serializers.BooleanField()
    parameters = serializers.SerializerMethodField()
    desired_instances = serializers.IntegerField(allow_null=True)
    ttl_seconds = serializers.IntegerField(allow_null=True)
    scheduling_timezone = serializers.CharField()
    schedules = ScheduleSerializer(many=True)
    prebuild_status = serializers.ChoiceField(choices=PrebuildStatus.choices)
    status_reason = serializers.CharField()
    status_since = serializers.DateTimeField(allow_null=True)
    last_invalidated_at = serializers.DateTimeField(allow_null=True)
    failures_reset_at = serializers.DateTimeField(allow_null=True)
    revision = serializers.IntegerField(help_text="Goes up with each edit; the ETag's content.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_is_active(self, preset: Preset) -> bool:
        """Return whether people get this preset now: active version, template in use."""
        template = preset.version.template
        return template.is_usable and template.active_version_id == preset.version_id

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_parameters(self, preset: Preset) -> dict[str, str]:
        """Return the values by name."""
        return {row.name: row.value for row in preset.parameters.all()}


class _ParameterValue(serializers.Serializer[Any]):
    """One value of a preset; Coder sends these names capitalised."""

    Name = serializers.CharField(source="name")
    Value = serializers.CharField(source="value")


class VersionPresetSerializer(serializers.Serializer[Any]):
    """A preset as Coder sends it, names capitalised; the rest of it is at /presets/{preset}."""

    ID = serializers.UUIDField(source="id")
    Name = serializers.CharField(source="name")
    Parameters = _ParameterValue(many=True, source="parameters")
    Default = serializers.BooleanField(source="is_default")
    DesiredPrebuildInstances = serializers.IntegerField(source="desired_instances", allow_null=True)
    Description = serializers.CharField(source="description")
    Icon = serializers.CharField(source="icon")
    PrebuildStatus = serializers.ChoiceField(
        source="prebuild_status", choices=PrebuildStatus.choices, help_text="Not Coder's."
    )


class PresetProblemSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.SerializerMethodField()
    detail = serializers.SerializerMethodField()

    def get_field(self, problem: tuple[str, str]) -> str:
        """Return which field it is."""
        return problem[0]

    def get_detail(self, problem: tuple[str, str]) -> str:
        """Return what is wrong, and the remedy."""
        return problem[1]


class PoolPlanSerializer(serializers.Serializer[Any]):
    """What the next cycle would do for one pool, before all pools share what there is."""

    desired = serializers.IntegerField()
    running = serializers.IntegerField()
    starting = serializers.IntegerField()
    create = serializers.IntegerField()  # type: ignore[assignment]  # a field of that name
    delete = serializers.IntegerField()
    cancel = serializers.IntegerField(help_text="Pending starts that would be cancelled.")
    hold = serializers.IntegerField(help_text="Missing, and not created for now.")
    hold_reason = serializers.ChoiceField(
        choices=[(reason.value, reason.value) for reason in Reason], allow_null=True
    )
