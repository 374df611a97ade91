"""What can be done to templates: make and promote versions, change the presets that exist."""

from templates_app.services.presets import (
    invalidate_presets,
    invalidate_template,
    mark_validation_failed,
    retry_preset,
    set_desired_instances,
    set_preset_status,
)
from templates_app.services.versions import (
    PresetSpec,
    VersionSpec,
    create_preset,
    create_template,
    create_version,
    preset_problems,
    promote_version,
)

__all__ = [
    "PresetSpec",
    "VersionSpec",
    "create_preset",
    "create_template",
    "create_version",
    "invalidate_presets",
    "invalidate_template",
    "mark_validation_failed",
    "preset_problems",
    "promote_version",
    "retry_preset",
    "set_desired_instances",
    "set_preset_status",
]
