"""Parameter values and schedules across all presets, to look at; they are edited with theirs."""

from typing import Any

from django.contrib import admin

from accounts.admin.base import ReadableRelatedFilter, ReadOnlyAdmin
from accounts.policy import Resource
from templates_app.models import PresetParameter, PresetSchedule


class _OfPreset(ReadOnlyAdmin[Any]):
    """Rows of presets, across all of them."""

    resource = Resource.TEMPLATE
    organization_path = "preset__version__template__organization_id"
    list_select_related = ("preset__version__template",)
    list_filter = (("preset__version__template", ReadableRelatedFilter),)
    ordering = ("preset__version__template__name", "preset__name", "pk")

    @admin.display(ordering="preset__version__template__name")
    def template(self, row: Any) -> str:
        """Return whose it is."""
        return f"{row.preset.version.template} {row.preset.version}"


@admin.register(PresetParameter)
class PresetParameterAdmin(_OfPreset):
    """The values presets set."""

    list_display = ("name", "value", "preset", "template")
    search_fields = ("name", "preset__name", "preset__version__template__name")


@admin.register(PresetSchedule)
class PresetScheduleAdmin(_OfPreset):
    """When how many are wanted; edited on the preset's page, where overlaps are seen."""

    list_display = ("cron_expression", "desired_instances", "preset", "template")
    search_fields = ("cron_expression", "preset__name", "preset__version__template__name")
