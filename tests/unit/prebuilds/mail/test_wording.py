"""What leaves the house in a mail: short, on one line where it must be, without secrets."""

from prebuilds.mail.wording import ADVICE, say_error, say_gist, say_subject
from prebuilds.models import NoticeKind


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


def test_titles_and_links_of_a_terminal_go_and_leave_their_text():
    linked = "see \x1b]8;;https://example.com/e42\x1b\\E42\x1b]8;;\x1b\\ \x1b]0;make\x07now"

    assert say_error(linked) == "see E42 now"


def test_nothing_turns_the_direction_of_what_follows():
    assert say_subject("shell\u202e / \u2066Small: stopped") == "shell / Small: stopped"
    assert say_error("no \u202eegami\u202c") == "no egami"
    assert say_error("שלום 😀") == "שלום 😀"


def test_the_gist_of_an_error_is_one_line_where_it_begins_and_where_it_ends():
    assert say_gist("no such image") == "no such image"
    assert say_gist("first\n\nmiddle\nTOKEN=hunter2 last\n") == "first … TOKEN=(hidden) last"
    assert len(say_gist("x" * 5000 + "\n" + "y" * 5000)) < 300


def test_a_subject_is_one_line_and_not_too_long():
    assert say_subject("a\r\nBcc: b\x00c") == "a Bcc: b c"
    assert len(say_subject("x" * 500)) == 200


def test_there_is_advice_for_every_kind():
    assert set(ADVICE) == set(NoticeKind)
