"""A workspace's times over the API; a prebuild has none (semantics.md 16)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    ask_for,
    finish_all_jobs,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces.enums import Transition
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db

CRON = "CRON_TZ=Europe/Berlin 30 9 * * 1-5"
HOUR_MS = 3_600_000


def in_hours(number):
    return (timezone.now() + timedelta(hours=number)).isoformat()


CALLS = {
    "ttl": lambda: {"ttl_ms": HOUR_MS},
    "autostart": lambda: {"schedule": CRON},
    "extend": lambda: {"deadline": in_hours(3)},
    "dormant": lambda: {"dormant": True},
    "autoupdates": lambda: {"automatic_updates": "always"},
}
FIELD = {
    "ttl": "ttl_ms",
    "autostart": "schedule",
    "extend": "deadline",
    "dormant": "dormant",
    "autoupdates": "automatic_updates",
}


def put(client, workspace, what, body):
    return send(client, "PUT", f"/workspaces/{workspace.pk}/{what}", body)


def own_workspace(*, ttl=7_200, **fields):
    """Make a running workspace that stops in two hours."""
    user = make_user()
    template = make_template(presets=[], fields={"default_ttl_seconds": ttl, **fields})
    workspace = make_workspace(user, template=template)
    finish_all_jobs()
    return user, workspace


def row(workspace):
    return Workspace.objects.select_related("latest_build").get(pk=workspace.pk)


@pytest.mark.parametrize("what", CALLS)
def test_a_prebuild_has_no_times_so_each_call_is_409(what):
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)

    response = put(session_of(caller("owner")), prebuild, what, CALLS[what]())

    assert_error(response, 409, message="prebuild")


WHO = [
    ("owner", True),
    ("organization-admin", True),
    ("template-admin", 403),
    ("auditor", 403),
    ("organization-template-admin", 403),
    ("member", 404),
    ("stranger", 404),
]


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize(("kind", "expected"), WHO)
def test_who_may_change_the_times_of_what_is_not_theirs(what, kind, expected):
    _, workspace = own_workspace()

    status = put(session_of(caller(kind)), workspace, what, CALLS[what]()).status_code

    assert status in (200, 204) if expected is True else status == expected


@pytest.mark.parametrize("what", CALLS)
def test_a_token_for_reading_changes_no_times_and_one_for_use_does(what):
    user, workspace = own_workspace()

    assert_error(put(scoped(user, "read", "a"), workspace, what, CALLS[what]()), 403)
    assert put(scoped(user, "use", "b"), workspace, what, CALLS[what]()).status_code in (200, 204)


WRONG = [[], None, "x", {}, {"unknown": 1}]


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("body", WRONG, ids=str)
def test_a_bad_body_is_400(what, body):
    user, workspace = own_workspace()
    before = row(workspace).updated_at

    response = put(session_of(user), workspace, what, body)

    assert response.status_code == 400
    if body == {}:
        assert_error(response, 400, fields=[FIELD[what]])
    assert row(workspace).updated_at == before


VALUES = [
    ("ttl", {"ttl_ms": 1_500}),
    ("ttl", {"ttl_ms": 1_000}),
    ("ttl", {"ttl_ms": 10**20}),
    ("ttl", {"ttl_ms": True}),
    ("autostart", {"schedule": "at noon"}),
    ("autostart", {"schedule": "CRON_TZ=Moon/Base 30 9 * * 1-5"}),
    ("extend", {"deadline": "tomorrow"}),
    ("extend", {"deadline": "2001-01-01T00:00:00Z"}),
    ("extend", {"deadline": "0001-01-01T00:00:00+14:00"}),
    ("dormant", {"dormant": "perhaps"}),
    ("autoupdates", {"automatic_updates": "sometimes"}),
]


@pytest.mark.parametrize(("what", "body"), VALUES, ids=str)
def test_a_value_that_cannot_be_is_400_with_the_field_named(what, body):
    user, workspace = own_workspace()

    response = put(session_of(user), workspace, what, body)

    assert_error(response, 400, fields=[FIELD[what]])


def test_the_ttl_is_set_and_taken_away():
    user, workspace = own_workspace()
    client = session_of(user)

    assert put(client, workspace, "ttl", {"ttl_ms": HOUR_MS}).status_code == 204
    assert row(workspace).ttl_seconds == 3_600
    assert client.get(f"/api/v2/workspaces/{workspace.pk}").json()["ttl_ms"] == HOUR_MS

    for nothing in (None, 0):
        assert put(client, workspace, "ttl", {"ttl_ms": nothing}).status_code == 204
        assert row(workspace).ttl_seconds is None


def test_a_template_that_keeps_autostop_to_itself_says_so():
    user, workspace = own_workspace(allow_user_autostop=False)

    response = put(session_of(user), workspace, "ttl", {"ttl_ms": HOUR_MS})

    assert_error(response, 400, fields=["ttl_ms"])


def test_autostart_is_set_and_taken_away():
    user, workspace = own_workspace()
    client = session_of(user)

    assert put(client, workspace, "autostart", {"schedule": CRON}).status_code == 204
    body = client.get(f"/api/v2/workspaces/{workspace.pk}").json()
    assert body["autostart_schedule"] == CRON
    assert body["next_start_at"] is not None

    for nothing in (None, ""):
        assert put(client, workspace, "autostart", {"schedule": nothing}).status_code == 204
        assert row(workspace).autostart_schedule == ""


def test_the_deadline_is_moved():
    user, workspace = own_workspace()
    deadline = in_hours(3)

    response = put(session_of(user), workspace, "extend", {"deadline": deadline})

    assert response.status_code == 200
    assert response.json()["message"] == f"Deadline updated to {deadline}."
    assert row(workspace).latest_build.deadline.isoformat() == deadline


def test_what_never_stops_or_does_not_run_has_no_deadline_to_move():
    user, endless = own_workspace(ttl=0)
    body = {"deadline": in_hours(3)}
    assert_error(put(session_of(user), endless, "extend", body), 409, message="no deadline")

    user, stopped = own_workspace()
    ask_for(stopped, Transition.STOP, by=user)
    finish_all_jobs()
    assert_error(put(session_of(user), stopped, "extend", body), 409, message="not running")


def test_a_workspace_is_put_to_sleep_once_and_woken_once():
    user, workspace = own_workspace()
    client = session_of(user)

    asleep = put(client, workspace, "dormant", {"dormant": True})
    assert asleep.status_code == 200
    assert asleep.json()["dormant_at"] is not None
    assert asleep.json()["latest_build"]["transition"] == "stop"
    again = put(client, workspace, "dormant", {"dormant": True})
    assert (again.status_code, again.content) == (304, b"")

    finish_all_jobs()
    start = send(client, "POST", f"/workspaces/{workspace.pk}/builds", {"transition": "start"})
    assert_error(start, 409, message="dormant")

    awake = put(client, workspace, "dormant", {"dormant": False})
    assert (awake.status_code, awake.json()["dormant_at"]) == (200, None)
    assert put(client, workspace, "dormant", {"dormant": False}).status_code == 304


def test_automatic_updates_are_switched():
    user, workspace = own_workspace()
    client = session_of(user)

    for word in ("always", "never"):
        body = {"automatic_updates": word}
        assert put(client, workspace, "autoupdates", body).status_code == 204
        assert row(workspace).automatic_updates == word
