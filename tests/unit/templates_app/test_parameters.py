"""Which parameter values are allowed, and which presets they match (semantics.md 1, 10, 14)."""

import time
from typing import Any, Literal
from uuid import NAMESPACE_DNS, uuid5

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from templates_app.parameters import (
    InvalidParameters,
    Monotonic,
    ParameterDefinition,
    ParameterProblem,
    PresetCandidate,
    definition_problems,
    match_presets,
    resolve_values,
    validate_tags,
)

Kind = Literal["string", "number", "bool", "list(string)"]


def define(name: str = "region", kind: Kind = "string", **rules: Any) -> ParameterDefinition:
    return ParameterDefinition(name=name, type=kind, **rules)


def outcome_of(
    definitions: list[ParameterDefinition],
    given_values: dict[str, str],
    previous: dict[str, str] | None = None,
) -> dict[str, str] | tuple[ParameterProblem, ...]:
    try:
        return resolve_values(definitions, given_values, previous=previous)
    except InvalidParameters as error:
        return error.problems


def problems_of(
    definitions: list[ParameterDefinition],
    given_values: dict[str, str],
    previous: dict[str, str] | None = None,
) -> tuple[ParameterProblem, ...]:
    outcome = outcome_of(definitions, given_values, previous)
    return outcome if isinstance(outcome, tuple) else ()


def preset(name: str, *, is_default: bool = False, **parameters: str) -> PresetCandidate:
    return PresetCandidate(
        id=uuid5(NAMESPACE_DNS, name), name=name, is_default=is_default, parameters=parameters
    )


def test_given_values_win_over_previous_and_previous_over_defaults() -> None:
    definitions = [define(name, default="default") for name in ("a", "b", "c")]

    values = resolve_values(
        definitions, {"a": "given"}, previous={"a": "previous", "b": "previous"}
    )

    assert values == {"a": "given", "b": "previous", "c": "default"}


def test_values_come_in_the_order_of_the_definitions() -> None:
    definitions = [define("b", default="1"), define("a", default="2")]

    values = resolve_values(definitions, {"a": "3", "b": "4"})

    assert list(values) == ["b", "a"]


def test_an_optional_parameter_without_a_value_is_left_out() -> None:
    values = resolve_values([define("a"), define("b", default="")], {})

    assert values == {"b": ""}


def test_a_previous_value_of_a_parameter_no_longer_defined_is_dropped() -> None:
    values = resolve_values([define("a", default="1")], {}, previous={"gone": "x"})

    assert values == {"a": "1"}


def test_an_ephemeral_value_is_not_carried_over() -> None:
    definition = define("task", default="none", ephemeral=True)

    values = resolve_values([definition], {}, previous={"task": "wipe"})

    assert values == {"task": "none"}


def test_an_ephemeral_value_is_used_when_it_is_given_again() -> None:
    definition = define("task", default="none", ephemeral=True)

    values = resolve_values([definition], {"task": "wipe"}, previous={"task": "none"})

    assert values == {"task": "wipe"}


@pytest.mark.parametrize("given_values", [{}, {"region": ""}])
def test_a_required_parameter_must_have_a_value(given_values: dict[str, str]) -> None:
    problems = problems_of([define(required=True)], given_values)

    assert problems == (
        ParameterProblem(
            field="region",
            value="",
            detail="a value is required and there is no default, give one",
        ),
    )


@pytest.mark.parametrize(
    ("default", "previous"), [("eu", None), ("", None), (None, {"region": "eu"})]
)
def test_a_default_or_previous_value_is_enough_for_a_required_parameter(
    default: str | None, previous: dict[str, str] | None
) -> None:
    values = resolve_values([define(required=True, default=default)], {}, previous=previous)

    assert values == {"region": default if default is not None else "eu"}


