"""The command, and the transport on a real database."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from workspaces.models import ProvisionerDaemon
from workspaces.provisioner.transport import DaemonProfile, ServiceTransport

PROFILE = DaemonProfile(
    name="d", hostname="h", version="1", provisioner_types=["local"], tags={}, concurrency=1
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
    assert daemon.name == "d"
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
