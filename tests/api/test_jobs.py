"""Provisioner jobs over the API: lists, places in the queue, cancel one, cancel many."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from templates_app.services import PresetSpec
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    NOON,
    acquire,
    default_organization,
    finish_all_jobs,
    make_bound_job,
    make_daemon,
    make_organization,
    make_pending_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces.models import ProvisionerJob, Workspace

pytestmark = pytest.mark.django_db

JOB_FIELDS = {
    "id",
    "organization_id",
    "initiator_id",
    "type",
    "status",
    "tags",
    "machine",
    "waits_for",
    "worker_id",
    "worker_name",
    "created_at",
    "started_at",
    "completed_at",
    "canceled_at",
    "error",
    "error_code",
    "queue_position",
    "queue_size",
    "input",
    "metadata",
}


def listed(client, query=None, path="/provisionerjobs"):
    response = client.get(f"/api/v2{path}", query or {})
    assert response.status_code == 200, response.content
    return response.json()


def ids(client, **query):
    return {each["id"] for each in listed(client, query)}


def job_of(workspace):
    return str(ProvisionerJob.objects.get(workspace=workspace).pk)


def waiting(owner=None, *, minutes=0, **fields):
    template = fields.pop("template", None) or make_template(presets=[])
    return make_workspace(owner, template=template, now=NOON + timedelta(minutes=minutes), **fields)


def test_people_come_first_and_each_is_told_their_place():
    preset = preset_of(make_template())
    prebuild, _ = make_pending_prebuilds(preset, 2, now=NOON - timedelta(hours=1))
    second, first = waiting(minutes=2), waiting(minutes=1)
    done = waiting(minutes=0)
    acquire()  # the oldest of the people's

    places = {
        each["id"]: (each["queue_position"], each["queue_size"])
        for each in listed(session_of(caller("owner")))
    }

    assert places[job_of(first)] == (1, 4)
    assert places[job_of(second)] == (2, 4)
    assert places[job_of(prebuild)] in [(3, 4), (4, 4)]
    assert places[job_of(done)] == (0, 0)


def test_a_job_that_waits_for_a_machine_that_is_away_says_which_and_since_when():
    bound = make_bound_job()
    free = job_of(make_workspace())
    client = session_of(caller("owner"))

    told = {job["id"]: job for job in listed(client)}

    awaited = told[str(bound.pk)]["waits_for"]
    assert told[str(bound.pk)]["machine"] == awaited["machine"] == "m-1"
    assert (awaited["daemon_name"], awaited["hostname"]) == ("build-1", "far")
    assert datetime.fromisoformat(awaited["last_seen_at"]) < timezone.now() - timedelta(minutes=59)
    assert (told[free]["machine"], told[free]["waits_for"]) == ("", None)

    make_daemon(machine="m-1")

    again = {job["id"]: job for job in listed(client)}
    assert (again[str(bound.pk)]["machine"], again[str(bound.pk)]["waits_for"]) == ("m-1", None)


def test_the_place_counts_those_one_may_not_see():
    waiting(minutes=1)
    member = make_user()
    mine = waiting(member, minutes=2)

    (job,) = listed(session_of(member))

    assert (job["id"], job["queue_position"], job["queue_size"]) == (job_of(mine), 2, 2)


def test_a_job_has_the_shape_of_the_list_under_both_addresses():
    owner = caller("owner")
    workspace = waiting(name="api")
    daemon_job = acquire()
    client = session_of(owner)

    (job,) = listed(client)

    assert set(job) == JOB_FIELDS
    assert job["metadata"]["workspace_name"] == "api"
    assert job["input"]["workspace_build_id"] == str(workspace.latest_build_id)
    assert (job["status"], job["worker_name"].startswith("daemon-")) == ("running", True)
    assert job["id"] == str(daemon_job.job_id)
    home = f"/organizations/{default_organization().pk}/provisionerjobs"
    assert listed(client, path=home) == [job]
    assert listed(client, path=f"{home}/{job['id']}") == job
    assert listed(client, path=f"/provisionerjobs/{job['id']}") == job
    elsewhere = f"/organizations/{make_organization().pk}/provisionerjobs"
    assert listed(client, path=elsewhere) == []
    assert_error(client.get(f"/api/v2{elsewhere}/{job['id']}"), 404)


def test_jobs_are_filtered():
    ben = make_user("ben")
    python, go = make_template("python", presets=[]), make_template("go", presets=[])
    failed = waiting(ben, template=python)
    finish_all_jobs(fail="exit 1")
    owner = caller("owner")
    pending = waiting(owner, template=go)
    client = session_of(owner)
    ours, bens = job_of(pending), job_of(failed)

    assert ids(client, status="failed") == {bens}
    assert ids(client, status="pending") == {ours}
    assert ids(client, type="workspace_build") == {ours, bens}
    assert ids(client, initiator="me") == {ours}
    assert ids(client, initiator="BEN") == ids(client, initiator=str(ben.pk)) == {bens}
    assert ids(client, template="python") == ids(client, template=str(python.pk)) == {bens}
    assert ids(client, ids=f"{ours},{uuid4()}") == {ours}


BAD = [
    {"status": "sleeping"},
    {"type": "dance"},
    {"ids": "seven"},
    {"ids": f"{UUID(int=1)},"},
    {"stauts": "failed"},
    {"offset": "-1"},
    {"initiator": "x" * 65},
]


@pytest.mark.parametrize("query", BAD, ids=str)
def test_a_bad_query_is_400_with_the_parameter_named(query):
    response = session_of(make_user()).get("/api/v2/provisionerjobs", query)

    assert_error(response, 400, fields=list(query))


SEES = [
    ("owner", True),
    ("template-admin", True),
    ("auditor", True),
    ("organization-admin", True),
    ("organization-template-admin", True),
    ("organization-auditor", True),
    ("user-admin", False),
    ("member", False),
    ("stranger", False),
]


@pytest.mark.parametrize(("kind", "sees"), SEES)
def test_who_sees_other_peoples_jobs(kind, sees):
    job = job_of(waiting())
    client = session_of(caller(kind))

    assert ids(client) == ({job} if sees else set())
    status = client.get(f"/api/v2/provisionerjobs/{job}").status_code
    assert status == (200 if sees else 404)


def test_an_organization_one_is_not_in_is_404():
    home = default_organization().pk

    response = session_of(caller("stranger")).get(f"/api/v2/organizations/{home}/provisionerjobs")

    assert_error(response, 404)


def test_a_list_costs_the_same_for_one_and_for_five():
    client = session_of(caller("owner"))
    waiting()

    def statements():
        with CaptureQueriesContext(connection) as captured:
            listed(client)
        return len(captured)

    one = statements()
    for _ in range(4):
        waiting()

    assert statements() == one <= 6


def cancel(client, job):
    return send(client, "PATCH", f"/provisionerjobs/{job}/cancel", {})


def test_one_job_is_canceled_and_that_is_written_down():
    owner = caller("owner")
    job = job_of(waiting())

    response = cancel(session_of(owner), job)

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["queue_position"]) == ("canceled", 0)
    assert AuditEntry.objects.get(action="cancel").object_id == job
    assert_error(cancel(session_of(owner), job), 409, message="ended already")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("template-admin", 403), ("auditor", 403), ("member", 404), ("organization-admin", 200)],
)
def test_who_may_cancel_a_persons_job(kind, status):
    assert cancel(session_of(caller(kind)), job_of(waiting())).status_code == status


def flood(client, **body):
    return send(client, "POST", "/provisionerjobs/cancel-pending", body)


def flooded_template(number=2, **fields):
    preset = PresetSpec(name="Small", desired_instances=number)
    template = make_template(presets=[preset], **fields)
    make_pending_prebuilds(preset_of(template), number)
    return template


def live_prebuilds(template):
    return Workspace.objects.filter(template=template, deleted_at__isnull=True).count()


def test_a_flooded_queue_is_emptied_by_template():
    template, other = flooded_template(3), flooded_template(2)
    person = waiting(template=template)

    response = flood(session_of(owner := caller("owner")), template_id=str(template.pk))

    assert response.status_code == 200
    assert response.json() == {"templates": 1, "canceled": 3, "busy": 0, "failed": 0}
    assert (live_prebuilds(template), live_prebuilds(other)) == (1, 2)
    assert ProvisionerJob.objects.get(workspace=person).status == "pending"
    entry = AuditEntry.objects.get(action="cancel_pending")
    assert (entry.actor, entry.after) == (owner, {"canceled": 3})


def test_a_flooded_queue_is_emptied_by_organization():
    here, there = flooded_template(2), flooded_template(1, organization=make_organization())

    response = flood(session_of(caller("owner")), organization_id=str(here.organization_id))

    assert response.json()["canceled"] == 2
    assert (live_prebuilds(here), live_prebuilds(there)) == (0, 1)


WHO = [
    ("template-admin", 200),
    ("organization-admin", 200),
    ("organization-template-admin", 200),
    ("auditor", 403),
    ("organization-auditor", 403),
    ("member", 403),
    ("user-admin", 403),
    ("stranger", 404),
]


@pytest.mark.parametrize(("kind", "status"), WHO)
def test_who_may_empty_the_queue(kind, status):
    template = flooded_template()

    assert flood(session_of(caller(kind)), template_id=str(template.pk)).status_code == status
    assert live_prebuilds(template) == (0 if status == 200 else 2)


def test_a_token_for_use_empties_no_queue():
    template = flooded_template()

    assert_error(flood(scoped(caller("owner"), "use"), template_id=str(template.pk)), 403)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["template_id"]),
        ({"template_id": "seven"}, ["template_id"]),
        ({"template_id": None}, ["template_id"]),
        ({"templates": []}, ["templates"]),
    ],
    ids=str,
)
def test_a_bad_wish_to_empty_the_queue_is_400(body, fields):
    assert_error(flood(session_of(caller("owner")), **body), 400, fields=fields)


def test_an_unknown_template_has_no_queue():
    assert_error(flood(session_of(caller("owner")), template_id=str(uuid4())), 404)
