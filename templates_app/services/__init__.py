"""What can be done to templates: make and promote versions, change the presets that exist."""

from templates_app.services.authoring import (
    add_preset,
    add_template,
    add_version,
    version_problems,
)
from templates_app.services.preset_edits import (
    Difference,
    PresetChanges,
    delete_preset,
    diff_preset,
    edit_preset,
    edit_problems,
    label_of,
    spec_of,
)
from templates_app.services.presets import (
    invalidate_presets,
    invalidate_template,
    mark_validation_failed,
    retry_preset,
    retry_presets,
    set_desired_instances,
    set_desired_instances_of,
    set_preset_status,
)
from templates_app.services.promotion import (
    PresetProblems,
    promote_version,
    promotion_problems,
)
from templates_app.services.templates import (
    TemplateChanges,
    delete_template,
    deprecate_template,
    edit_template,
    lock_live_template,
)
from templates_app.services.unchanged import UNCHANGED
from templates_app.services.versions import (
    ParameterText,
    PresetSpec,
    VersionSpec,
    create_preset,
    create_template,
    create_version,
    preset_problems,
)

__all__ = [
    "UNCHANGED",
    "Difference",
    "ParameterText",
    "PresetChanges",
    "PresetProblems",
    "PresetSpec",
    "TemplateChanges",
    "VersionSpec",
    "add_preset",
    "add_template",
    "add_version",
    "create_preset",
    "create_template",
    "create_version",
    "delete_preset",
    "delete_template",
    "deprecate_template",
    "diff_preset",
    "edit_preset",
    "edit_problems",
    "edit_template",
    "invalidate_presets",
    "invalidate_template",
    "label_of",
    "lock_live_template",
    "mark_validation_failed",
    "preset_problems",
    "promote_version",
    "promotion_problems",
    "retry_preset",
    "retry_presets",
    "set_desired_instances",
    "set_desired_instances_of",
    "set_preset_status",
    "spec_of",
    "version_problems",
]