@pytest.mark.parametrize(
    ("name", "remedy"), [("regoin", 'did you mean "region"?'), ("colour", "remove it")]
)
def test_an_unknown_parameter_is_a_problem_with_a_suggestion(name: str, remedy: str) -> None:
    problems = problems_of([define(default="eu")], {name: "x"})

    assert problems == (
        ParameterProblem(
            field=name,
            value="x",
            detail=f'the template version has no parameter "{name}", {remedy}',
        ),
    )


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        (define(), ""),
        (define(), "anything at all"),
        (define(options=("eu", "us")), "us"),
        (define(validation_regex="^[a-z]+$"), "eu"),
        (define(validation_regex="b"), "abc"),
        (define(kind="number"), "0"),
        (define(kind="number"), "-3"),
        (define(kind="number"), "+3"),
        (define(kind="number"), "2.50"),
        (define(kind="number"), "9" * 400),
        (define(kind="number", validation_min=1, validation_max=32), "1"),
        (define(kind="number", validation_min=1, validation_max=32), "32"),
        (define(kind="number", validation_min=1, validation_max=32), "32.0"),
        (define(kind="number", validation_min=0), "0"),
        (define(kind="number", options=("2", "4")), "4"),
        (define(kind="number", options=("2", "4")), "4.0"),
        (define(kind="bool"), "true"),
        (define(kind="bool"), "false"),
        (define(kind="list(string)"), "[]"),
        (define(kind="list(string)"), ' [ "a" , "b" ] '),
        (define(kind="list(string)", options=("a", "b")), '["b"]'),
        (define(kind="list(string)", options=("a", "b")), "[]"),
    ],
)
def test_an_allowed_value_is_taken_as_it_was_given(
    definition: ParameterDefinition, value: str
) -> None:
    values = resolve_values([definition], {"region": value})

    assert values == {"region": value}


@pytest.mark.parametrize(
    ("definition", "value", "detail"),
    [
        (define(options=("eu", "us")), "EU", '"EU" is not an option, choose from "eu", "us"'),
        (define(options=("eu",)), "", '"" is not an option, choose from "eu"'),
        (
            define(validation_regex="^[a-z]+$"),
            "E1",
            '"E1" does not match "^[a-z]+$", give a value that does',
        ),
        (
            define(kind="number", validation_min=1),
            "0.99",
            '"0.99" is less than the minimum, choose at least 1',
        ),
        (
            define(kind="number", validation_min=0),
            "-1",
            '"-1" is less than the minimum, choose at least 0',
        ),
        (
            define(kind="number", validation_max=9),
            "10",
            '"10" is more than the maximum, choose at most 9',
        ),
        (
            define(kind="number", options=("2",)),
            "3",
            '"3" is not an option, choose from "2"',
        ),
        (
            define(kind="list(string)", options=("a", "b")),
            '["a", "c"]',
            '"c" is not an option, choose from "a", "b"',
        ),
        (
            define(kind="list(string)", options=('["x"]',)),
            '["[\\"x\\" ]"]',
            '"["x" ]" is not an option, choose from "["x"]"',
        ),
    ],
)
def test_a_value_against_the_rules_is_a_problem_with_the_remedy(
    definition: ParameterDefinition, value: str, detail: str
) -> None:
    problems = problems_of([definition], {"region": value})

    assert problems == (ParameterProblem(field="region", value=value, detail=detail),)


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("number", "", "is not a number"),
        ("number", "four", "is not a number"),
        ("number", "1e3", "is not a number"),
        ("number", "0x10", "is not a number"),
        ("number", "1_000", "is not a number"),
        ("number", " 4", "is not a number"),
        ("number", "4\n", "is not a number"),
        ("number", "NaN", "is not a number"),
        ("number", "Infinity", "is not a number"),
        ("number", "٤", "is not a number"),
        ("number", "4.", "is not a number"),
        ("bool", "", 'write "true" or "false"'),
        ("bool", "True", 'write "true" or "false"'),
        ("bool", "1", 'write "true" or "false"'),
        ("bool", "yes", 'write "true" or "false"'),
        ("list(string)", "", "is not a list of strings"),
        ("list(string)", "a,b", "is not a list of strings"),
        ("list(string)", '"a"', "is not a list of strings"),
        ("list(string)", "{}", "is not a list of strings"),
        ("list(string)", "null", "is not a list of strings"),
        ("list(string)", '["a", 1]', "is not a list of strings"),
        ("list(string)", "[[]]", "is not a list of strings"),
        ("list(string)", "[" * 100_000, "is not a list of strings"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_one_problem(
    kind: Kind, value: str, complaint: str
) -> None:
    definition = define(
        kind=kind, options=("x",), validation_min=1, validation_monotonic="increasing"
    )

    [problem] = problems_of([definition], {"region": value}, previous={"region": "7"})

    assert (problem.field, problem.value) == ("region", value)
    assert complaint in problem.detail


def test_a_long_value_is_shortened_in_the_words_and_kept_in_the_problem() -> None:
    [problem] = problems_of([define(kind="bool")], {"region": "x" * 5000})

    assert problem.value == "x" * 5000
    assert len(problem.detail) < 200


@pytest.mark.parametrize(
    ("definition", "value", "detail"),
    [
        (
            define(validation_regex="^[a-z]+$", validation_error="Lower case only"),
            "E1",
            'Lower case only ("E1" does not match "^[a-z]+$", give a value that does)',
        ),
        (
            define(
                kind="number",
                validation_min=1,
                validation_max=32,
                validation_error="{value} cores? {min} to {max}!",
            ),
            "64",
            '64 cores? 1 to 32! ("64" is more than the maximum, choose at most 32)',
        ),
        (
            define(kind="number", validation_min=1, validation_error="{min} to {max}"),
            "0",
            '1 to unlimited ("0" is less than the minimum, choose at least 1)',
        ),
        (
            define(validation_regex="^x$", validation_error="Not {value}, {other}"),
            "{min}",
            'Not {min}, {other} ("{min}" does not match "^x$", give a value that does)',
        ),
    ],
)
def test_the_words_of_the_author_come_first_with_placeholders_filled_in_once(
    definition: ParameterDefinition, value: str, detail: str
) -> None:
    [problem] = problems_of([definition], {"region": value})

    assert problem.detail == detail


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{99999999999999999999}"])
def test_a_regex_that_does_not_compile_is_a_problem_of_the_definition(pattern: str) -> None:
    definition = define(validation_regex=pattern)

    [problem] = problems_of([definition], {"region": "eu"})

    assert (problem.field, problem.value) == ("region", pattern)
    assert "the template's regex" in problem.detail
    assert definition_problems([definition]) == [problem]


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("^(a|a)+$", "a" * 60 + "!"),
        ("(a|aa)+$", "a" * 60 + "!"),
        ("(x+x+)+y", "x" * 60_000),
        (r"(\w+\s?)+$", "word " * 2_000 + "!"),
    ],
)
def test_a_regex_that_would_take_for_ever_is_cut_off_and_named(pattern: str, value: str) -> None:
    definition = define(validation_regex=pattern)
    began = time.monotonic()

    [problem] = problems_of([definition], {"region": value})

    assert time.monotonic() - began < 5
    assert "takes too long" in problem.detail
    assert "simpler regex" in problem.detail


