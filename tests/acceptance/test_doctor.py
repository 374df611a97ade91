"""manage.py doctor beside a real installation: one where all is well, and broken ones."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import ROOT, Installation, eventually
from tests.integration.prebuilds import mailing

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(240)]

PASSWORD = "tr0ub4dor-and-three"
DEPLOYED = {
    "PREBUILDS_DEBUG": "0",
    "PREBUILDS_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-" * 2,
}
SET_UP = """
from tests import factories
factories.make_template("shell", startup_script="true\\n")
"""


@pytest.fixture
def inbox() -> mailing.Inbox:
    return mailing.Inbox()


@pytest.fixture
def installation(inbox: mailing.Inbox) -> Iterator[Installation]:
    """Migrated, with a mail server; nothing runs yet."""
    with (
        tempfile.TemporaryDirectory(prefix="prebuilds-doctor-") as directory,
        mailing.mail_server(inbox) as mail_port,
    ):
        made = Installation(
            Path(directory),
            PREBUILDS_SMTP_URL=f"smtp://127.0.0.1:{mail_port}",
        )
        try:
            made.manage("migrate", "--verbosity", "0")
            yield made
        finally:
            made.close()


def run_doctor(installation: Installation, *words: str, **settings: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", *words],
        cwd=ROOT,
        env=installation.environment | settings,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def levels(output: str) -> dict[str, str]:
    """Return the worst word of each check in the JSON answer."""
    order = ("skipped", "ok", "warning", "failing")
    worst: dict[str, str] = {}
    for one in json.loads(output)["findings"]:
        before = worst.get(one["check"], "skipped")
        worst[one["check"]] = max(before, one["level"], key=order.index)
    return worst


def advice_of(output: str, check: str) -> str:
    found: list[dict[str, Any]] = json.loads(output)["findings"]
    return " ".join(one["advice"] for one in found if one["check"] == check)


def test_an_installation_that_works_passes_and_one_without_a_daemon_does_not(
    installation: Installation, inbox: mailing.Inbox
) -> None:
    installation.manage("setup_schedules")
    installation.run_python(SET_UP)
    installation.start("web", "reconciler", "provisioner", "worker")

    code, said = eventually(
        lambda: run_doctor(installation, "--json"), lambda seen: seen[0] == 0, seconds=100
    )
    found = levels(said)

    assert [check for check, level in found.items() if level == "warning"] == ["settings"], said
    assert [check for check, level in found.items() if level == "skipped"] == ["static files"]
    assert inbox.readers() == []

    assert run_doctor(installation, "--mail-to", "ana@example.com", "--strict")[0] == 1
    assert inbox.readers() == ["ana@example.com"]

    assert installation.stop("reconciler") == 0
    assert installation.stop("provisioner") == 0
    code, said = run_doctor(installation, "--json")
    assert (code, levels(said)["provisioners"]) == (1, "failing")


def test_what_was_left_out_is_named_with_the_command_that_mends_it(
    installation: Installation,
) -> None:
    began = time.monotonic()
    nowhere = {"PREBUILDS_SMTP_URL": "smtp://127.0.0.1:1"}
    code, said = run_doctor(installation, "--json", **DEPLOYED, **nowhere)
    took = time.monotonic() - began

    found = levels(said)
    failing = {check for check, level in found.items() if level == "failing"}
    assert (code, failing) == (
        1,
        {"schedules", "worker", "cycle", "mail server", "static files"},
    ), said
    assert found["address"] == "warning"
    assert "setup_schedules" in advice_of(said, "schedules")
    assert "manage.py worker" in advice_of(said, "worker")
    assert "reconcile --loop" in advice_of(said, "cycle")
    assert "collectstatic" in advice_of(said, "static files")
    assert took < 45


def test_a_database_that_is_away_is_said_without_its_password_and_the_rest_is_looked_at(
    installation: Installation,
) -> None:
    address = f"postgresql://prebuilds:{PASSWORD}@127.0.0.1:1/prebuilds"

    code, said = run_doctor(installation, DATABASE_URL=address)

    assert code == 1
    assert said.startswith("✗ database")
    assert "Connection refused" in said
    assert "– cycle" in said
    assert "! address" in said
    assert PASSWORD not in said


def test_a_setting_that_cannot_be_used_ends_it_before_it_looks(installation: Installation) -> None:
    code, said = run_doctor(installation, PREBUILDS_PORT="many")

    assert (code, said) == (2, "")
