"""The list of daemons: who is online, what they do, and nothing of another organization."""

from datetime import timedelta

import pytest

from tests.factories import (
    NOON,
    acquire,
    default_organization,
    make_daemon,
    make_key,
    make_organization,
    make_workspace,
)
from workspaces import selectors
from workspaces.services import daemons

pytestmark = pytest.mark.django_db


def listed(*, after=0, organizations=None):
    now = NOON + timedelta(seconds=after)
    return selectors.list_daemons(now=now, organization_ids=organizations)


@pytest.mark.parametrize(("after", "status"), [(0, "idle"), (29, "idle"), (30, "offline")])
def test_a_daemon_is_online_until_it_was_silent_for_thirty_seconds(after, status):
    make_daemon(now=NOON)

    assert [row.status for row in listed(after=after)] == [status]


def test_one_that_said_goodbye_is_offline_at_once():
    daemons.retire_daemon(daemon_id=make_daemon(now=NOON).pk, now=NOON)

    assert [row.status for row in listed()] == ["offline"]


def test_a_busy_one_says_with_what():
    workspace = make_workspace(now=NOON)
    daemon = make_daemon(now=NOON, tags={"a": "b"}, version="7")
    job = acquire(daemon=daemon, now=NOON)

    (row,) = listed()

    assert (row.status, row.tags, row.version, row.last_seen_at) == ("busy", {"a": "b"}, "7", NOON)
    (doing,) = row.jobs
    assert (doing.job_id, doing.workspace_id) == (job.job_id, workspace.pk)
    assert (doing.workspace_name, doing.started_at) == (workspace.name, NOON)


def test_those_online_come_first_then_by_name():
    daemons.retire_daemon(daemon_id=make_daemon(name="a", now=NOON).pk, now=NOON)
    make_daemon(name="c", now=NOON)
    make_daemon(name="b", now=NOON)

    assert [row.name for row in listed()] == ["b", "c", "a"]


def test_one_not_seen_for_a_week_is_forgotten():
    make_daemon(now=NOON)

    assert listed(after=7 * 24 * 3600) == ()


def test_an_organization_sees_its_own_daemons_and_those_that_serve_everybody():
    other = make_organization("other")
    make_daemon(name="near", now=NOON)
    make_daemon(name="ours", now=NOON, key=make_key()[0])
    make_daemon(name="theirs", now=NOON, key=make_key("k", organization=other)[0])

    assert [row.name for row in listed()] == ["near", "ours", "theirs"]
    rows = listed(organizations=[other.pk])
    assert [(row.name, row.organization_name, row.key_name) for row in rows] == [
        ("near", "", ""),
        ("theirs", "other", "k"),
    ]


def test_what_a_shared_daemon_does_for_another_organization_is_not_told():
    make_workspace(now=NOON)
    acquire(daemon=make_daemon(now=NOON), now=NOON)

    (elsewhere,) = listed(organizations=[make_organization().pk])
    (here,) = listed(organizations=[default_organization().pk])

    assert (elsewhere.status, elsewhere.jobs) == ("idle", ())
    assert here.status == "busy"


def test_many_cost_as_many_statements_as_one(django_assert_num_queries):
    for _ in range(5):
        make_workspace(now=NOON)
        acquire(daemon=make_daemon(now=NOON, key=make_key()[0]), now=NOON)

    with django_assert_num_queries(2):
        assert len(listed()) == 5
