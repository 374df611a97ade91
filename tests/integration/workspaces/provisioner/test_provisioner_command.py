"""The command, and the transport on a real database."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from workspaces.management.commands import provisioner
from workspaces.models import ProvisionerDaemon
from workspaces.protocol import DaemonProfile
from workspaces.provisioner.transport import ServiceTransport

PROFILE = DaemonProfile(
    name="d",
    hostname="h",
    version="1",
    provisioner_types=["local"],
    tags={},
    concurrency=1,
    machine="m-1",
)


@pytest.mark.django_db
def test_a_daemon_introduces_itself_and_says_goodbye():
    transport = ServiceTransport(access_url="http://x", clock=timezone.now)

    transport.register(PROFILE)
    transport.touch()
    assert transport.acquire(wait=0) is None
    assert transport.reap() == 0
    transport.goodbye()

    daemon = ProvisionerDaemon.objects.get()
    assert (daemon.name, daemon.machine) == ("d", "m-1")
    assert daemon.stopped_at is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tag", "nonsense"], "'nonsense' is not KEY=VALUE"),
        (["--concurrency", "0"], "0 is not a number from 1 to 100"),
        (["--grace", "-1"], "-1 is not a number of seconds"),
        (["--url", "here"], "'here' is not an address such as"),
        (["--url", "ftp://x"], "'ftp://x' is not an address such as"),
        (["--url", "http://u:p@x"], "is not an address such as"),
        (["--url", "http://x"], "--url needs a key: use --key-file"),
        (["--url", "http://x", "--key-file", "/nowhere"], "Cannot read the key from /nowhere"),
        (["--url", "http://x", "--key", "a\nb"], "no key has"),
        (["--key", "k"], "name it with --url"),
    ],
)
def test_bad_usage_is_refused_with_the_value(arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command("provisioner", *arguments)


def test_a_daemon_tells_the_machine_of_its_root(tmp_path, settings, monkeypatch):
    settings.PREBUILDS_WORKSPACES_DIR = tmp_path / "workspaces"
    made = []
    monkeypatch.setattr(provisioner.signal, "signal", lambda *_: None)
    monkeypatch.setattr(provisioner.Daemon, "run", lambda daemon: made.append(daemon._profile))

    for _ in range(2):
        call_command("provisioner", "--url", "http://127.0.0.1:1", "--key", "k", "--once")

    machine = (tmp_path / "workspaces" / ".machine").read_text().strip()
    assert [profile.machine for profile in made] == [machine, machine]


def test_a_root_without_a_readable_id_is_one_clear_line(tmp_path, settings):
    settings.PREBUILDS_WORKSPACES_DIR = tmp_path
    (tmp_path / ".machine").write_text("no id")

    with pytest.raises(CommandError, match="Cannot tell which machine this is"):
        call_command("provisioner", "--url", "http://127.0.0.1:1", "--key", "k", "--once")
