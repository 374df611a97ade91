"""A preset as somebody has it in the form, there already or new, and what it would bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prebuilds.dashboard.edit_preset.presentation import present_preview
from prebuilds.dashboard.edit_preset.typed import Typed, to_changes
from prebuilds.plans import EditPreview, preview_edit
from templates_app.models import ParameterDefinition, Preset
from templates_app.services import PresetChanges


@dataclass(slots=True, kw_only=True)
class Draft:
    """What is being edited: the preset as it stands, what was typed, and what others saved."""

    preset: Preset
    definitions: Sequence[ParameterDefinition]
    typed: Typed
    now: datetime
    conflict: Any = None

    def preview(self) -> tuple[PresetChanges, EditPreview, list[tuple[str, str]]]:
        """Return the changes, what saving them brings, and everything that forbids it."""
        changes, unreadable = to_changes(self.typed)
        preview = preview_edit(preset=self.preset, changes=changes, now=self.now)
        return changes, preview, [*unreadable, *preview.problems]

    def preview_context(self) -> dict[str, Any]:
        """Return what stands beside the form."""
        _, found, problems = self.preview()
        return {
            "preset": self.preset,
            "conflict": self.conflict,
            "preview": present_preview(found, problems, typed=self.typed, now=self.now),
        }
