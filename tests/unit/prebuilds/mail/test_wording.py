"""What leaves the house in a mail: short, on one line where it must be, without secrets."""

import pytest

from prebuilds.mail.wording import ADVICE, mask_secrets, say_error, say_subject
from prebuilds.models import NoticeKind


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("fetch https://bot:s3cret@host/x failed", "fetch https://bot:(hidden)@host/x failed"),
        ("https://bot:s3/cr@et@host", "https://bot:(hidden)@host"),
        (
            "postgresql://u:pw@h and redis://:pw@h",
            "postgresql://u:(hidden)@h and redis://:(hidden)@h",
        ),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1 rest", "AWS_SECRET_ACCESS_KEY=(hidden) rest"),
        ("--password='a b c' --size=2", "--password=(hidden) --size=2"),
        ('{"api_key": "abc", "size": "m"}', '{"api_key": (hidden), "size": "m"}'),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer (hidden)"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, masked):
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "no such image: tool:9",
        "syntax error near unexpected token `fi'",
        "https://host:8080/path@v2 was not found",
        "disk full at 12:30:45, see mail to ana@example.com",
        "the token is missing",
    ],
)
def test_other_words_stay(text):
    assert mask_secrets(text) == text


def test_a_long_error_keeps_its_beginning_and_its_end():
    text = "\n".join(f"line {number}" for number in range(1000))

    said = say_error(text)

    assert said.startswith("line 0\n")
    assert said.endswith("line 999")
    assert len(said.split("\n")) == 21


def test_one_endless_line_is_cut_in_the_middle():
    said = say_error("a" * 5000 + "the end")

    assert len(said) < 1300
    assert said.endswith("the end")


def test_colours_and_controls_of_a_terminal_go():
    assert say_error("\x1b[31mred\x1b[0m\x07 text\r\nnext\x85") == "red text\nnext"


def test_a_subject_is_one_line_and_not_too_long():
    assert say_subject("a\r\nBcc: b\x00c") == "a Bcc: b c"
    assert len(say_subject("x" * 500)) == 200


def test_there_is_advice_for_every_kind():
    assert set(ADVICE) == set(NoticeKind)
