"""What somebody typed into the form, kept as typed, and the changes it means. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from django.http import QueryDict

from prebuilds.dashboard.base.numbers import read_whole
from prebuilds.dashboard.create_workspace.presentation import PREFIX, read_values
from templates_app.enums import ParameterType
from templates_app.models import ParameterDefinition
from templates_app.services import UNCHANGED, PresetChanges, PresetSpec

UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
SETS: Final = "sets."
"""In front of the name of the box that says whether the preset sets a parameter."""
MOST: Final = 2_147_483_647
ROWS_LIMIT: Final = 100
Row = tuple[str, str]
Problems = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The form's inputs. Settings bear the names they have in a PresetSpec.

    `values` are the inputs of all parameters; `parameters` are those the preset sets.
    """

    description: str
    icon: str
    is_default: bool
    parameters: Mapping[str, str]
    desired_instances: str
    ttl_seconds: tuple[str, str]
    scheduling_timezone: str
    schedules: tuple[Row, ...]
    revision: int
    values: Mapping[str, str]


SETTINGS: Final = tuple(
    field.name for field in fields(Typed) if field.name not in ("revision", "values")
)


def typed_of(spec: PresetSpec, revision: int) -> Typed:
    """Return the form as it is for settings that stand."""
    return Typed(
        description=spec.description,
        icon=spec.icon,
        is_default=spec.is_default,
        parameters=dict(spec.parameters),
        desired_instances="" if spec.desired_instances is None else str(spec.desired_instances),
        ttl_seconds=_say_ttl(spec.ttl_seconds),
        scheduling_timezone=spec.scheduling_timezone,
        schedules=tuple((expression, str(number)) for expression, number in spec.schedules),
        revision=revision,
        values=dict(spec.parameters),
    )


def read_typed(
    sent: QueryDict, definitions: Sequence[ParameterDefinition], stored: Mapping[str, str]
) -> Typed:
    """Return what was sent; rows that are empty are left out.

    `stored` are the preset's values: one that says the same in other characters is left alone,
    for a changed value expires the pool.
    """
    texts = {name: sent.get(name, "").replace("\r\n", "\n") for name in sent}
    values = {each.name: texts.get(PREFIX + each.name, "") for each in definitions}
    values |= read_values(definitions, texts)
    values |= {
        each.name: stored[each.name]
        for each in definitions
        if each.type == ParameterType.LIST and _same_list(values, stored, each.name)
    }
    sets = {each.name for each in definitions if SETS + each.name in sent}
    return Typed(
        description=texts.get("description", ""),
        icon=sent.get("icon", ""),
        is_default="is_default" in sent,
        parameters={name: values[name] for name in sorted(sets)},
        desired_instances=sent.get("desired_instances", "").strip(),
        ttl_seconds=(sent.get("ttl", "").strip(), sent.get("ttl_unit", "hours")),
        scheduling_timezone=sent.get("scheduling_timezone", "").strip() or "UTC",
        schedules=_rows(sent),
        revision=read_whole(sent.get("revision", "")) or 0,
        values=values,
    )


def to_changes(typed: Typed) -> tuple[PresetChanges, Problems]:
    """Return what was typed as changes, and what cannot be read; that much stays as it was."""
    problems: Problems = []
    return (
        PresetChanges(
            description=typed.description,
            icon=typed.icon,
            is_default=typed.is_default,
            parameters=typed.parameters,
            desired_instances=_instances(typed.desired_instances, problems),
            ttl_seconds=_ttl(typed.ttl_seconds, problems),
            scheduling_timezone=typed.scheduling_timezone,
            schedules=_schedules(typed.schedules, problems),
        ),
        problems,
    )


def merge(mine: Typed, base: Typed, theirs: Typed) -> Typed:
    """Return theirs with every setting that I changed as I have it, on their revision."""
    kept = {name: getattr(mine, name) for name in SETTINGS if changed(mine, base, name)}
    parameters = _merged_parameters(mine, base, theirs)
    values = {**mine.values, **parameters}
    return replace(theirs, **{**kept, "parameters": parameters, "values": values})


def changed(one: Typed, other: Typed, name: str) -> bool:
    """Return whether a setting differs."""
    return bool(getattr(one, name) != getattr(other, name))


def _merged_parameters(mine: Typed, base: Typed, theirs: Typed) -> dict[str, str]:
    merged = dict(theirs.parameters)
    for name in {*mine.parameters, *base.parameters}:
        value = mine.parameters.get(name)
        if value == base.parameters.get(name):
            continue
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def _rows(sent: QueryDict) -> tuple[Row, ...]:
    expressions = sent.getlist("schedule_expression")[:ROWS_LIMIT]
    numbers = sent.getlist("schedule_instances")[:ROWS_LIMIT]
    pairs = zip(expressions, numbers, strict=False)
    rows = ((" ".join(expression.split()), number.strip()) for expression, number in pairs)
    return tuple(row for row in rows if any(row))


def _same_list(values: Mapping[str, str], stored: Mapping[str, str], name: str) -> bool:
    try:
        return bool(json.loads(values[name]) == json.loads(stored[name]))
    except (KeyError, ValueError):
        return False


def _instances(text: str, problems: Problems) -> Any:
    if not text:
        return None
    if (number := _whole(text)) is None:
        detail = f'"{text}" is not a whole number. Write 0 or more, or leave it empty for no pool.'
        problems.append(("desired_instances", detail))
        return UNCHANGED
    return number


def _ttl(typed: tuple[str, str], problems: Problems) -> Any:
    text, unit = typed
    if not text:
        return None
    number = _whole(text)
    if number is None or unit not in UNITS or number * UNITS[unit] > MOST:
        detail = f'"{text} {unit}" is no time to live. Write a whole number, or leave it empty.'
        problems.append(("ttl_seconds", detail))
        return UNCHANGED
    return number * UNITS[unit]


def _schedules(rows: Sequence[Row], problems: Problems) -> tuple[tuple[str, int], ...]:
    """Return the rows; one whose number cannot be read counts as 0 so that the rest is checked."""
    read = []
    for number, (expression, text) in enumerate(rows, start=1):
        wanted = _whole(text)
        if wanted is None:
            wrong = f'"{text}" is not a whole number' if text else "the number is missing"
            detail = f'Row {number} ("{expression}"): {wrong}, write 0 or more.'
            problems.append(("schedules", detail))
        read.append((expression, wanted or 0))
    return tuple(read)


def _whole(text: str) -> int | None:
    """Return a whole number that the database can hold, or None."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST)):
        return None
    return int(text) if int(text) <= MOST else None


def _say_ttl(seconds: int | None) -> tuple[str, str]:
    if not seconds:
        return ("" if seconds is None else "0"), "hours"
    unit = next(name for name in reversed(UNITS) if seconds % UNITS[name] == 0)
    return str(seconds // UNITS[unit]), unit
