"""What tells one version from another: files, script, parameters, presets. Pure but for `spec_of`.

Both versions arrive with their parameters and presets loaded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Final

from prebuilds.dashboard.preset.words import name_of, say_value
from templates_app.models import ParameterDefinition, TemplateVersion
from templates_app.services import diff_preset, spec_of

CONTEXT_LINES: Final = 3
LINES_SHOWN: Final = 400
SIGNS: Final = {"added": "plus", "removed": "minus", "changed": "edit"}
TONES: Final = {"added": "good", "removed": "bad", "changed": "busy"}
PLAIN: Final = {
    "startup_timeout_seconds": "Start-up timeout in seconds",
    "daily_cost": "Daily cost",
    "tags": "Provisioner tags",
}
DEFINITION: Final = {
    "type": "type",
    "default": "default",
    "required": "required",
    "mutable": "changeable later",
    "ephemeral": "for one build only",
    "options": "options",
    "validation_regex": "pattern",
    "validation_error": "message",
    "validation_min": "minimum",
    "validation_max": "maximum",
    "validation_monotonic": "direction",
    "display_name": "label",
    "description": "description",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """One line of a text's difference; `kind` is added, removed, same or place."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs. `details` are sentences, `lines` those of a text."""

    kind: str
    name: str
    details: tuple[str, ...] = ()
    lines: tuple[TextLine, ...] = ()

    @property
    def icon(self) -> str:
        """The icon that stands for it."""
        return SIGNS[self.kind]

    @property
    def tone(self) -> str:
        """Its colour, which says nothing that its word does not."""
        return TONES[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a version does differently from the active one."""

    files: tuple[Change, ...]
    parameters: tuple[Change, ...]
    presets: tuple[Change, ...]
    settings: tuple[Change, ...]

    @property
    def sections(self) -> tuple[tuple[str, tuple[Change, ...]], ...]:
        """What differs, by heading."""
        named = (
            ("Files and start-up script", self.files),
            ("Parameters", self.parameters),
            ("Presets", self.presets),
            ("Settings", self.settings),
        )
        return tuple((name, changes) for name, changes in named if changes)


def compare(before: TemplateVersion, after: TemplateVersion, *, texts: bool) -> Comparison:
    """Return what changes from one version to the other; of files only names without `texts`."""
    old = {**before.source_files, "Start-up script": before.startup_script}
    new = {**after.source_files, "Start-up script": after.startup_script}
    return Comparison(
        files=tuple(_files(old, new)) if texts else (),
        parameters=tuple(_parameters(before, after)),
        presets=tuple(_presets(before, after)),
        settings=tuple(_settings(before, after)),
    )


def _files(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            kind = _kind(name, old, new)
            lines = tuple(text_lines(old.get(name, ""), new.get(name, "")))
            yield Change(kind=kind, name=name, lines=lines)


def text_lines(before: str, after: str) -> Iterator[TextLine]:
    """Yield the lines that differ, with some around them."""
    found = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT_LINES)
    for number, line in enumerate(found):
        if number < 2:  # the names of two files
            continue
        if number > LINES_SHOWN:
            yield TextLine(kind="place", text="… and more")
            return
        kind = {"+": "added", "-": "removed", "@": "place"}.get(line[0], "same")
        yield TextLine(kind=kind, text=_place(line) if kind == "place" else f"{line[0]} {line[1:]}")


def _place(line: str) -> str:
    """Return where a piece stands: "@@ -3,7 +4,9 @@" says line 4 of the later text."""
    start = line.partition("+")[2].removesuffix(" @@").partition(",")[0]
    return f"line {start}"


def _parameters(before: TemplateVersion, after: TemplateVersion) -> Iterator[Change]:
    old = {row.name: row for row in before.parameter_definitions.all()}
    new = {row.name: row for row in after.parameter_definitions.all()}
    for name in sorted({*old, *new}):
        kind = _kind(name, old, new)
        details = tuple(_definition(old[name], new[name])) if kind == "changed" else ()
        if kind != "changed" or details:
            yield Change(kind=kind, name=name, details=details)


def _definition(before: ParameterDefinition, after: ParameterDefinition) -> Iterator[str]:
    for field, word in DEFINITION.items():
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{word}: {_said(old)} → {_said(new)}"


def _presets(before: TemplateVersion, after: TemplateVersion) -> Iterator[Change]:
    old = {preset.name: spec_of(preset) for preset in before.presets.all()}
    new = {preset.name: spec_of(preset) for preset in after.presets.all()}
    for name in sorted({*old, *new}):
        kind = _kind(name, old, new)
        if kind != "changed":
            yield Change(kind=kind, name=name)
        elif difference := diff_preset(old[name], new[name]):
            details = (
                f"{name_of(field)}: {say_value(field, difference.before[field])} → "
                f"{say_value(field, difference.after[field])}"
                for field in difference.after
            )
            yield Change(kind=kind, name=name, details=tuple(details))


def _settings(before: TemplateVersion, after: TemplateVersion) -> Iterator[Change]:
    for field, word in PLAIN.items():
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield Change(kind="changed", name=word, details=(f"{_said(old)} → {_said(new)}",))


def _kind(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if name not in old:
        return "added"
    return "changed" if name in new else "removed"


def _said(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}={text}" for name, text in value.items())
        case _:
            return str(value)