def test_a_default_against_the_rules_is_a_problem_unless_a_good_value_is_given() -> None:
    definition = define(default="mars", options=("eu",))

    [problem] = problems_of([definition], {})
    values = resolve_values([definition], {"region": "eu"})

    assert problem.value == "mars"
    assert values == {"region": "eu"}


def test_a_carried_over_value_must_meet_the_rules_of_the_new_version() -> None:
    [problem] = problems_of(
        [define(default="eu", options=("eu", "us"))], {}, previous={"region": "asia"}
    )

    assert problem.value == "asia"


@pytest.mark.parametrize(
    ("monotonic", "previous", "value", "allowed"),
    [
        ("increasing", "9", "10", True),
        ("increasing", "10", "10", True),
        ("increasing", "10", "10.0", True),
        ("increasing", "10", "9", False),
        ("increasing", "10", "9.99", False),
        ("increasing", "-1", "-2", False),
        ("decreasing", "10", "9", True),
        ("decreasing", "10", "10", True),
        ("decreasing", "9", "10", False),
        ("increasing", "none", "1", True),
        ("", "10", "1", True),
    ],
)
def test_a_monotonic_number_moves_one_way_and_may_stay(
    monotonic: Monotonic, previous: str, value: str, allowed: bool
) -> None:
    definition = define("disk", "number", validation_monotonic=monotonic)

    problems = problems_of([definition], {"disk": value}, previous={"disk": previous})

    rule = f'"{value}" cannot replace "{previous}" because the parameter must be {monotonic}'
    assert [p.detail for p in problems] == (
        [] if allowed else [f'{rule}, keep "{previous}" or go that way']
    )


