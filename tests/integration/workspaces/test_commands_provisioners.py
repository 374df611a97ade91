"""manage.py provisioners: the machines listed, and one forgotten; audited as from the shell."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from tests.factories import make_bound_job, make_daemon
from workspaces.models import ProvisionerJob

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command("provisioners", *words, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def gone():
    """A machine with one workspace, whose stop waits for it; not seen for an hour."""
    make_bound_job()


@pytest.mark.usefixtures("gone")
def test_a_list_says_what_each_machine_keeps():
    make_daemon(name="near", hostname="", machine="m-2")

    near, far = run("list").splitlines()

    assert near == "m-2: near, online, 0 workspaces (0 of people), 0 jobs wait"
    assert far.startswith("m-1: build-1 on far, last seen 20")
    assert far.endswith(" UTC, 1 workspaces (1 of people), 1 jobs wait")


def test_an_empty_list_says_so():
    assert run("list") == "No machine is online or keeps a workspace."


@pytest.mark.usefixtures("gone")
def test_a_machine_that_is_gone_is_forgotten_once():
    said = run("forget-machine", "m-1")

    assert "m-1: forgotten" in said
    assert "1 workspaces (1 jobs waited)" in said
    assert not ProvisionerJob.objects.exclude(machine="").exists()
    assert "nothing changed" in run("forget-machine", "m-1")
    entry = AuditEntry.objects.get(action="forget_machine")
    assert (entry.source, entry.actor) == ("command", None)


@pytest.mark.usefixtures("gone")
def test_what_is_still_there_is_not_forgotten():
    make_daemon(name="again", machine="m-1")

    with pytest.raises(CommandError, match="again of that machine is online"):
        run("forget-machine", "m-1")

    assert ProvisionerJob.objects.filter(machine="m-1").count() == 2


@pytest.mark.parametrize("machine", ["nowhere", ""])
def test_what_does_not_exist_is_named(machine):
    make_daemon(machine="")

    with pytest.raises(CommandError, match=f'machine "{machine}"'):
        run("forget-machine", machine)
