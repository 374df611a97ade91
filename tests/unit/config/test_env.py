"""Reading one variable: what parses, and what a person reads when it does not."""

from datetime import timedelta

import pytest

from config.env import BadSetting, Environment

MINUTE = timedelta(minutes=1)


def environment(value: str) -> Environment:
    return Environment({"PREBUILDS_X": value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
        ("45", timedelta(seconds=45)),
        (" 5m ", timedelta(minutes=5)),
        ("0", timedelta(0)),
        ("", MINUTE),
        ("   ", MINUTE),
    ],
)
def test_a_duration_reads_its_unit(text, expected):
    assert environment(text).duration("PREBUILDS_X", MINUTE) == expected


@pytest.mark.parametrize(
    "text", ["soon", "5 minutes", "-5m", "1.5h", "5M", "1h30m", "٥m", "9999d", "1" * 40]
)
def test_a_bad_duration_names_the_variable_the_value_and_the_way_out(text):
    with pytest.raises(BadSetting) as caught:
        environment(text).duration("PREBUILDS_X", MINUTE)
    line = str(caught.value)
    assert "PREBUILDS_X" in line
    assert text in line
    assert "duration" in line
    assert "\n" not in line


def test_a_duration_below_its_minimum_is_refused():
    with pytest.raises(BadSetting, match="from 1s to"):
        environment("0").duration("PREBUILDS_X", MINUTE, low=timedelta(seconds=1))


@pytest.mark.parametrize("text", ["1", "true", "Yes", "ON"])
def test_words_for_yes(text):
    assert environment(text).bool("PREBUILDS_X") is True


@pytest.mark.parametrize("text", ["0", "false", "No", "OFF"])
def test_words_for_no(text):
    assert environment(text).bool("PREBUILDS_X", default=True) is False


@pytest.mark.parametrize("text", ["2", "maybe", "tru"])
def test_other_words_are_neither(text):
    with pytest.raises(BadSetting, match=r"PREBUILDS_X='.*' is not usable: use 1 or 0"):
        environment(text).bool("PREBUILDS_X")


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("7", 7), ("+7", 7), ("", 3)])
def test_a_number_reads(text, expected):
    assert environment(text).int("PREBUILDS_X", 3) == expected


@pytest.mark.parametrize("text", ["-1", "11", "three", "1.0", "0x1", "1_0", "1" * 5000])
def test_a_number_out_of_range_or_shape_is_refused(text):
    with pytest.raises(BadSetting, match="use a whole number from 0 to 10"):
        environment(text).int("PREBUILDS_X", 3, high=10)


@pytest.mark.parametrize(
    ("text", "expected"), [("a, b,,c ", ["a", "b", "c"]), ("", ["z"]), (",", ["z"])]
)
def test_a_list_is_split_at_commas(text, expected):
    assert environment(text).list("PREBUILDS_X", ("z",)) == expected


@pytest.mark.parametrize("text", ["http://a", "https://a.example:8443/base/", "http://[::1]:8000"])
def test_an_address_loses_its_last_slash(text):
    assert environment(text).url("PREBUILDS_X", "http://d") == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "a.example",
        "ftp://a",
        "http://",
        "http://a:99999",
        "http://a?x=1",
        "//a",
        "http://[",
        "http://u:p@a",
    ],
)
def test_what_is_no_web_address_is_refused(text):
    with pytest.raises(BadSetting, match="use an address such as"):
        environment(text).url("PREBUILDS_X", "http://d")


def test_a_choice_ignores_case_and_lists_the_others():
    assert environment("debug").choice("PREBUILDS_X", "INFO", ("INFO", "DEBUG")) == "DEBUG"
    with pytest.raises(BadSetting, match="use one of INFO, DEBUG"):
        environment("loud").choice("PREBUILDS_X", "INFO", ("INFO", "DEBUG"))


@pytest.mark.parametrize("text", ["9lives", "a-b", "a b", "é"])
def test_an_identifier_is_plain(text):
    with pytest.raises(BadSetting, match="use letters"):
        environment(text).identifier("PREBUILDS_X", "coderd")


def test_a_misspelt_variable_is_refused_with_a_guess():
    env = Environment({"PREBUILDS_BACKOF_INTERVAL": "5m"})
    env.duration("PREBUILDS_BACKOFF_INTERVAL", MINUTE)
    with pytest.raises(BadSetting) as caught:
        env.refuse_unknown()
    assert str(caught.value) == (
        "unknown setting PREBUILDS_BACKOF_INTERVAL; did you mean PREBUILDS_BACKOFF_INTERVAL?"
    )


def test_variables_of_others_and_of_workspaces_are_no_settings():
    Environment({"HOME": "/", "PREBUILDS_AGENT_TOKEN": "x", "PREBUILDSX": "1"}).refuse_unknown()


def test_what_was_read_is_kept_with_its_value_and_whether_it_is_the_default():
    env = Environment({"PREBUILDS_A": " 90s ", "PREBUILDS_B": "", "PREBUILDS_D": "x, y"})
    env.duration("PREBUILDS_A", MINUTE)
    env.duration("PREBUILDS_B", timedelta(hours=24))
    env.int("PREBUILDS_C", 7)
    env.list("PREBUILDS_D")
    env.bool("PREBUILDS_E")

    kept = [(one.name, one.value, one.is_default) for one in env.readings()]

    assert kept == [
        ("PREBUILDS_A", "90s", False),
        ("PREBUILDS_B", "1d", True),
        ("PREBUILDS_C", "7", True),
        ("PREBUILDS_D", "x, y", False),
        ("PREBUILDS_E", "0", True),
    ]


def test_of_a_secret_nothing_is_kept_but_that_it_is_set():
    env = Environment({"PREBUILDS_KEY": "hunter2"})

    assert env.secret("PREBUILDS_KEY") == "hunter2"
    assert env.secret("PREBUILDS_OTHER") == ""

    kept = [(one.name, one.value, one.is_default, one.secret) for one in env.readings()]
    assert kept == [("PREBUILDS_KEY", "", False, True), ("PREBUILDS_OTHER", "", True, True)]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ana:hunter2@db:5432/pre", "postgresql://ana@db:5432/pre"),
        ("postgresql://db/pre?password=hunter2", "postgresql://db/pre"),
        ("postgresql://ana:hun@ter2@db/pre", "postgresql://ana@db/pre"),
        ("postgresql://ana:hun/ter2@db/pre", ""),
        ("postgresql://ana:12/hunter2@db/pre", ""),
        ("postgresql://ana:12?hunter2@db/pre", ""),
        ("postgresql://ana:12#hunter2@db/pre", ""),
        ("postgresql:///pre?host=/run&password=hunter2", ""),
        ("hunter2", ""),
        ("", ""),
    ],
)
def test_no_part_of_a_password_is_kept_of_a_database_address(address, shown):
    env = Environment({"DATABASE_URL": address})

    assert env.database_address("DATABASE_URL") == address
    assert [one.value for one in env.readings()] == [shown]
