"""Edit a preset: one change, one check, one revision, one audit entry.

Pages, API and admin all save through `edit_preset`, so that none can save what another refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts import audit
from accounts.audit import Actor
from templates_app import locks, selectors
from templates_app.enums import PrebuildStatus
from templates_app.errors import InvalidPreset, PresetInUse, StalePreset
from templates_app.models import Preset, PresetParameter, PresetSchedule
from templates_app.services.unchanged import UNCHANGED, Same
from templates_app.services.versions import PresetSpec, preset_problems

ONE_DEFAULT: Final = "preset_one_default"
ROWS: Final = ("parameters", "schedules")
"""What a preset keeps in rows of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetChanges:
    """What an edit sets; schedules and parameters replace all there were."""

    description: str | Same = UNCHANGED
    icon: str | Same = UNCHANGED
    is_default: bool | Same = UNCHANGED
    parameters: Mapping[str, str] | Same = UNCHANGED
    desired_instances: int | Same | None = UNCHANGED
    ttl_seconds: int | Same | None = UNCHANGED
    scheduling_timezone: str | Same = UNCHANGED
    schedules: Sequence[tuple[str, int]] | Same = UNCHANGED

    def applied_to(self, spec: PresetSpec) -> PresetSpec:
        """Return the settings as they are after the edit."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(
            spec, **{name: value for name, value in given.items() if value is not UNCHANGED}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two states of a preset do not share, as JSON values. Of parameters only those."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def __bool__(self) -> bool:
        return self.before != self.after


def edit_preset(
    *,
    preset_id: UUID,
    revision: int | None,
    changes: PresetChanges,
    actor: Actor,
    now: datetime,
) -> Preset:
    """Change a preset's settings and return it; when nothing changes, nothing is written.

    `revision` is the one the change was made on; None overwrites whatever there is. A changed
    parameter value expires the pool, which was built with the old one (semantics.md 1); any edit
    lets a preset that failed validation try again (semantics.md 10). One transaction, under the
    preset's row lock. Raises Preset.DoesNotExist, StalePreset, InvalidPreset.
    """
    try:
        with transaction.atomic():
            preset = locks.lock_preset(preset_id)
            if revision not in {None, preset.revision}:
                raise StalePreset(StalePreset.__doc__)
            before = spec_of(preset)
            after = changes.applied_to(before)
            difference = diff_preset(before, after)
            if difference:
                _check(preset, after)
                _write(preset, after, difference, now)
                _record(preset, difference, actor, now)
    except IntegrityError as error:
        if ONE_DEFAULT in str(error):  # another one became the default at this very moment
            raise InvalidPreset([second_default("another preset")]) from error
        raise
    return preset


def diff_preset(before: PresetSpec, after: PresetSpec) -> Difference:
    """Return what an edit changes, for the audit log and for people. Pure."""
    old, new = _as_json(before), _as_json(after)
    names = [name for name in old if old[name] != new[name]]
    difference = Difference(
        before={name: old[name] for name in names}, after={name: new[name] for name in names}
    )
    return _narrowed(difference) if "parameters" in names else difference


def edit_problems(preset: Preset, after: PresetSpec) -> list[tuple[str, str]]:
    """Return what forbids saving these settings, as (field, detail); three statements at most."""
    definitions = selectors.definitions_of([preset.version_id])[preset.version_id]
    problems = preset_problems(after, definitions)
    if after.is_default and not preset.is_default:
        others = Preset.objects.filter(version_id=preset.version_id, is_default=True)
        problems += [second_default(f'"{other.name}"') for other in others.exclude(pk=preset.pk)]
    return problems


def spec_of(preset: Preset) -> PresetSpec:
    """Return a preset's settings as they stand; reads its parameters and schedules."""
    return PresetSpec(
        name=preset.name,
        description=preset.description,
        icon=preset.icon,
        is_default=preset.is_default,
        parameters={row.name: row.value for row in preset.parameters.all()},
        desired_instances=preset.desired_instances,
        ttl_seconds=preset.ttl_seconds,
        scheduling_timezone=preset.scheduling_timezone,
        schedules=tuple(
            (row.cron_expression, row.desired_instances) for row in preset.schedules.all()
        ),
    )


