"""Earlier edits of a preset: what each changed, how to undo it, and what came in between. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from accounts.models import AuditEntry
from prebuilds.dashboard.edit_preset.typed import SETTINGS, Typed, changed, typed_of
from prebuilds.dashboard.preset.words import NAMES, name_of, say_value
from templates_app.services import Difference, PresetSpec

ACTIONS: Final = {
    "edit": "Edited",
    "retry": "Retried",
    "invalidate": "Invalidated",
    "create": "Made",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting before and after, in words."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One thing somebody did to the preset."""

    id: int
    at: datetime
    who: str
    verb: str
    changes: tuple[Change, ...]
    can_revert: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A setting that somebody else changed meanwhile, next to mine. `clash`: I changed it too."""

    field: str
    name: str
    opened: str
    theirs: str
    mine: str
    clash: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What others saved since the form was opened."""

    edits: tuple[Edit, ...]
    meetings: tuple[Meeting, ...]

    @property
    def clashes(self) -> int:
        """Return how many settings both sides changed."""
        return sum(one.clash for one in self.meetings)


def present_edit(entry: AuditEntry) -> Edit:
    """Return an entry of the audit log in words."""
    return Edit(
        id=entry.pk,
        at=entry.at,
        who=entry.actor.display_name if entry.actor else entry.get_source_display(),
        verb=ACTIONS.get(entry.action, entry.action.capitalize()),
        changes=tuple(_changes(entry.before, entry.after)) if entry.action == "edit" else (),
        can_revert=entry.action == "edit" and bool(entry.before.keys() & NAMES.keys()),
    )


def say_difference(difference: Difference) -> tuple[Change, ...]:
    """Return what an edit changes, in words, a parameter at a time."""
    return tuple(_changes(difference.before, difference.after))


def undo(spec: PresetSpec, entry: AuditEntry) -> PresetSpec:
    """Return the settings with those of an edit as they were before it."""
    values = {
        name: _restored(spec, name, value, entry.after.get(name))
        for name, value in entry.before.items()
        if name in NAMES
    }
    return replace(spec, **values)


def before_edits(spec: PresetSpec, entries: Iterable[AuditEntry]) -> PresetSpec:
    """Return the settings as they were before these edits, which come newest first."""
    for entry in entries:
        spec = undo(spec, entry)
    return spec


def present_conflict(
    mine: Typed, *, base: PresetSpec, theirs: PresetSpec, entries: Iterable[AuditEntry]
) -> Conflict:
    """Return what others changed, next to what was typed."""
    opened, now = typed_of(base, 0), typed_of(theirs, 0)
    return Conflict(
        edits=tuple(map(present_edit, entries)),
        meetings=tuple(
            Meeting(
                field=name,
                name=name_of(name),
                opened=say_typed(opened, name),
                theirs=say_typed(now, name),
                mine=say_typed(mine, name),
                clash=changed(mine, opened, name) and changed(mine, now, name),
            )
            for name in SETTINGS
            if changed(now, opened, name)
        ),
    )


def say_typed(typed: Typed, name: str) -> str:
    """Return a setting of the form in words."""
    value = getattr(typed, name)
    match name:
        case "ttl_seconds":
            return " ".join(value) if value[0] else "never expires"
        case "schedules":
            return "; ".join(f"{number} at {expression}" for expression, number in value) or "none"
        case "desired_instances":
            return value or "no pool"
    return say_value(name, value)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in after:
        if name == "parameters":
            yield from _parameter_changes(before.get(name) or {}, after[name] or {})
        else:
            old, new = say_value(name, before.get(name)), say_value(name, after[name])
            yield Change(name=name_of(name), before=old, after=new)


def _parameter_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        old, new = before.get(name, "not set"), after.get(name, "not set")
        yield Change(name=f"Parameter {name}", before=str(old), after=str(new))


def _restored(spec: PresetSpec, name: str, before: Any, after: Any) -> Any:
    if name == "parameters":
        kept = {key: value for key, value in spec.parameters.items() if key not in (after or {})}
        return {**kept, **before}
    if name == "schedules":
        return tuple((row["cron_expression"], row["desired_instances"]) for row in before)
    return before


def settings_of(spec: PresetSpec) -> dict[str, Any]:
    """Return every setting by its name."""
    return {name: getattr(spec, name) for name in SETTINGS}
