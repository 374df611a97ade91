"""Turn what somebody wrote of a version into the domain's words. Pure but for `spec_of`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

from django.forms import Form

from templates_app.models import TemplateVersion
from templates_app.parameters import Monotonic, ParameterDefinition, ParameterType
from templates_app.services import ParameterText, PresetSpec, VersionSpec, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row somebody wrote into: its inputs, and what they say."""

    form: Form
    values: Mapping[str, Any]


def to_spec(
    asked: Mapping[str, Any], written: Mapping[str, list[Row]], base: TemplateVersion | None
) -> VersionSpec:
    """Return the version that was written, for the domain to check."""
    parameters = [row.values for row in written["parameters"]]
    names = {row["name"] for row in parameters}
    return VersionSpec(
        name=asked["name"],
        message=asked["message"],
        startup_script=asked["startup_script"],
        startup_timeout_seconds=asked["startup_timeout_seconds"],
        daily_cost=asked["daily_cost"],
        source_files={row.values["path"]: row.values["text"] for row in written["files"]},
        tags={row.values["name"]: row.values["value"] for row in written["tags"]},
        definitions=tuple(_to_definition(row) for row in parameters),
        texts={
            row["name"]: ParameterText(
                display_name=row["display_name"], description=row["description"]
            )
            for row in parameters
        },
        presets=tuple(_to_preset(row.values, base, names) for row in written["presets"]),
    )


def _to_definition(row: Mapping[str, Any]) -> ParameterDefinition:
    has_default = bool(row["default"]) or row["empty_default"]
    return ParameterDefinition(
        name=row["name"],
        type=cast("ParameterType", row["type"]),
        default=row["default"] if has_default else None,
        required=row["required"],
        mutable=row["mutable"],
        ephemeral=row["ephemeral"],
        options=tuple(line for line in row["options"].split("\n") if line),
        validation_regex=row["validation_regex"],
        validation_error=row["validation_error"],
        validation_min=row["validation_min"],
        validation_max=row["validation_max"],
        validation_monotonic=cast("Monotonic", row["validation_monotonic"]),
    )


def _to_preset(
    row: Mapping[str, Any], base: TemplateVersion | None, parameters: set[str]
) -> PresetSpec:
    """Return a preset with all settings of the one it comes from, if it comes from one.

    Values of parameters that the new version no longer has are left out.
    """
    before = _carried(base, row["source"])
    return replace(
        before,
        name=row["name"],
        desired_instances=row["desired_instances"],
        parameters={name: value for name, value in before.parameters.items() if name in parameters},
    )


def _carried(base: TemplateVersion | None, source: UUID | None) -> PresetSpec:
    presets = base.presets.all() if base else ()
    found = next((preset for preset in presets if preset.pk == source), None)
    return spec_of(found) if found else PresetSpec(name="")