def label_of(preset: Preset) -> str:
    """Return a preset's name with its template's: many are called "Small"."""
    return f"{preset.version.template.name} / {preset.name}"


def delete_preset(*, preset_id: UUID, revision: int | None, actor: Actor, now: datetime) -> None:
    """Delete a preset that nothing was ever built from.

    Raises Preset.DoesNotExist, StalePreset, PresetInUse: builds and claims keep their preset.
    """
    with transaction.atomic():
        preset = locks.lock_preset_for_deletion(preset_id)
        if revision not in {None, preset.revision}:
            raise StalePreset(StalePreset.__doc__)
        audit.record(
            actor=actor,
            action="delete",
            target=preset,
            now=now,
            before=_as_json(spec_of(preset)),
            label=label_of(preset),
        )
        try:
            preset.delete()
        except ProtectedError as error:
            raise PresetInUse(PresetInUse.__doc__) from error


def second_default(other: str) -> tuple[str, str]:
    """Return the problem of a version that would have two default presets."""
    return "is_default", f"{other} is the default; take the mark from that one first."


def _check(preset: Preset, after: PresetSpec) -> None:
    if problems := edit_problems(preset, after):
        raise InvalidPreset(problems)


def _write(preset: Preset, after: PresetSpec, difference: Difference, now: datetime) -> None:
    columns: dict[str, Any] = {
        name: getattr(after, name) for name in difference.after if name not in ROWS
    }
    columns |= {"revision": preset.revision + 1, "updated_at": now}
    if "parameters" in difference.after:
        columns["last_invalidated_at"] = now
        _replace_parameters(preset, after.parameters)
    if "schedules" in difference.after:
        _replace_schedules(preset, after.schedules)
    if preset.prebuild_status == PrebuildStatus.VALIDATION_FAILED:
        columns |= {"prebuild_status": PrebuildStatus.HEALTHY, "status_reason": ""}
        columns["status_since"] = now
    Preset.objects.filter(pk=preset.pk).update(**columns)
    for name, value in columns.items():
        setattr(preset, name, value)


def _replace_parameters(preset: Preset, values: Mapping[str, str]) -> None:
    preset.parameters.all().delete()
    PresetParameter.objects.bulk_create(
        PresetParameter(preset=preset, name=name, value=value) for name, value in values.items()
    )


def _replace_schedules(preset: Preset, rows: Sequence[tuple[str, int]]) -> None:
    preset.schedules.all().delete()
    PresetSchedule.objects.bulk_create(
        PresetSchedule(
            preset=preset, position=position, cron_expression=expression, desired_instances=number
        )
        for position, (expression, number) in enumerate(rows)
    )


def _record(preset: Preset, difference: Difference, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action="edit",
        target=preset,
        now=now,
        before=difference.before,
        after=difference.after,
        label=label_of(preset),
    )


def _as_json(spec: PresetSpec) -> dict[str, Any]:
    return {
        "description": spec.description,
        "icon": spec.icon,
        "is_default": spec.is_default,
        "parameters": dict(spec.parameters),
        "desired_instances": spec.desired_instances,
        "ttl_seconds": spec.ttl_seconds,
        "scheduling_timezone": spec.scheduling_timezone,
        "schedules": [
            {"cron_expression": expression, "desired_instances": number}
            for expression, number in spec.schedules
        ],
    }


def _narrowed(difference: Difference) -> Difference:
    """Keep only the parameter values that differ."""
    old, new = difference.before["parameters"], difference.after["parameters"]
    return Difference(
        before={**difference.before, "parameters": _unlike(old, new)},
        after={**difference.after, "parameters": _unlike(new, old)},
    )


def _unlike(values: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if others.get(name) != value}
