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
from typing import Literal, assert_never
from uuid import UUID

from templates_app.patterns import compile_fault, match_faults

ParameterType = Literal["string", "number", "bool", "list(string)"]
Monotonic = Literal["", "increasing", "decreasing"]
_Read = str | Decimal | tuple[str, ...]

TAG_MAX_LENGTH = 100
_SHOWN_LENGTH = 80
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_REMEDIES: dict[ParameterType, str] = {
    "number": "is not a number, write digits such as 4 or 2.5",
    "bool": 'is not a bool, write "true" or "false"',
    "list(string)": 'is not a list of strings, write JSON such as ["a", "b"]',
}
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
    """Nothing can be built with these values; `problems` names everything that is wrong."""

    def __init__(self, problems: Iterable[ParameterProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCandidate:
    """What matching needs to know of a preset of one version."""

    id: UUID
    name: str
    is_default: bool
    parameters: Mapping[str, str]


def match_presets(
    candidates: Iterable[PresetCandidate], given: Mapping[str, str]
) -> list[PresetCandidate]:
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

    Ephemeral and no longer defined values of `previous` (the last build) are not carried over; an
    optional parameter without a value is left out. Raises InvalidParameters with all problems.
    """
    last = previous or {}
    carried = {d.name: last[d.name] for d in definitions if d.name in last and not d.ephemeral}
    defaults = {d.name: d.default for d in definitions if d.default is not None}
    values = {**defaults, **carried, **given}
    problems = _unknown_problems({d.name for d in definitions}, given)
    for d in definitions:
        problems += _resolution_problems(d, values.get(d.name), carried.get(d.name))
    if problems:
        raise InvalidParameters(problems)
    return {d.name: values[d.name] for d in definitions if d.name in values}


def definition_problems(definitions: Sequence[ParameterDefinition]) -> list[ParameterProblem]:
    """List what is wrong with the definitions. Beside a default, `required` says nothing."""
    counts = Counter(d.name for d in definitions)
    detail = "several parameters have this name, rename all but one"
    problems = [ParameterProblem(field=n, value=n, detail=detail) for n in counts if counts[n] > 1]
    for d in definitions:
        for value, detail in (*_rule_faults(d), *_listed_faults(d), *_default_faults(d)):
            problems.append(ParameterProblem(field=d.name, value=value, detail=detail))
    return problems


def validate_tags(tags: Mapping[str, str]) -> list[ParameterProblem]:
    """List the provisioner tags that cannot be used ("bad tags", section 10)."""
    checks = [(f"the tag {_show(key)}", key, True) for key in tags]
    checks += [(f"the value {_show(v)} of tag {_show(key)}", v, False) for key, v in tags.items()]
    return [
        ParameterProblem(field="tags", value=str(text), detail=f"{subject} {fault}")
        for subject, text, needed in checks
        if (fault := _tag_fault(text, needed=needed))
    ]


def _tag_fault(text: object, *, needed: bool) -> str:
    if not isinstance(text, str):
        return "is not text, put it in quotes"
    if needed and not text:
        return "is empty, name it or remove it"
    if len(text) > TAG_MAX_LENGTH:
        return f"has {len(text)} characters, use at most {TAG_MAX_LENGTH}"
    if text != text.strip() or not text.isprintable():
        return "has spaces around it or control characters, remove them"
    return ""


def _unknown_problems(names: set[str], given: Mapping[str, str]) -> list[ParameterProblem]:
    problems = []
    for name in sorted(given.keys() - names):
        close = get_close_matches(name, sorted(names), n=1)
        remedy = f"did you mean {_show(close[0])}?" if close else "remove it"
        detail = f"the template version has no parameter {_show(name)}, {remedy}"
        problems.append(ParameterProblem(field=name, value=given[name], detail=detail))
    return problems


def _resolution_problems(
    d: ParameterDefinition, value: str | None, previous: str | None
) -> Iterator[ParameterProblem]:
    if fault := _regex_fault(d.validation_regex):
        yield ParameterProblem(field=d.name, value=d.validation_regex, detail=fault)
    if d.required and d.default is None and not value:
        fault = "a value is required and there is no default, give one"
        yield ParameterProblem(field=d.name, value="", detail=fault)
    elif value is not None:
        for fault in (*_value_faults(d, value), *_change_faults(d, value, previous)):
            yield ParameterProblem(field=d.name, value=value, detail=fault)


def _value_faults(d: ParameterDefinition, value: str) -> Iterator[str]:
    read = _read(d.type, value)
    if read is None:
        yield f"{_show(value)} {_REMEDIES[d.type]}"
        return
    yield from _option_faults(d, value, read)
    for fault in _validation_faults(d, read):
        yield _explain(d, value, fault)


def _option_faults(d: ParameterDefinition, value: str, read: _Read) -> Iterator[str]:
    kind: ParameterType = "string" if isinstance(read, tuple) else d.type
    items = read if isinstance(read, tuple) else (value,)
    for item in items if d.options else ():
        if not any(_same(kind, item, option) for option in d.options):
            yield f"{_show(item)} is not an option, choose from {', '.join(map(_show, d.options))}"


def _validation_faults(d: ParameterDefinition, read: _Read) -> Iterator[str]:
    lowest, highest, pattern = d.validation_min, d.validation_max, d.validation_regex
    if isinstance(read, Decimal) and lowest is not None and read < lowest:
        yield f"is less than the minimum, choose at least {lowest}"
    if isinstance(read, Decimal) and highest is not None and read > highest:
        yield f"is more than the maximum, choose at most {highest}"
    if d.type == "string" and not _regex_fault(pattern):
        yield from match_faults(pattern, str(read), shown=_show(pattern))


def _change_faults(d: ParameterDefinition, value: str, previous: str | None) -> Iterator[str]:
    if previous is None or _same(d.type, value, previous):
        return
    change = f"{_show(value)} cannot replace {_show(previous)} because the parameter"
    if not d.mutable:
        yield f"{change} is immutable, keep {_show(previous)} or create a new workspace"
    if _runs_against(d, value, previous):
        yield f"{change} must be {d.validation_monotonic}, keep {_show(previous)} or go that way"


def _runs_against(d: ParameterDefinition, value: str, previous: str) -> bool:
    before, after = _read(d.type, previous), _read(d.type, value)
    if not (isinstance(before, Decimal) and isinstance(after, Decimal)):
        return False  # an old value that is no number must not lock the workspace up
    forbidden = {"": False, "increasing": after < before, "decreasing": after > before}
    return forbidden[d.validation_monotonic]


def _rule_faults(d: ParameterDefinition) -> Iterator[tuple[str, str]]:
    lowest, highest = d.validation_min, d.validation_max
    if not d.name.strip():
        yield d.name, "the parameter has no name, give it one"
    if fault := _regex_fault(d.validation_regex):
        yield d.validation_regex, fault
    if d.validation_regex and d.type != "string":
        yield d.validation_regex, f"a {d.type} cannot have a regex, remove it"
    if (lowest, highest, d.validation_monotonic) != (None, None, "") and d.type != "number":
        yield d.type, f"a {d.type} cannot have min, max or monotonic, remove them"
    if lowest is not None and highest is not None and lowest > highest:
        yield str(lowest), f"the minimum {lowest} is above the maximum {highest}, swap them"
    if d.ephemeral and (d.default is None or not d.mutable):
        yield d.default or "", "an ephemeral parameter needs a default and must be mutable"


def _listed_faults(d: ParameterDefinition) -> Iterator[tuple[str, str]]:
    for option, count in Counter(d.options).items():
        if count > 1:
            yield option, f"the option {_show(option)} is listed {count} times, keep one"
        if not option:
            yield option, "an option is empty, give it a value or remove it"
        elif d.type != "list(string)" and _read(d.type, option) is None:
            yield option, f"the option {_show(option)} {_REMEDIES[d.type]}"


def _default_faults(d: ParameterDefinition) -> Iterator[tuple[str, str]]:
    if d.default is not None:
        for fault in _value_faults(d, d.default):
            yield d.default, f"the default {fault}"


def _read(kind: ParameterType, text: str) -> _Read | None:
    """Read a text as its type, so that `4` equals `4.0`. None: it is no value of that type."""
    match kind:
        case "string":
            return text
        case "bool":
            return text if text in ("true", "false") else None
        case "number":
            return Decimal(text) if _NUMBER.fullmatch(text) else None
        case "list(string)":
            return _read_list(text)
        case never:
            assert_never(never)


def _read_list(text: str) -> tuple[str, ...] | None:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_strings = isinstance(items, list) and all(isinstance(item, str) for item in items)
    return tuple(items) if is_strings else None


def _same(kind: ParameterType, a: str, b: str) -> bool:
    read = _read(kind, a)
    return a == b or (read is not None and read == _read(kind, b))


def _regex_fault(pattern: str) -> str:
    reason = compile_fault(pattern)
    shown = _show(pattern)
    return f"the template's regex {shown} is broken ({reason}), correct it there" if reason else ""


def _explain(d: ParameterDefinition, value: str, fault: str) -> str:
    """Put the author's own words, with Coder's placeholders filled in, before the plain fault."""
    if not d.validation_error:
        return f"{_show(value)} {fault}"
    numbers = {"min": d.validation_min, "max": d.validation_max}
    filled = {name: "unlimited" if n is None else str(n) for name, n in numbers.items()}
    filled["value"] = value
    words = _PLACEHOLDER.sub(lambda match: filled[match[1]], d.validation_error)
    return f"{words} ({_show(value)} {fault})"


def _show(value: object) -> str:
    text = str(value)
    return f'"{text}"' if len(text) <= _SHOWN_LENGTH else f'"{text[:_SHOWN_LENGTH]}…"'
