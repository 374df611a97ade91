"""The audit log over the API: for those who may read it, filtered, and without secrets."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import audit
from accounts.audit import AT_THE_SHELL, Actor
from accounts.enums import AuditSource
from tests.api.conftest import session_of
from tests.api.people import API, caller
from tests.api.shape import assert_error
from tests.factories import NOON, default_organization, make_user

pytestmark = pytest.mark.django_db

FIELDS = {
    "id",
    "time",
    "ip",
    "source",
    "action",
    "resource_type",
    "resource_id",
    "resource_target",
    "description",
    "diff",
    "user",
}


@pytest.fixture
def auditor():
    return session_of(caller("auditor"))


@pytest.fixture
def ana():
    return make_user("ana")


@pytest.fixture(autouse=True)
def entries(ana):
    """One by Ana through the API, and one a day later at the shell."""
    by_ana = Actor(user=ana, source=AuditSource.API, address="192.0.2.7")
    home = default_organization()
    audit.record(
        actor=by_ana,
        action="rename",
        target=home,
        now=NOON,
        before={"name": "old"},
        after={"name": "new"},
    )
    audit.record(actor=AT_THE_SHELL, action="pause", target=ana, now=NOON + timedelta(days=1))


def get(client, **query):
    return client.get(f"{API}/audit", query)


def actions(response):
    return [each["action"] for each in response.json()["audit_logs"]]


def test_entries_are_shown_with_coders_fields_newest_first(auditor):
    response = get(auditor)

    newest, oldest = response.json()["audit_logs"]
    assert response.json()["count"] == 2
    assert set(newest) == FIELDS
    assert newest["user"] is None
    assert newest["description"] == "Command: pause user ana"
    assert oldest["user"]["username"] == "ana"
    assert oldest["ip"] == "192.0.2.7"
    assert oldest["diff"] == {"name": {"old": "old", "new": "new", "secret": False}}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("auditor", 200),
        ("template-admin", 404),
        ("user-admin", 404),
        ("organization-admin", 404),
        ("organization-auditor", 404),
        ("member", 404),
        ("stranger", 404),
    ],
)
def test_who_reads_it(kind, status):
    assert get(session_of(caller(kind))).status_code == status


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("username:ANA", ["rename"]),
        ("action:pause", ["pause"]),
        ("resource_type:organization", ["rename"]),
        ("source:command", ["pause"]),
        ("date_from:2026-03-05", ["pause"]),
        ("date_to:2026-03-04", ["rename"]),
        ("date_from:2026-03-04 date_to:2026-03-05", ["pause", "rename"]),
        ("resource_target:ana", ["pause"]),
        ("defa", ["rename"]),
        ('"efaul" action:pause', []),
        ("", ["pause", "rename"]),
    ],
)
def test_it_is_filtered(auditor, search, found):
    assert actions(get(auditor, q=search)) == found


def test_what_was_done_to_one_thing_is_found_by_its_id(auditor):
    assert actions(get(auditor, q=f"resource_id:{default_organization().pk}")) == ["rename"]


@pytest.mark.parametrize(
    "search",
    ["date_from:soon", "date_to:9999-12-31", "date_from:2026-02-30", "source:dream", "who:ana"],
)
def test_a_filter_that_makes_no_sense_is_told(auditor, search):
    assert_error(get(auditor, q=search), 400, fields=["q"])


def test_it_comes_in_parts(auditor):
    response = get(auditor, limit=1, offset=1)

    assert actions(response) == ["rename"]
    assert response.json()["count"] == 2


def test_unknown_parameters_are_named(auditor):
    assert_error(get(auditor, query="x"), 400, fields=["query"])


def test_nobody_writes_here(auditor):
    assert_error(auditor.post(f"{API}/audit", {}, content_type="application/json"), 405)


def test_a_list_takes_the_same_statements_whatever_its_length(auditor):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert get(auditor).status_code == 200
        return len(captured)

    few = statements()
    for _ in range(5):
        actor = Actor(user=make_user(), source=AuditSource.PAGE)
        audit.record(actor=actor, action="x", target=default_organization(), now=NOON)

    assert statements() == few
