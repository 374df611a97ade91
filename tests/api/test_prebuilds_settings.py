"""Pause and resume over the API: 200 changed, 304 unchanged, 403 (semantics.md 19)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from prebuilds import observation
from prebuilds.models import PrebuildsSettings
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import pause

pytestmark = pytest.mark.django_db

PATH = "/prebuilds/settings"
RUNNING = {
    "reconciliation_paused": False,
    "reason": "",
    "until": None,
    "paused_at": None,
    "paused_by": None,
}


def put(client, body, **headers):
    return send(client, "PUT", PATH, body, **headers)


def is_paused():
    return observation.is_paused(timezone.now())


def test_everybody_is_told_whether_it_is_paused():
    assert session_of(caller("member")).get(f"/api/v2{PATH}").json() == RUNNING

    pause()

    body = session_of(caller("member")).get(f"/api/v2{PATH}").json()
    assert (body["reconciliation_paused"], body["reason"]) == (True, "upgrade")


def test_a_pause_changes_once_and_is_written_down_once():
    client = session_of(user := caller("owner"))

    first = put(client, {"reconciliation_paused": True})
    second = put(client, {"reconciliation_paused": True})

    assert first.status_code == 200
    assert first.json()["reconciliation_paused"] is True
    assert first.json()["paused_by"] == user.username
    assert (second.status_code, second.content) == (304, b"")
    assert is_paused()
    entry = AuditEntry.objects.get(action="pause")
    assert (entry.actor, entry.source) == (user, "api")


def test_a_pause_takes_a_reason_and_an_end_and_either_can_change():
    client = session_of(caller("template-admin"))
    until = (timezone.now() + timedelta(hours=2)).isoformat()

    body = {"reconciliation_paused": True, "reason": "upgrade", "until": until}
    assert put(client, body).json()["reason"] == "upgrade"
    assert put(client, body).status_code == 304
    changed = put(client, {"reconciliation_paused": True, "reason": "longer upgrade"})

    assert changed.status_code == 200
    row = PrebuildsSettings.objects.get()
    assert (row.pause_reason, row.paused_until.isoformat()) == ("longer upgrade", until)


def test_resuming_changes_once():
    pause()
    client = session_of(caller("owner"))

    assert put(client, {"reconciliation_paused": False}).json() == RUNNING
    assert put(client, {"reconciliation_paused": False}).status_code == 304
    assert not is_paused()
    assert AuditEntry.objects.filter(action="resume").count() == 1


def test_a_pause_that_has_ended_is_none():
    long_ago = timezone.now() - timedelta(hours=2)
    pause(now=long_ago, until=long_ago + timedelta(hours=1))

    assert session_of(caller("member")).get(f"/api/v2{PATH}").json() == RUNNING


@pytest.mark.parametrize(
    "kind", ["member", "auditor", "user-admin", "organization-admin", "stranger"]
)
def test_who_may_not_pause_gets_403(kind):
    assert_error(put(session_of(caller(kind)), {"reconciliation_paused": True}), 403)
    assert not is_paused()


def test_a_token_for_use_pauses_nothing():
    user = caller("owner")

    assert_error(put(scoped(user, "use"), {"reconciliation_paused": True}), 403)
    assert not is_paused()


BAD = [
    ({}, ["reconciliation_paused"]),
    ({"reconciliation_paused": "perhaps"}, ["reconciliation_paused"]),
    ({"reconciliation_paused": None}, ["reconciliation_paused"]),
    ({"reconciliation_paused": True, "reason": "x" * 501}, ["reason"]),
    ({"reconciliation_paused": True, "until": "2001-01-01T00:00:00Z"}, ["until"]),
    ({"reconciliation_paused": True, "until": "soon"}, ["until"]),
    ({"reconciliation_paused": False, "reason": "done"}, ["reason"]),
    ({"reconciliation_paused": True, "reasn": "x"}, ["reasn"]),
]


@pytest.mark.parametrize(("body", "fields"), BAD, ids=str)
def test_a_bad_wish_is_400_with_the_field_named(body, fields):
    assert_error(put(session_of(caller("owner")), body), 400, fields=fields)
    assert not is_paused()


def test_two_people_at_once_do_not_overwrite_each_other():
    client = session_of(caller("owner"))
    seen = client.get(f"/api/v2{PATH}")["ETag"]
    pause()

    response = put(client, {"reconciliation_paused": False}, **{"If-Match": seen})

    assert_error(response, 412)
    assert is_paused()
