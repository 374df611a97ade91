"""How templates look in JSON, with Coder's field names."""

from typing import Any

from rest_framework import serializers

from prebuilds.api.template_input import SpanField
from templates_app.enums import ProvisionerType
from templates_app.models import Template


class TemplateSerializer(serializers.Serializer[Any]):
    """A template, with Coder's field names."""

    id = serializers.UUIDField()
    organization_id = serializers.UUIDField()
    organization_name = serializers.CharField(source="organization.name")
    organization_display_name = serializers.CharField(source="organization.display_name")
    name = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    icon = serializers.CharField()
    provisioner = serializers.SerializerMethodField()
    active_version_id = serializers.UUIDField(allow_null=True)
    active_version_name = serializers.SerializerMethodField()
    deprecated = serializers.SerializerMethodField()
    deprecation_message = serializers.CharField()
    default_ttl_ms = SpanField(source="default_ttl_seconds")
    allow_user_autostart = serializers.BooleanField()
    allow_user_autostop = serializers.BooleanField()
    time_til_dormant_ms = SpanField(source="time_til_dormant_seconds")
    time_til_dormant_autodelete_ms = SpanField(source="time_til_dormant_autodelete_seconds")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_provisioner(self, template: Template) -> ProvisionerType | None:
        """Return the active version's."""
        version = template.active_version
        return ProvisionerType(version.provisioner_type) if version else None

    def get_active_version_name(self, template: Template) -> str | None:
        """Return what people know it by."""
        return template.active_version.name if template.active_version else None

    def get_deprecated(self, template: Template) -> bool:
        """Return whether it makes no new workspaces any more."""
        return bool(template.deprecation_message)


class InvalidatedPresetSerializer(serializers.Serializer[Any]):
    """A preset whose prebuilds are expired from now on."""

    template_name = serializers.CharField(source="version.template.name")
    template_version_name = serializers.CharField(source="version.name")
    preset_name = serializers.CharField(source="name")


class InvalidatedSerializer(serializers.Serializer[Any]):
    """What was invalidated."""

    invalidated = InvalidatedPresetSerializer(many=True)
