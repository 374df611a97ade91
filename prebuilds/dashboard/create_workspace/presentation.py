"""Turn presets and definitions into cards and inputs, and a sent form into values. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.base.wording import say_about, say_count
from prebuilds.selectors import PoolRow
from templates_app.enums import ParameterType
from templates_app.models import ParameterDefinition, Preset, Template

PREFIX: Final = "parameter."
NAME_LIMIT: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCard:
    """A preset to choose, with what a person will wait for it."""

    value: str
    name: str
    description: str
    icon: str
    is_chosen: bool
    wait: str
    is_warm: bool
    is_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterField:
    """One input. `control` is select, switch, number, list or text."""

    name: str
    input_name: str
    input_id: str
    label: str
    description: str
    control: str
    value: str
    options: Sequence[str]
    minimum: int | None
    maximum: int | None
    is_required: bool
    is_from_preset: bool
    error: str

    @property
    def said(self) -> str:
        """The value in words, for an input that cannot be changed."""
        if self.control == "switch":
            return "on" if self.value == "true" else "off"
        return self.value.replace("\n", ", ") or "empty"


def preset_cards(
    presets: Iterable[Preset],
    pools: Mapping[UUID, PoolRow],
    *,
    chosen: UUID | None,
    usual: timedelta | None,
) -> list[PresetCard]:
    """Return a card per preset, and one for choosing every value oneself."""
    cards = [
        PresetCard(
            value=str(preset.pk),
            name=preset.name,
            description=preset.description,
            icon=icon_name(preset.icon, "stack-2"),
            is_chosen=preset.pk == chosen,
            wait=_wait(pools.get(preset.pk), usual),
            is_warm=_ready(pools.get(preset.pk)) > 0,
            is_default=preset.is_default,
        )
        for preset in presets
    ]
    own = PresetCard(
        value="",
        name="Own values",
        description="Choose every value yourself. When they fit a preset, you get one of its "
        "ready workspaces all the same.",
        icon="adjustments",
        is_chosen=chosen is None,
        wait=_wait(None, usual),
        is_warm=False,
        is_default=False,
    )
    return [*cards, own]


def parameter_fields(
    definitions: Iterable[ParameterDefinition],
    *,
    fixed: Mapping[str, str],
    given: Mapping[str, str],
    problems: Mapping[str, str],
) -> list[ParameterField]:
    """Return an input per definition: the preset's value over the given one over the default."""
    return [
        ParameterField(
            name=definition.name,
            input_name=PREFIX + definition.name,
            input_id=f"parameter-{definition.name}",
            label=definition.display_name or definition.name,
            description=definition.description,
            control=_control(definition),
            value=_shown(definition, fixed, given),
            options=definition.options,
            minimum=definition.validation_min,
            maximum=definition.validation_max,
            is_required=definition.required and definition.default is None,
            is_from_preset=definition.name in fixed,
            error=problems.get(definition.name, ""),
        )
        for definition in definitions
    ]


def read_values(
    definitions: Iterable[ParameterDefinition], sent: Mapping[str, str]
) -> dict[str, str]:
    """Return parameter values out of a sent form; an empty optional input gives no value.

    A switch that is off sends nothing, so once any input of the block was sent it means false.
    """
    values = {}
    for definition in definitions:
        text = sent.get(PREFIX + definition.name)
        control = _control(definition)
        if control == "switch":
            values[definition.name] = "true" if text == "true" else "false"
        elif control == "list" and text is not None:
            values[definition.name] = json.dumps([line for line in _lines(text) if line])
        elif text or (text is not None and definition.default is not None and control == "text"):
            values[definition.name] = text
    return values


def suggest_name(template: Template, taken: set[str]) -> str:
    """Return the first free name of the form template-1."""
    stem = re.sub(r"[^a-z0-9]+", "-", template.name.lower()).strip("-") or "workspace"
    stem = stem[: NAME_LIMIT - 4].strip("-")
    number = next(n for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)
    return f"{stem}-{number}"


def say_match(preset: Preset | None, pools: Mapping[UUID, PoolRow]) -> str:
    """Return what choosing one's own values comes to: whose ready workspaces they fit."""
    if preset is None:
        return "These values match no preset: the workspace will be built for you."
    ready = _ready(pools.get(preset.pk)) or "none"
    return f"These values match preset {preset.name}: {ready} ready now."


def _wait(pool: PoolRow | None, usual: timedelta | None) -> str:
    if ready := _ready(pool):
        return f"{say_count(ready, 'workspace')} ready now: usually yours at once"
    built = f"will be built, about {say_about(usual)}" if usual else "will be built for you"
    return f"None ready now: {built}" if pool else built.capitalize()


def _ready(pool: PoolRow | None) -> int:
    return pool.ready if pool else 0


def _control(definition: ParameterDefinition) -> str:
    if definition.type == ParameterType.BOOL:
        return "switch"
    if definition.type == ParameterType.LIST:
        return "list"
    if definition.options:
        return "select"
    return "number" if definition.type == ParameterType.NUMBER else "text"


def _shown(
    definition: ParameterDefinition, fixed: Mapping[str, str], given: Mapping[str, str]
) -> str:
    default = definition.default or ""
    value = fixed.get(definition.name, given.get(definition.name, default))
    if definition.type == ParameterType.LIST:
        return "\n".join(_items(value))
    return value


def _items(text: str) -> list[str]:
    try:
        items = json.loads(text or "[]")
    except json.JSONDecodeError:
        return _lines(text)
    return [str(item) for item in items] if isinstance(items, list) else _lines(text)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]
