"""What can go wrong about templates.

TemplatesError
├── TemplateNotUsable     deleted, deprecated, or without an active version
├── VersionNotOfTemplate  a version of another template was named
├── TemplateDeleted       the template was deleted; it stays as it is
├── StaleTemplate         somebody else saved the template in between
├── NameTaken             a template, version or preset of this name exists already
├── InvalidVersion        a version cannot be made like this (carries the problems)
├── InvalidPreset         a preset's settings do not fit together (carries the problems)
├── StalePreset           somebody else saved the preset in between
└── PresetInUse           builds or claims refer to the preset, so it cannot be deleted
"""

from collections.abc import Sequence


class TemplatesError(Exception):
    """Something about a template, version or preset is not as it must be."""


class TemplateNotUsable(TemplatesError):
    """The template is deleted, deprecated or has no active version: nothing can be built."""


class VersionNotOfTemplate(TemplatesError):
    """This version belongs to another template. Name one of the template's own versions."""


class TemplateDeleted(TemplatesError):
    """This template was deleted, and stays as it is. Make a new one."""


class StaleTemplate(TemplatesError):
    """Somebody else changed this template since you opened it. Load it and repeat your change."""


class NameTaken(TemplatesError):
    """There is one of this name already; `name` is the name that was asked for."""

    field = "name"

    def __init__(self, what: str, name: str) -> None:
        self.name = name
        super().__init__(f'There is a {what} "{name}" already. Choose another name.')


class InvalidInput(TemplatesError):
    """What was asked for does not fit together; `problems` is (field, detail) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field}: {detail}" for field, detail in problems))


class InvalidVersion(InvalidInput):
    """The version cannot be made like this."""


class InvalidPreset(InvalidInput):
    """The preset's settings do not fit together."""


class StalePreset(TemplatesError):
    """Somebody else changed this preset since you opened it. Load it and repeat your change."""


class PresetInUse(TemplatesError):
    """Builds or claims refer to this preset, and their history stays.

    Take its pool away instead: set desired_instances to null (first to 0, to have it emptied).
    """
