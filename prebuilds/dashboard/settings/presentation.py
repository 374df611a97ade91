"""Arrange the configuration for reading. Pure: what was read arrives as arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from prebuilds.dashboard.settings.explanations import GROUPS

SWITCHES: Final = {"PREBUILDS_DEBUG", "PREBUILDS_INSECURE_HTTP"}
OTHERS: Final = "Others"


class Reading(Protocol):
    """What config.env noted of one variable; of a secret only what may be shown."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def is_default(self) -> bool: ...
    @property
    def secret(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One line of the table."""

    name: str
    value: str
    meaning: str
    source: str
    is_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Variables about one matter."""

    title: str
    variables: tuple[Variable, ...]


def present_configuration(readings: Sequence[Reading]) -> tuple[Group, ...]:
    """Return all variables in their groups; one that nobody explained stands at the end."""
    by_name = {each.name: each for each in readings}
    explained = {name for _, meanings in GROUPS for name in meanings}
    others = {each.name: "" for each in readings if each.name not in explained}
    groups = [_group(title, meanings, by_name) for title, meanings in (*GROUPS, (OTHERS, others))]
    return tuple(group for group in groups if group.variables)


def _group(title: str, meanings: Mapping[str, str], readings: Mapping[str, Reading]) -> Group:
    return Group(
        title=title,
        variables=tuple(
            _variable(readings[name], meaning)
            for name, meaning in meanings.items()
            if name in readings
        ),
    )


def _variable(reading: Reading, meaning: str) -> Variable:
    return Variable(
        name=reading.name,
        value=_say_value(reading),
        meaning=meaning,
        source="default" if reading.is_default else "environment",
        is_default=reading.is_default,
    )


def _say_value(reading: Reading) -> str:
    if reading.secret and not reading.is_default:
        return f"set: {reading.value}" if reading.value else "set (not shown)"
    if reading.name in SWITCHES:
        return "off" if reading.value.lower() in {"0", "false", "no", "off"} else "on"
    return reading.value or "unset"
