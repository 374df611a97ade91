"""Durations as people write them (semantics.md 22)."""

from datetime import timedelta

import pytest

from prebuilds.core.durations import HOW_TO, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
        ("45", timedelta(seconds=45)),
        ("0", timedelta(0)),
        ("007", timedelta(seconds=7)),
        ("  5m\n", timedelta(minutes=5)),
        ("5 m", timedelta(minutes=5)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("999999999d", timedelta(days=999_999_999)),
    ],
)
def test_a_duration_is_a_number_and_a_unit_or_plain_seconds(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "m",
        "soon",
        "-5m",
        "+5m",
        "1.5h",
        "1,5h",
        "1e3",
        "5M",
        "5min",
        "5 minutes",
        "1h30m",
        "1w",
        "٥m",
        "1000000000",
        "5m 5m",
    ],
)
def test_what_is_no_duration_is_refused_with_how_to_write_one(text):
    with pytest.raises(ValueError, match="use a duration such as 90s, 5m, 1h, 2d") as caught:
        parse_duration(text)

    assert str(caught.value) == HOW_TO
