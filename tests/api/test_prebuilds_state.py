"""Pools, plan, a cycle now, and past cycles over the API."""

import threading

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from prebuilds import locks
from prebuilds.models import ReconcileDecision, ReconcileRun
from templates_app.services import PresetSpec
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    make_baseline,
    make_organization,
    make_ready_prebuilds,
    make_template,
    pause,
    preset_of,
)
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

READERS = [
    ("owner", 200),
    ("template-admin", 200),
    ("auditor", 200),
    ("organization-admin", 200),
    ("organization-template-admin", 200),
    ("organization-auditor", 200),
    ("user-admin", 404),
    ("member", 404),
    ("stranger", 404),
]


@pytest.fixture(autouse=True)
def _baseline():
    make_baseline()


def get(client, path, query=None):
    response = client.get(f"/api/v2/prebuilds/{path}", query or {})
    assert response.status_code == 200, response.content
    return response.json()


def reconcile(client, body=None):
    return send(client, "POST", "/prebuilds/reconcile", body if body is not None else {})


def test_the_state_says_what_each_pool_holds_and_how_it_is():
    template = make_template("python", fields={"display_name": "Python"})
    make_ready_prebuilds(preset_of(template), 1)

    state = get(session_of(caller("owner")), "state")

    (pool,) = state["pools"]
    assert (state["count"], state["reconciliation_paused"]) == (1, False)
    assert state["last_cycle_at"] is None
    assert (pool["template_name"], pool["template_display_name"]) == ("python", "Python")
    assert (pool["desired"], pool["ready"], pool["health"]) == (2, 1, "filling")
    assert pool["reason"] == "1 of 2 ready, 1 being built."
    assert pool["organization_id"] == str(template.organization_id)


def test_the_state_is_filtered():
    python = make_template("python")
    make_ready_prebuilds(preset_of(make_template("go")), 2)
    client = session_of(caller("owner"))

    def names(**query):
        return [pool["template_name"] for pool in get(client, "state", query)["pools"]]

    assert names(template="PYTHON") == names(template=str(python.pk)) == ["python"]
    assert names(health="healthy") == ["go"]
    assert names(template="python", health="healthy") == []
    assert_error(client.get("/api/v2/prebuilds/state", {"health": "ill"}), 400, fields=["health"])
    assert_error(client.get("/api/v2/prebuilds/state", {"helth": "x"}), 400, fields=["helth"])


def test_one_sees_the_pools_of_ones_own_organizations_only():
    make_template("here")
    make_template("there", organization=make_organization())

    member, stranger = (get(session_of(caller(kind)), "state") for kind in ("member", "stranger"))

    assert [pool["template_name"] for pool in member["pools"]] == ["here"]
    assert (stranger["pools"], stranger["count"]) == ([], 0)


def test_the_state_costs_the_same_for_one_and_for_five_pools():
    client = session_of(caller("owner"))
    make_template()

    def statements():
        with (
            CaptureQueriesContext(connection) as captured,
            CaptureQueriesContext(connections["snapshot"]) as seen,
        ):
            get(client, "state")
        return len(captured) + len(seen)

    one = statements()
    for _ in range(4):
        make_template()

    assert statements() == one


def test_the_plan_says_what_a_cycle_would_do_and_does_nothing():
    make_template("python")

    plan = get(session_of(caller("owner")), "plan")

    (preset,) = plan["presets"]
    assert preset["actions"] == [{"action": "create", "reason": "missing", "count": 2}]
    assert (preset["template"], preset["state"]["desired"]) == ("python", 2)
    assert plan["reconciliation_paused"] is False
    assert not Workspace.objects.exists()
    assert not ReconcileRun.objects.exists()


def test_the_plan_leaves_out_what_one_may_not_read():
    make_template("here")
    make_template("there", organization=make_organization())

    def names(kind, **query):
        plan = get(session_of(caller(kind)), "plan", query)
        return {preset["template"] for preset in plan["presets"]}

    assert names("organization-auditor") == {"here"}
    assert names("auditor") == {"here", "there"}
    assert names("auditor", template="there") == {"there"}


@pytest.mark.parametrize("path", ["plan", "runs"])
@pytest.mark.parametrize(("kind", "status"), READERS)
def test_who_may_look_at_cycles(kind, status, path):
    assert session_of(caller(kind)).get(f"/api/v2/prebuilds/{path}").status_code == status


