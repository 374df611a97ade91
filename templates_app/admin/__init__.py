"""The admin pages of templates."""

from templates_app.admin.preset_rows import PresetParameterAdmin, PresetScheduleAdmin
from templates_app.admin.presets import PresetAdmin
from templates_app.admin.templates import (
    ParameterDefinitionAdmin,
    TemplateAdmin,
    TemplateVersionAdmin,
)

__all__ = [
    "ParameterDefinitionAdmin",
    "PresetAdmin",
    "PresetParameterAdmin",
    "PresetScheduleAdmin",
    "TemplateAdmin",
    "TemplateVersionAdmin",
]
