"""Provisioner daemons and keys over the API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    acquire,
    default_organization,
    make_daemon,
    make_organization,
    make_template,
    make_workspace,
)
from workspaces.models import ProvisionerKey
from workspaces.selectors import find_key

pytestmark = pytest.mark.django_db


def path(what, organization=None):
    return f"/organizations/{(organization or default_organization()).pk}/{what}"


def create(client, name="ci", **body):
    return send(client, "POST", path("provisionerkeys"), {"name": name, **body})


def revoke(client, name="ci"):
    return send(client, "DELETE", path(f"provisionerkeys/{name}"), {})


def keys(client):
    return client.get(f"/api/v2{path('provisionerkeys')}").json()


def daemons(client):
    response = client.get(f"/api/v2{path('provisionerdaemons')}")
    assert response.status_code == 200
    return response.json()


def test_a_key_is_made_and_its_secret_is_shown_once():
    client = session_of(owner := caller("owner"))

    response = create(client, tags={"gpu": "yes"})

    assert response.status_code == 201
    made = response.json()
    assert set(made) == {"id", "name", "organization", "tags", "created_at", "key"}
    assert str(find_key(made["key"]).pk) == made["id"]
    (shown,) = keys(client)
    assert shown == {name: made[name] for name in made if name != "key"}
    assert client.get(f"/api/v2{path('provisionerkeys/CI')}").json() == shown
    entry = AuditEntry.objects.get(action="create", object_type="provisionerkey")
    assert (entry.actor, entry.source) == (owner, "api")
    assert made["key"] not in str(entry.after)


def test_a_key_is_revoked_once():
    client = session_of(caller("owner"))
    create(client)

    assert revoke(client).status_code == 204
    assert_error(revoke(client), 404)
    assert keys(client) == []
    assert AuditEntry.objects.filter(action="revoke").count() == 1


def test_a_second_key_of_that_name_is_409():
    client = session_of(caller("owner"))
    create(client)

    assert_error(create(client, "CI"), 409, message='named "CI"')
    assert ProvisionerKey.objects.count() == 1


BAD = [
    ({"name": ""}, ["name"]),
    ({"name": "a" * 65}, ["name"]),
    ({"name": None}, ["name"]),
    ({"tags": ["gpu"]}, ["tags"]),
    ({"tags": {"gpu": None}}, ["tags.gpu"]),
    ({"tags": {"": "yes"}}, ["tags"]),
    ({"tags": {"x" * 65: "yes"}}, ["tags"]),
    ({"tags": {"gp\x00u": "yes"}}, ["tags"]),
    ({"tags": {"gpu": "y\x00es"}}, ["tags.gpu"]),
    ({"tags": {f"t{number}": "" for number in range(51)}}, ["tags"]),
    ({"tag": {}}, ["tag"]),
]


@pytest.mark.parametrize(("body", "fields"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_key_is_400_with_the_field_named(body, fields):
    assert_error(create(session_of(caller("owner")), **body), 400, fields=fields)


def test_a_name_that_cannot_be_is_400():
    assert_error(create(session_of(caller("owner")), "my key"), 400, message="cannot name")


WHO = [
    ("owner", 200, 201),
    ("template-admin", 200, 201),
    ("organization-admin", 200, 201),
    ("organization-template-admin", 200, 403),
    ("auditor", 200, 403),
    ("organization-auditor", 200, 403),
    ("member", 404, 404),
    ("user-admin", 404, 404),
    ("stranger", 404, 404),
]


@pytest.mark.parametrize(("kind", "reads", "writes"), WHO)
def test_who_may_read_and_make_keys(kind, reads, writes):
    client = session_of(caller(kind))

    assert client.get(f"/api/v2{path('provisionerkeys')}").status_code == reads
    assert client.get(f"/api/v2{path('provisionerdaemons')}").status_code == reads
    assert create(client).status_code == writes
    assert revoke(client).status_code == (204 if writes == 201 else writes)


def test_a_token_for_use_makes_no_key():
    assert_error(create(scoped(caller("owner"), "use")), 403)


def test_the_keys_of_another_organization_are_not_shown():
    client = session_of(caller("owner"))
    create(client)
    other = path("provisionerkeys", make_organization())

    assert client.get(f"/api/v2{other}").json() == []
    assert_error(client.get(f"/api/v2{other}/ci"), 404)


def test_a_daemon_says_what_it_is_doing():
    client = session_of(caller("owner"))
    daemon = make_daemon(name="one", machine="m-1")
    make_workspace(name="api", template=make_template(presets=[]))

    (idle,) = daemons(client)
    job = acquire(daemon=daemon)
    (busy,) = daemons(client)

    assert (idle["status"], idle["current_job"], idle["jobs"]) == ("idle", None, [])
    assert (idle["name"], idle["provisioners"], idle["organization_id"]) == ("one", ["local"], None)
    assert (idle["machine"], busy["status"]) == ("m-1", "busy")
    assert busy["current_job"] == busy["jobs"][0]
    assert busy["current_job"]["id"] == str(job.job_id)
    assert busy["current_job"]["workspace_name"] == "api"


def test_lists_cost_the_same_for_one_and_for_five():
    client = session_of(caller("owner"))

    def statements():
        with CaptureQueriesContext(connection) as captured:
            daemons(client)
            keys(client)
        return len(captured)

    make_daemon()
    create(client)
    one = statements()
    for number in range(4):
        make_daemon()
        create(client, f"ci-{number}")

    assert statements() == one