def test_a_monotonic_number_is_free_in_the_first_build() -> None:
    definition = define("disk", "number", validation_monotonic="increasing", default="10")

    values = resolve_values([definition], {"disk": "1"})

    assert values == {"disk": "1"}


@pytest.mark.parametrize(
    ("kind", "previous", "value"),
    [
        ("string", "eu", "us"),
        ("string", "eu", "eu "),
        ("number", "4", "5"),
        ("bool", "true", "false"),
        ("list(string)", '["a","b"]', '["b","a"]'),
    ],
)
def test_an_immutable_value_cannot_change(kind: Kind, previous: str, value: str) -> None:
    definition = define(kind=kind, mutable=False)

    [problem] = problems_of([definition], {"region": value}, previous={"region": previous})

    assert "is immutable" in problem.detail
    assert f'keep "{previous}" or create a new workspace' in problem.detail


@pytest.mark.parametrize(
    ("kind", "previous", "value"),
    [
        ("string", "eu", "eu"),
        ("number", "4", "4.0"),
        ("list(string)", '["a","b"]', '["a", "b"]'),
    ],
)
def test_an_immutable_value_may_be_given_again_in_another_spelling(
    kind: Kind, previous: str, value: str
) -> None:
    definition = define(kind=kind, mutable=False)

    values = resolve_values([definition], {"region": value}, previous={"region": previous})

    assert values == {"region": value}


def test_an_immutable_parameter_new_in_a_version_can_be_set_once() -> None:
    values = resolve_values([define(mutable=False)], {"region": "eu"}, previous={"other": "x"})

    assert values == {"region": "eu"}


def test_a_changed_default_does_not_touch_an_immutable_value() -> None:
    values = resolve_values([define(mutable=False, default="us")], {}, previous={"region": "eu"})

    assert values == {"region": "eu"}


def test_all_problems_are_collected_and_each_names_its_parameter_and_value() -> None:
    definitions = [
        define("name", required=True),
        define("cpu", "number", validation_max=8),
        define("region", options=("eu",), mutable=False),
    ]

    with pytest.raises(InvalidParameters) as caught:
        resolve_values(
            definitions, {"cpu": "64", "regio": "us", "region": "us"}, previous={"region": "eu"}
        )

    assert [(p.field, p.value) for p in caught.value.problems] == [
        ("regio", "us"),
        ("name", ""),
        ("cpu", "64"),
        ("region", "us"),
        ("region", "us"),
    ]
    assert 'cpu: "64" is more than the maximum, choose at most 8' in str(caught.value)


@pytest.mark.parametrize(
    "definition",
    [
        define(),
        define(default=""),
        define(default="eu", required=True),
        define(required=True),
        define(default="eu", options=("eu", "us")),
        define(kind="number", default="1", validation_min=1, validation_max=1),
        define(kind="number", validation_monotonic="decreasing"),
        define(kind="bool", default="false"),
        define(kind="list(string)", default='["a"]', options=("a", "b")),
        define(default="x", ephemeral=True),
    ],
)
def test_a_sound_definition_has_no_problems(definition: ParameterDefinition) -> None:
    problems = definition_problems([definition])

    assert problems == []


@pytest.mark.parametrize(
    ("definition", "value", "complaint"),
    [
        (define(""), "", "has no name"),
        (define("  "), "  ", "has no name"),
        (define(default="mars", options=("eu",)), "mars", 'the default "mars" is not an option'),
        (define(kind="number", default="x"), "x", 'the default "x" is not a number'),
        (define(kind="number", default="0", validation_min=1), "0", "the default"),
        (define(kind="bool", default=""), "", "the default"),
        (define(kind="list(string)", default="a"), "a", "the default"),
        (define(default="E", validation_regex="^[a-z]$"), "E", "the default"),
        (define(options=("eu", "")), "", "an option is empty"),
        (define(options=("eu", "us", "eu")), "eu", "listed 2 times"),
        (define(kind="number", options=("4", "x")), "x", 'the option "x" is not a number'),
        (define(kind="bool", options=("yes",)), "yes", 'the option "yes" is not a bool'),
        (define(kind="number", validation_min=2, validation_max=1), "2", "above the maximum 1"),
        (define(validation_min=0), "string", "cannot have min, max or monotonic"),
        (define(validation_max=0), "string", "cannot have min, max or monotonic"),
        (define(kind="bool", validation_monotonic="increasing"), "bool", "cannot have min"),
        (define(kind="number", validation_regex="^1$"), "^1$", "cannot have a regex"),
        (define(ephemeral=True), "", "ephemeral parameter needs a default"),
        (define(default="x", ephemeral=True, mutable=False), "x", "must be mutable"),
    ],
)
def test_an_unsound_definition_is_a_problem_naming_it(
    definition: ParameterDefinition, value: str, complaint: str
) -> None:
    [problem] = definition_problems([definition])

    assert (problem.field, problem.value) == (definition.name, value)
    assert complaint in problem.detail


