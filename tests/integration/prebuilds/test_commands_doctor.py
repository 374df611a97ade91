"""manage.py doctor: what it prints, as text and as JSON, and how it ends."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from prebuilds.checkup.findings import bad, skipped, warn, well
from prebuilds.management.commands import doctor

WELL, ODD = ("disk", well("9 GiB are free")), ("mail server", warn("not configured", "set it"))
BROKEN, UNSEEN = ("worker", bad("no result lately", "start it")), ("cycle", skipped("not now"))


@pytest.fixture
def run(monkeypatch):
    """Run the command over given findings; return its exit code and what it printed."""

    def run(findings, *words):
        monkeypatch.setattr(doctor, "examine", lambda visit: iter(findings))
        out = StringIO()
        try:
            call_command("doctor", *words, stdout=out)
        except SystemExit as end:
            return end.code, out.getvalue()
        return 0, out.getvalue()

    return run


@pytest.mark.parametrize(
    ("findings", "words", "code"),
    [
        ([], [], 0),
        ([WELL, UNSEEN], [], 0),
        ([WELL, ODD], [], 0),
        ([WELL, ODD], ["--strict"], 1),
        ([WELL, UNSEEN], ["--strict"], 0),
        ([BROKEN, WELL], [], 1),
        ([BROKEN, ODD], ["--json"], 1),
        ([ODD], ["--json", "--strict"], 1),
    ],
)
def test_what_fails_fails_the_command_and_with_strict_a_warning_does(run, findings, words, code):
    assert run(findings, *words)[0] == code


def test_each_finding_is_a_line_and_what_to_do_another(run):
    assert run([WELL, ODD, BROKEN, UNSEEN])[1] == (
        "✓ disk          9 GiB are free\n"
        "! mail server   not configured\n"
        "                → set it\n"
        "✗ worker        no result lately\n"
        "                → start it\n"
        "– cycle         not now\n"
        "\n"
        "To mend: 1. To think about: 1.\n"
    )


def test_when_all_is_well_it_says_so(run):
    assert run([WELL, UNSEEN])[1].endswith("\nAll is well.\n")


@pytest.mark.parametrize(
    ("findings", "status"),
    [([WELL, UNSEEN], "ok"), ([WELL, ODD], "warning"), ([ODD, BROKEN], "failing")],
)
def test_json_says_the_worst_and_every_finding(run, findings, status):
    answer = json.loads(run(findings, "--json")[1])

    assert set(answer) == {"status", "as_of", "findings"}
    assert answer["status"] == status
    assert [one["check"] for one in answer["findings"]] == [name for name, _ in findings]
    assert all(set(one) == {"check", "level", "text", "advice"} for one in answer["findings"])


def test_an_address_for_the_mail_to_try_must_be_one():
    with pytest.raises(CommandError, match="'nobody' is not an e-mail address"):
        call_command("doctor", "--mail-to", "nobody")
