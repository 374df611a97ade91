"""How templates, their versions and what tells those apart are said."""

import pytest

from prebuilds.dashboard.template.comparison import CONTEXT_LINES, LINES_SHOWN, text_lines
from prebuilds.dashboard.template.draft import next_name
from prebuilds.dashboard.template.forms import SpanField, say_span
from prebuilds.dashboard.template.wording import say_work


@pytest.mark.parametrize(
    ("name", "taken", "following"),
    [
        ("1.0.0", ["1.0.0"], "1.0.1"),
        ("v1", ["v1", "V2"], "v3"),
        ("release-9-beta", [], "release-10-beta"),
        ("nightly", ["nightly"], ""),
    ],
)
def test_the_next_version_is_called_by_the_next_free_number(name, taken, following) -> None:
    assert next_name(name, taken) == following


@pytest.mark.parametrize("seconds", [0, 1, 90, 3600, 5400, 86_400, 90_000, 2_592_000])
def test_a_span_is_read_as_it_is_written(seconds: int) -> None:
    assert SpanField(required=False).clean(say_span(seconds)) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("", 0), (" Never ", 0), ("0", 0), ("8H", 28_800)])
def test_a_span_may_be_none_and_in_any_case(text: str, seconds: int) -> None:
    assert SpanField(required=False).clean(text) == seconds


def test_only_what_differs_of_a_text_is_shown_with_some_lines_around_it() -> None:
    before = "\n".join(str(number) for number in range(30))

    lines = list(text_lines(before, before.replace("15", "fifteen")))

    assert [line.text for line in lines if line.kind == "place"] == ["line 13"]
    assert [line.text for line in lines if line.kind == "removed"] == ["- 15"]
    assert [line.text for line in lines if line.kind == "added"] == ["+ fifteen"]
    assert len([line for line in lines if line.kind == "same"]) == 2 * CONTEXT_LINES


def test_a_very_long_difference_is_cut() -> None:
    lines = list(text_lines("", "line\n" * 5000))

    assert len(lines) == LINES_SHOWN
    assert lines[-1].text == "… and more"


def test_nothing_to_do_is_said_and_waits_for_nobody() -> None:
    assert say_work(delete=0, paused=True) == "No prebuild is touched."


def test_all_work_is_one_sentence() -> None:
    said = say_work(delete=3, cancel=1, create=2, hold=1)

    assert said == (
        "The next cycle will delete 3 prebuilds, cancel 1 pending start, build 2 prebuilds and "
        "hold back 1 prebuild."
    )