def test_a_cycle_runs_now_and_is_kept_as_a_persons():
    make_template()

    response = reconcile(session_of(caller("template-admin")))

    assert response.status_code == 200
    body = response.json()
    assert (body["lock_acquired"], body["created"], body["presets_total"]) == (True, 2, 1)
    assert "created 2" in body["message"]
    assert Workspace.objects.count() == 2
    run = ReconcileRun.objects.get()
    assert (body["run_id"], run.trigger) == (run.pk, "person")


def test_a_cycle_of_a_paused_reconciler_does_nothing_and_says_so():
    make_template()
    pause()

    body = reconcile(session_of(caller("owner"))).json()

    assert (body["reconciliation_paused"], body["created"]) == (True, 0)
    assert "paused" in body["message"]
    assert not Workspace.objects.exists()


def test_a_cycle_beside_another_does_nothing_and_says_so():
    make_template()
    client = session_of(caller("owner"))
    held, done = threading.Event(), threading.Event()

    def hold():
        with locks.try_reconcile_lock():
            held.set()
            done.wait(30)
        connections.close_all()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(30)
    try:
        body = reconcile(client).json()
    finally:
        done.set()
        other.join()

    assert (body["lock_acquired"], body["created"]) == (False, 0)
    assert "Another cycle" in body["message"]
    assert not Workspace.objects.exists()


WRITERS = [
    ("owner", 200),
    ("template-admin", 200),
    ("organization-admin", 403),
    ("organization-template-admin", 403),
    ("auditor", 403),
    ("member", 404),
    ("stranger", 404),
]


@pytest.mark.parametrize(("kind", "status"), WRITERS)
def test_who_may_run_a_cycle(kind, status):
    assert reconcile(session_of(caller(kind))).status_code == status
    assert ReconcileRun.objects.exists() == (status == 200)


def test_a_token_for_use_and_an_unknown_field_run_no_cycle():
    owner = caller("owner")

    assert_error(reconcile(scoped(owner, "use")), 403)
    assert_error(reconcile(session_of(owner), {"template": "x"}), 400, fields=["template"])
    assert not ReconcileRun.objects.exists()


def test_past_cycles_are_listed_newest_first_and_filtered():
    client = session_of(caller("owner"))
    make_template()
    for _ in range(2):
        reconcile(client)
    ReconcileRun.objects.create(trigger="bell", started_at=timezone.now())

    runs = get(client, "runs")

    assert [run["trigger"] for run in runs] == ["bell", "person", "person"]
    assert [run["created"] for run in runs] == [0, 0, 2]
    assert len(get(client, "runs", {"trigger": "bell"})) == 1
    assert len(get(client, "runs", {"limit": 1, "offset": 1})) == 1
    assert_error(client.get("/api/v2/prebuilds/runs", {"trigger": "x"}), 400, fields=["trigger"])


def test_a_cycle_is_shown_with_its_decisions():
    client = session_of(caller("owner"))
    template = make_template("python")
    run_id = reconcile(client).json()["run_id"]

    run = get(client, f"runs/{run_id}")

    (decision,) = run["decisions"]
    assert (decision["template_name"], decision["preset_name"]) == ("python", "Small")
    assert decision["preset_id"] == str(preset_of(template).pk)
    assert decision["state"]["desired"] == 2
    assert decision["actions"] == [
        {"action": "create", "reason": "missing", "count": 2, "wanted": 2}
    ]
    assert_error(client.get(f"/api/v2/prebuilds/runs/{run_id + 1}"), 404)
    assert_error(client.get(f"/api/v2/prebuilds/runs/{10**30}"), 404)


def test_a_cycle_hides_what_it_did_where_one_may_not_look():
    organization = make_organization()
    make_template("here")
    make_template("there", organization=organization)
    run_id = reconcile(session_of(caller("owner"))).json()["run_id"]
    ReconcileRun.objects.update(error=f"organization {organization.pk}: broken")

    run = get(session_of(caller("organization-auditor")), f"runs/{run_id}")

    assert [each["template_name"] for each in run["decisions"]] == ["here"]
    assert str(organization.pk) not in run["error"]
    assert str(organization.pk) in get(session_of(caller("auditor")), "runs")[0]["error"]


def test_a_cycle_costs_the_same_for_one_and_for_five_decisions():
    client = session_of(caller("owner"))

    def statements():
        make_template(presets=[PresetSpec(name="Small", desired_instances=1)])
        run_id = reconcile(client).json()["run_id"]
        number = ReconcileDecision.objects.filter(run=run_id).count()
        with CaptureQueriesContext(connection) as captured:
            get(client, f"runs/{run_id}")
        return number, len(captured)

    few = statements()
    for _ in range(4):
        make_template()
    many = statements()

    assert few[0] < many[0]
    assert few[1] == many[1]
