"""Who changes a workspace's times is written down: before, after, and from where."""

from datetime import timedelta

import pytest

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from tests import factories
from tests.factories import NOON, hours
from workspaces.errors import BuildInProgress, InvalidLifecycle
from workspaces.services import lifecycle, lifecycle_executor

pytestmark = pytest.mark.django_db

SCHEDULE = "CRON_TZ=Europe/Berlin 30 9 * * 1-5"
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def actor():
    return Actor(user=factories.make_user("ana"), source=AuditSource.API, address="192.0.2.7")


@pytest.fixture
def workspace(actor):
    template = factories.make_template(fields={"default_ttl_seconds": 8 * 3600})
    made = factories.make_workspace(actor.user, template=template, now=NOON)
    factories.finish_all_jobs(now=NOON)
    made.refresh_from_db()
    return made


CHANGES = {
    "set_ttl": (
        lambda by: lifecycle.set_ttl(ttl_seconds=3600, **by),
        {"ttl_seconds": 28800},
        {"ttl_seconds": 3600},
    ),
    "extend": (
        lambda by: lifecycle.extend_deadline(deadline=NOON + hours(10), **by),
        {"deadline": (NOON + hours(8)).isoformat()},
        {"deadline": (NOON + hours(10)).isoformat()},
    ),
    "set_autostart": (
        lambda by: lifecycle.set_autostart(schedule=SCHEDULE, **by),
        {"autostart_schedule": ""},
        {"autostart_schedule": SCHEDULE},
    ),
    "set_dormancy": (
        lambda by: lifecycle.set_dormancy(dormant=True, **by),
        {"dormant": False},
        {"dormant": True},
    ),
    "set_automatic_updates": (
        lambda by: lifecycle.set_automatic_updates(automatic_updates="always", **by),
        {"automatic_updates": "never"},
        {"automatic_updates": "always"},
    ),
}


@pytest.mark.parametrize("action", CHANGES)
def test_each_change_leaves_one_entry(workspace, actor, action):
    change, before, after = CHANGES[action]

    change({"workspace_id": workspace.pk, "actor": actor, "now": LATER})

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.object_id) == (
        action,
        "workspace",
        str(workspace.pk),
    )
    assert (entry.actor, entry.source, entry.address, entry.at) == (
        actor.user,
        "api",
        "192.0.2.7",
        LATER,
    )
    assert (entry.before, entry.after) == (before, after)


@pytest.mark.parametrize("action", [each for each in CHANGES if each != "extend"])
def test_asking_for_the_same_again_leaves_none(workspace, actor, action):
    change = CHANGES[action][0]
    by = {"workspace_id": workspace.pk, "actor": actor, "now": LATER}
    change(by)
    if action == "set_dormancy":
        factories.finish_all_jobs(now=LATER)

    change(by)

    assert AuditEntry.objects.count() == 1


def test_what_is_refused_leaves_none(workspace, actor):
    by = {"workspace_id": workspace.pk, "actor": actor, "now": LATER}

    with pytest.raises(InvalidLifecycle):
        lifecycle.set_ttl(ttl_seconds=1, **by)
    factories.ask_for(workspace, "stop", now=LATER)
    with pytest.raises(BuildInProgress):
        lifecycle.set_dormancy(dormant=True, **by)

    assert not AuditEntry.objects.exists()


def test_what_time_does_by_itself_is_no_persons_change(workspace):
    lifecycle_executor.apply_lifecycle(now=NOON + hours(9))

    workspace.refresh_from_db()
    assert workspace.latest_build.transition == "stop"
    assert not AuditEntry.objects.exists()
