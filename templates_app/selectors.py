"""Fetch templates, versions and presets. No writes."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from django.db.models import F, QuerySet

from accounts.models import AuditEntry
from templates_app import parameters
from templates_app.models import ParameterDefinition, Preset, PresetParameter


def definitions_of(version_ids: Iterable[UUID]) -> dict[UUID, list[parameters.ParameterDefinition]]:
    """Return each version's parameter definitions in order; one statement."""
    found: dict[UUID, list[parameters.ParameterDefinition]] = {each: [] for each in version_ids}
    for row in ParameterDefinition.objects.filter(version_id__in=found).order_by(
        "position", "name"
    ):
        found[row.version_id].append(to_definition(row))
    return found


def values_of(preset_ids: Iterable[UUID]) -> dict[UUID, dict[str, str]]:
    """Return each preset's parameter values by name; one statement."""
    found: dict[UUID, dict[str, str]] = {each: {} for each in preset_ids}
    rows = PresetParameter.objects.filter(preset_id__in=found)
    for preset_id, name, value in rows.values_list("preset_id", "name", "value"):
        found[preset_id][name] = value
    return found


def active_presets(template_id: UUID) -> QuerySet[Preset]:
    """Return the presets of the template's active version, by name."""
    presets = Preset.objects.filter(version__template=template_id).filter(
        version=F("version__template__active_version")
    )
    return presets.select_related("version__template").order_by("name")


def history_of_preset(preset_id: UUID) -> QuerySet[AuditEntry]:
    """Return what people and the system did to a preset, newest first, with who it was."""
    entries = AuditEntry.objects.filter(object_type="preset", object_id=str(preset_id))
    return entries.select_related("actor").order_by("-at", "-id")


def to_definition(row: ParameterDefinition) -> parameters.ParameterDefinition:
    """Translate a stored definition into the pure one."""
    return parameters.ParameterDefinition(
        name=row.name,
        # A constraint keeps both words in the vocabulary.
        type=cast("parameters.ParameterType", row.type),
        default=row.default,
        required=row.required,
        mutable=row.mutable,
        ephemeral=row.ephemeral,
        options=tuple(row.options),
        validation_regex=row.validation_regex,
        validation_error=row.validation_error,
        validation_min=row.validation_min,
        validation_max=row.validation_max,
        validation_monotonic=cast("parameters.Monotonic", row.validation_monotonic),
    )
