"""Say whether parameter values are allowed, and which presets they match.

Sections 1, 10 and 14 of semantics.md; where those are silent, Coder's rules. Pure: no Django, no
clock, no I/O. A problem is complete on its own: which parameter, which value, what to do.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Generic, Literal, TypeVar, assert_never

ParameterType = Literal["string", "number", "bool", "list(string)"]
Monotonic = Literal["", "increasing", "decreasing"]
PresetId = TypeVar("PresetId")

TAG_MAX_LENGTH = 100
_SHOWN_LENGTH = 80
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_PLACEHOLDER = re.compile(r"\{(value|min|max)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDefinition:
    """A value that a template version asks for, and which values it accepts (section 1)."""

    name: str
    type: ParameterType
    default: str | None = None
    required: bool = False
    mutable: bool = True
    ephemeral: bool = False
    options: tuple[str, ...] = ()
    validation_regex: str = ""
    validation_error: str = ""
    validation_min: int | None = None
    validation_max: int | None = None
    validation_monotonic: Monotonic = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterProblem:
    """What is wrong with `value` of `field`, and the remedy."""

    field: str
    value: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}"


class InvalidParameters(ValueError):
    """The values cannot be built with; `problems` names every one of them."""

    def __init__(self, problems: Iterable[ParameterProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCandidate(Generic[PresetId]):
    """What matching needs to know of a preset of one version."""

    id: PresetId
    name: str
    is_default: bool
    parameters: Mapping[str, str]


def match_presets(
    candidates: Iterable[PresetCandidate[PresetId]], given: Mapping[str, str]
) -> list[PresetCandidate[PresetId]]:
    """Return the presets whose parameters are all among `given`, best first (section 14).

    Most parameters first, then the default preset, then by name. Values are compared as text.
    """
    matching = (preset for preset in candidates if preset.parameters.items() <= given.items())
    return sorted(matching, key=lambda p: (-len(p.parameters), not p.is_default, p.name))


def resolve_values(
    definitions: Sequence[ParameterDefinition],
    given: Mapping[str, str],
    *,
    previous: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the values to build with: `given` over `previous` over the defaults.

    `previous` are the values of the workspace's last build; ephemeral ones are not carried over,
    nor those the definitions no longer know. A parameter that is optional, has no default and is
    not given is left out. Raises InvalidParameters with all problems, of the definitions' too.
    """
    before = previous or {}
    carried = {d.name: before[d.name] for d in definitions if d.name in before and not d.ephemeral}
    defaults = {d.name: d.default for d in definitions if d.default is not None}
    merged = {**defaults, **carried, **given}
    problems = _unknown_problems({d.name for d in definitions}, given)
    for definition in definitions:
        name = definition.name
        problems += _resolution_problems(definition, merged.get(name), carried.get(name))
    if problems:
        raise InvalidParameters(problems)
    return {d.name: merged[d.name] for d in definitions if d.name in merged}


def definition_problems(definitions: Sequence[ParameterDefinition]) -> list[ParameterProblem]:
    """List what is wrong with the definitions themselves, their defaults included.

    `required` beside a default is fine: as in Coder, a parameter with a default is not required.
    """
    counts = Counter(d.name for d in definitions)
    repeated = [name for name, count in counts.items() if count > 1]
    return [
        *(ParameterProblem(field=n, value=n, detail="is defined twice, rename one") for n in repeated),
        *(problem for definition in definitions for problem in _own_problems(definition)),
    ]


def validate_tags(tags: Mapping[str, str]) -> list[ParameterProblem]:
    """List the provisioner tags that cannot be used ("bad tags", section 10)."""
    keys = [("key", key, _tag_fault(key) or _empty_fault(key)) for key in tags]
    values = [(f"value of {_show(key)}", value, _tag_fault(value)) for key, value in tags.items()]
    return [
        ParameterProblem(field="tags", value=str(text), detail=f"the {role} {_show(text)} {fault}")
        for role, text, fault in (*keys, *values)
        if fault
    ]


def _tag_fault(text: object) -> str:
    if not isinstance(text, str):
        return "is not text, put it in quotes"
    if len(text) > TAG_MAX_LENGTH:
        return f"has {len(text)} characters, use at most {TAG_MAX_LENGTH}"
    if text != text.strip() or not text.isprintable():
        return "has spaces around it or control characters, remove them"
    return ""


def _empty_fault(key: str) -> str:
    return "" if key else "is empty, name the tag or remove it"


def _unknown_problems(names: set[str], given: Mapping[str, str]) -> list[ParameterProblem]:
    problems = []
    for name in given.keys() - names:
        close = get_close_matches(name, sorted(names), n=1)
        remedy = f"did you mean {_show(close[0])}?" if close else "remove it"
        detail = f"the template version has no parameter {_show(name)}, {remedy}"
        problems.append(ParameterProblem(field=name, value=given[name], detail=detail))
    return sorted(problems, key=lambda problem: problem.field)


