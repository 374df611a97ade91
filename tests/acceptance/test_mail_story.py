"""The story of a broken pool, with real processes: stopped, told by mail, mended, told it is over.

The worker's clock rings once a minute; here its tasks are queued for it, so nobody waits.
"""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from prebuilds.dashboard.base.wording import say_duration
from tests.acceptance.installation import Installation, eventually
from tests.integration.prebuilds.mailing import Inbox, mail_server

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(120)]

HARD_LIMIT = 2

SET_UP = """
from accounts.models import Membership, Organization, User
from templates_app.services import PresetSpec, VersionSpec, create_template
home = Organization.objects.get(is_default=True)
tess = User.objects.create_user("tess", roles=["template-admin"])
owen = User.objects.create_user("owen", roles=["owner"])
ana = User.objects.create_user("ana")
for person in (tess, owen, ana):
    person.email = f"{{person.username}}@example.com"
    person.save()
    Membership.objects.create(organization=home, user=person)
template = create_template(
    organization=home, name="shell", created_by=tess,
    version=VersionSpec(
        name="1", startup_script="test -e {mended} || {{ echo no such image >&2; exit 3; }}\\n",
        presets=[PresetSpec(name="Small", desired_instances=1)],
    ),
)
print(home.pk, template.pk, template.active_version.presets.get().pk)
"""

SEND_MAIL = """
from django_q.tasks import async_task, result
print(result(async_task("prebuilds.tasks.send_mail"), wait=20_000))
"""


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def installation(inbox: Inbox) -> Iterator[Installation]:
    """A migrated installation that gives up soon and sends to a mail server of this machine."""
    with (
        mail_server(inbox) as port,
        tempfile.TemporaryDirectory(prefix="prebuilds-mail-") as directory,
    ):
        made = Installation(
            Path(directory),
            PREBUILDS_BACKOFF_INTERVAL="1s",
            PREBUILDS_RECONCILIATION_INTERVAL="1s",
            PREBUILDS_FAILURE_HARD_LIMIT=str(HARD_LIMIT),
            PREBUILDS_SMTP_URL=f"smtp://127.0.0.1:{port}",
        )
        try:
            made.manage("migrate", "--verbosity", "0")
            yield made
        finally:
            made.close()


def test_a_pool_that_stops_is_told_by_mail_mended_retried_and_told_to_be_over(
    installation: Installation, inbox: Inbox
) -> None:
    mended = installation.home / "mended"
    organization, template, preset = installation.run_python(SET_UP.format(mended=mended)).split()
    installation.start("web", "reconciler", "provisioner", "worker")

    with (
        installation.client("tess", scope="manage") as tess,
        installation.client("ana") as ana,
    ):
        (notice,) = eventually(lambda: _list_notices(tess, still="true"), bool, seconds=30)
        assert notice["kind"] == "hard_limited"
        told = _receive(installation, inbox, number=2)
        assert _claim(ana, organization, template, preset) == ("cold", "hard_limited")

        mended.touch()
        assert tess.post(f"/presets/{preset}/retry").status_code == 200
        (over,) = eventually(
            lambda: [one for one in _list_notices(tess, still="false") if one["closed_at"]],
            bool,
            seconds=20,
        )
    told_over = _receive(installation, inbox, number=4)[2:]

    assert over["id"] == notice["id"]
    subject = f"shell / Small: {notice['title']}"
    lasted = say_duration(timedelta(seconds=over["lasted_seconds"]))
    _assert_tells(told, subject, "no such image", f"/presets/{preset}/")
    _assert_tells(told_over, f"Over: {subject}", f"It lasted {lasted} and cost 1 cold start.")
    assert {mail["References"] for mail in [*told, *told_over]} == {told[0]["References"]}
    eventually(installation.pools, _is_full, seconds=20)
    assert _send_mail(installation) == "0 sent, 0 put off, 0 given up"
    assert len(inbox.mails) == 4, inbox.readers()


def _list_notices(client: httpx.Client, *, still: str) -> list[dict[str, Any]]:
    answer = client.get("/prebuilds/notices", params={"open": still})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def _claim(client: httpx.Client, organization: str, template: str, preset: str) -> tuple[str, str]:
    """Ask for a workspace of the stopped pool; return how that went, and why."""
    answer = client.post(
        f"/organizations/{organization}/members/me/workspaces",
        json={"name": "mine", "template_id": template, "template_version_preset_id": preset},
    )
    assert answer.status_code == 201, answer.text
    claim = answer.json()["claim"]
    return claim["outcome"], claim["reason"]


def _send_mail(installation: Installation) -> str:
    """Let the worker do its task now; return what it answered."""
    return installation.run_python(SEND_MAIL)


def _receive(installation: Installation, inbox: Inbox, *, number: int) -> list[EmailMessage]:
    """Let the worker send until so many mails have arrived in all."""

    def arrived() -> int:
        _send_mail(installation)
        return len(inbox.mails)

    eventually(arrived, lambda seen: seen >= number, seconds=20)
    return list(inbox.mails)


def _assert_tells(mails: list[EmailMessage], subject: str, *words: str) -> None:
    """Check that each admin got one mail, with this subject and these words."""
    assert sorted(str(mail["To"]) for mail in mails) == ["owen@example.com", "tess@example.com"]
    for mail in mails:
        plain = mail.get_body(("plain",))
        assert plain is not None
        text = plain.get_content()
        assert mail["Subject"] == subject
        assert [one for one in words if one not in text] == [], text


def _is_full(pools: dict[str, dict[str, Any]]) -> bool:
    state = pools.get("shell / Small 1", {}).get("state", {})
    return bool(state.get("eligible") == 1)
