"""What can go wrong about templates.

TemplatesError
├── TemplateNotUsable     deleted, deprecated, or without an active version
├── VersionNotOfTemplate  a version of another template was named
├── InvalidPreset         a preset's settings do not fit together (carries the problems)
└── StalePreset           somebody else saved the preset in between
"""

from collections.abc import Sequence


class TemplatesError(Exception):
    """Something about a template, version or preset is not as it must be."""


class TemplateNotUsable(TemplatesError):
    """The template is deleted, deprecated or has no active version: nothing can be built."""


class VersionNotOfTemplate(TemplatesError):
    """This version belongs to another template. Name one of the template's own versions."""


class InvalidPreset(TemplatesError):
    """The preset's settings do not fit together; `problems` is (field, detail) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field}: {detail}" for field, detail in problems))


class StalePreset(TemplatesError):
    """Somebody else changed this preset since you opened it. Load it and repeat your change."""