def _resolution_problems(
    definition: ParameterDefinition, value: str | None, previous: str | None
) -> Iterator[ParameterProblem]:
    name, pattern = definition.name, definition.validation_regex
    if fault := _regex_fault(pattern):
        yield ParameterProblem(field=name, value=pattern, detail=fault)
    if definition.required and definition.default is None and not value:
        fault = "a value is required and there is no default, give one"
        yield ParameterProblem(field=name, value="", detail=fault)
    elif value is not None:
        for fault in (*_value_faults(definition, value), *_change_faults(definition, value, previous)):
            yield ParameterProblem(field=name, value=value, detail=fault)


def _value_faults(definition: ParameterDefinition, value: str) -> Iterator[str]:
    try:
        read = _read(definition.type, value)
    except _UnreadableValue as reason:
        yield f"{_show(value)} {reason}"
        return
    if definition.options:
        yield from _option_faults(definition, value, read)
    for fault in _rule_faults(definition, value, read):
        yield _explain(definition, value, fault)


def _option_faults(definition: ParameterDefinition, value: str, read: _Value) -> Iterator[str]:
    items = read if isinstance(read, tuple) else (value,)
    for item in items:
        if not any(_same(_item_type(definition), item, option) for option in definition.options):
            choices = ", ".join(map(_show, definition.options))
            yield f"{_show(item)} is not among the options, choose from {choices}"


def _item_type(definition: ParameterDefinition) -> ParameterType:
    return "string" if definition.type == "list(string)" else definition.type


def _rule_faults(definition: ParameterDefinition, value: str, read: _Value) -> Iterator[str]:
    lowest, highest = definition.validation_min, definition.validation_max
    if isinstance(read, Decimal) and lowest is not None and read < lowest:
        yield f"is less than the minimum, choose at least {lowest}"
    if isinstance(read, Decimal) and highest is not None and read > highest:
        yield f"is more than the maximum, choose at most {highest}"
    pattern = definition.validation_regex if definition.type == "string" else ""
    if not _regex_fault(pattern) and not re.search(pattern, value):
        yield f"does not match {pattern}, give a value that does"


def _explain(definition: ParameterDefinition, value: str, fault: str) -> str:
    """Put the author's own words, with Coder's placeholders filled in, before the plain fault."""
    if not definition.validation_error:
        return f"{_show(value)} {fault}"
    lowest, highest = definition.validation_min, definition.validation_max
    filled = {"value": _shorten(value), "min": str(lowest), "max": str(highest)}
    words = _PLACEHOLDER.sub(lambda match: filled[match[1]], definition.validation_error)
    return f"{words} ({_show(value)} {fault})"


def _change_faults(
    definition: ParameterDefinition, value: str, previous: str | None
) -> Iterator[str]:
    if previous is None or _same(definition.type, value, previous):
        return
    change = f"{_show(value)} cannot replace {_show(previous)} because the parameter"
    if not definition.mutable:
        yield f"{change} is immutable, keep {_show(previous)} or create a new workspace"
    if _runs_against(definition.validation_monotonic, value, previous):
        direction = definition.validation_monotonic
        yield f"{change} may only be {direction}, keep {_show(previous)} or go on that way"


def _runs_against(monotonic: Monotonic, value: str, previous: str) -> bool:
    if not (monotonic and _NUMBER.fullmatch(value) and _NUMBER.fullmatch(previous)):
        return False
    before, after = Decimal(previous), Decimal(value)
    return after < before if monotonic == "increasing" else after > before


def _own_problems(d: ParameterDefinition) -> Iterator[ParameterProblem]:
    limits = (d.validation_min, d.validation_max)
    has_limits = limits != (None, None) or d.validation_monotonic
    disordered = None not in limits and limits[0] > limits[1]
    rules = (
        (not d.name.strip(), d.name, "a parameter needs a name, give it one"),
        (_regex_fault(d.validation_regex), d.validation_regex, _regex_fault(d.validation_regex)),
        (d.validation_regex and d.type != "string", d.type, "only a string can have a regex"),
        (has_limits and d.type != "number", d.type, "only a number can have min, max or monotonic"),
        (disordered, f"{limits[0]}..{limits[1]}", "the minimum is above the maximum, swap them"),
        (d.ephemeral and d.default is None, "", "an ephemeral parameter needs a default"),
        (d.ephemeral and not d.mutable, "", "an ephemeral parameter must be mutable"),
        (len(set(d.options)) < len(d.options), ", ".join(d.options), "an option is listed twice"),
    )