def test_a_name_used_twice_is_one_problem() -> None:
    [problem] = definition_problems([define("a"), define("b"), define("a")])

    assert (problem.field, problem.value) == ("a", "a")
    assert "several parameters have this name" in problem.detail


@pytest.mark.parametrize(
    "tags", [{}, {"os": "linux"}, {"owner": ""}, {"k" * 100: "v" * 100}, {"größe": "a b"}]
)
def test_good_tags_have_no_problems(tags: dict[str, str]) -> None:
    problems = validate_tags(tags)

    assert problems == []


@pytest.mark.parametrize(
    ("tags", "detail"),
    [
        ({"": "linux"}, 'the tag "" is empty, name it or remove it'),
        ({" ": "x"}, 'the tag " " has spaces around it or control characters, remove them'),
        ({"os ": "x"}, 'the tag "os " has spaces around it or control characters, remove them'),
        ({"o\ns": "x"}, 'the tag "o\ns" has spaces around it or control characters, remove them'),
        ({1: "x"}, 'the tag "1" is not text, put it in quotes'),
        ({"gpu": 2}, 'the value "2" of tag "gpu" is not text, put it in quotes'),
        ({"gpu": True}, 'the value "True" of tag "gpu" is not text, put it in quotes'),
        ({"gpu": None}, 'the value "None" of tag "gpu" is not text, put it in quotes'),
        (
            {"k" * 101: "x"},
            f'the tag "{"k" * 80}…" has 101 characters, use at most 100',
        ),
        (
            {"os": "v" * 101},
            f'the value "{"v" * 80}…" of tag "os" has 101 characters, use at most 100',
        ),
    ],
)
def test_a_bad_tag_is_a_problem_with_the_remedy(tags: dict[Any, Any], detail: str) -> None:
    [problem] = validate_tags(tags)

    assert problem.field == "tags"
    assert problem.detail == detail


def test_all_bad_tags_are_collected() -> None:
    problems = validate_tags({"": " x", "os ": "y"})

    assert [problem.value for problem in problems] == ["", "os ", " x"]


@pytest.mark.parametrize(
    ("given_values", "names"),
    [
        ({}, ["bare"]),
        ({"cpu": "4"}, ["four", "bare"]),
        ({"cpu": "4.0"}, ["bare"]),
        ({"cpu": "4", "region": "eu"}, ["four-eu", "four", "bare"]),
        ({"cpu": "4", "region": "eu", "extra": "x"}, ["four-eu", "four", "bare"]),
        ({"region": "eu"}, ["bare"]),
        ({"cpu": "8", "region": "eu"}, ["bare"]),
    ],
)
def test_presets_match_when_all_their_parameters_are_given_with_equal_values(
    given_values: dict[str, str], names: list[str]
) -> None:
    candidates = [
        preset("four", cpu="4"),
        preset("bare"),
        preset("four-eu", cpu="4", region="eu"),
    ]

    matches = match_presets(candidates, given_values)

    assert [match.name for match in matches] == names


def test_the_most_parameters_go_first_then_the_default_then_the_name() -> None:
    candidates = [
        preset("z", a="1"),
        preset("b", a="1"),
        preset("y", is_default=True, b="2"),
        preset("x", a="1", b="2"),
    ]

    matches = match_presets(candidates, {"a": "1", "b": "2"})

    assert [match.name for match in matches] == ["x", "y", "b", "z"]


def test_an_empty_value_is_not_an_absent_one() -> None:
    matches = match_presets([preset("empty", a="")], {})

    assert matches == []


NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["", "1", "2"])
PARAMETERS = st.dictionaries(NAMES, VALUES)
CANDIDATES = st.lists(
    st.builds(
        PresetCandidate,
        id=st.uuids(),
        name=st.text("xyz", max_size=3),
        is_default=st.booleans(),
        parameters=PARAMETERS,
    ),
    unique_by=lambda candidate: candidate.name,
)


@given(candidates=CANDIDATES, given_values=PARAMETERS, data=st.data())
def test_the_order_of_the_candidates_does_not_matter(
    candidates: list[PresetCandidate], given_values: dict[str, str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates))

    assert match_presets(shuffled, given_values) == match_presets(candidates, given_values)


@given(candidates=CANDIDATES, given_values=PARAMETERS, extra=PARAMETERS)
def test_extra_given_parameters_never_remove_a_match(
    candidates: list[PresetCandidate], given_values: dict[str, str], extra: dict[str, str]
) -> None:
    before = match_presets(candidates, given_values)

    after = match_presets(candidates, extra | given_values)

    assert all(match in after for match in before)


@given(candidates=CANDIDATES, given_values=PARAMETERS)
def test_exactly_the_presets_contained_in_the_given_values_match(
    candidates: list[PresetCandidate], given_values: dict[str, str]
) -> None:
    matches = match_presets(candidates, given_values)

    for candidate in candidates:
        contained = {**given_values, **candidate.parameters} == given_values
        assert (candidate in matches) is contained


DEFINITIONS = st.lists(
    st.builds(
        ParameterDefinition,
        name=NAMES,
        type=st.sampled_from(["string", "number", "bool", "list(string)"]),
        default=st.none() | st.sampled_from(["", "1", "2.0", "true", '["1"]', "(", "x"]),
        required=st.booleans(),
        mutable=st.booleans(),
        ephemeral=st.booleans(),
        options=st.sampled_from([(), ("1", "2"), ("true",), ("",)]),
        validation_regex=st.sampled_from(["", "^[0-9]$", "("]),
        validation_error=st.sampled_from(["", "{value}: {min} to {max}"]),
        validation_min=st.none() | st.integers(0, 2),
        validation_max=st.none() | st.integers(0, 2),
        validation_monotonic=st.sampled_from(["", "increasing", "decreasing"]),
    ),
    unique_by=lambda definition: definition.name,
    max_size=4,
)
SOUND_DEFINITIONS = DEFINITIONS.map(
    lambda definitions: [d for d in definitions if not definition_problems([d])]
)
TEXTS = st.dictionaries(NAMES, st.sampled_from(["", "1", "2", "2.0", "true", '["1"]', "[]", "x"]))


@given(definitions=SOUND_DEFINITIONS, texts=TEXTS, previous=st.none() | TEXTS)
@settings(max_examples=150)
def test_resolving_resolved_values_again_changes_nothing(
    definitions: list[ParameterDefinition],
    texts: dict[str, str],
    previous: dict[str, str] | None,
) -> None:
    known = {d.name for d in definitions}
    values = outcome_of(definitions, {n: v for n, v in texts.items() if n in known}, previous)
    if not isinstance(values, dict):
        reject()

    assert outcome_of(definitions, values) == values
    assert outcome_of(definitions, values, values) == values
    assert outcome_of(definitions, values, previous) == values


@given(definitions=DEFINITIONS, given_values=TEXTS, previous=st.none() | TEXTS)
@settings(max_examples=300)
def test_every_problem_names_a_parameter_that_is_defined_or_given(
    definitions: list[ParameterDefinition],
    given_values: dict[str, str],
    previous: dict[str, str] | None,
) -> None:
    problems = problems_of(definitions, given_values, previous)

    assert {p.field for p in problems} <= {d.name for d in definitions} | given_values.keys()
    assert all(problem.detail for problem in problems)


@given(definitions=SOUND_DEFINITIONS)
def test_sound_definitions_resolve_whenever_nothing_is_required(
    definitions: list[ParameterDefinition],
) -> None:
    optional = [d for d in definitions if not (d.required and d.default is None)]

    values = resolve_values(optional, {})

    assert values == {d.name: d.default for d in optional if d.default is not None}
