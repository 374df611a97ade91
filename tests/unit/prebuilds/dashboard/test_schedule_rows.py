"""What stands under a row of the schedule, and what the picker's script is told."""

import pytest

from prebuilds.dashboard.edit_preset.schedule_rows import present_rows, rows_as_json


@pytest.mark.parametrize(
    ("expression", "number", "words"),
    [
        ("* 8-18 * * 1-5", "3", "Mon to Fri, 08:00 to 18:59 → 3"),
        ("* 8-18 * * 1-5", "", "Mon to Fri, 08:00 to 18:59"),
        ("* 18-8 * * 1-5", "3", ""),
        ("", "3", ""),
    ],
)
def test_a_row_is_said_in_words_when_it_can_be_read(
    expression: str, number: str, words: str
) -> None:
    (row,) = present_rows([(expression, number)]).rows

    assert row.words == words


def test_the_script_is_told_days_and_hours_of_what_it_can_show_only() -> None:
    custom, plain = rows_as_json([("* 8,10 * * *", "1"), ("* 19-23,0-7 * * 6", "1")])

    assert custom["words"] == "Every day, 08:00 to 08:59 and 10:00 to 10:59 → 1"
    assert (custom["days"], custom["first"], custom["last"]) == (None, None, None)
    assert (plain["days"], plain["first"], plain["last"]) == ((6,), 19, 7)


def test_spare_rows_are_empty() -> None:
    rows = present_rows([("* 8 * * *", "1")], spare=2).rows

    assert [(one.expression, one.number, one.words) for one in rows[1:]] == [("", "", "")] * 2
