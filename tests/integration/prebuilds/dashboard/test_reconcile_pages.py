"""The plan, a cycle now, pause and resume: shown before done, and said afterwards."""

import pytest
from django.test import Client

from accounts.models import AuditEntry, User
from prebuilds.models import PrebuildsSettings, ReconcileRun
from tests.integration.prebuilds.dashboard.house import House
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

FRAGMENT = {"HX-Request": "true"}


def said(client: Client) -> str:
    return client.get("/").text


def test_the_plan_says_what_a_cycle_would_do_and_does_nothing(
    admin_client: Client, house: House
) -> None:
    page = admin_client.get("/reconcile/plan")

    assert "2 to create: 1 pool looked at." in page.text
    assert "create 2" in page.text
    assert "Small (v1): missing" in page.text
    assert not Workspace.objects.exists()
    assert not ReconcileRun.objects.exists()


def test_the_plan_is_a_dialog_for_htmx_and_a_page_for_a_link(
    admin_client: Client, house: House
) -> None:
    fragment = admin_client.get("/reconcile/plan", headers=FRAGMENT)
    page = admin_client.get("/reconcile/plan")

    assert "<html" not in fragment.text
    assert 'id="dialog-title"' in fragment.text
    assert "<html" in page.text


def test_reconcile_now_shows_its_plan_and_then_runs_one_cycle(
    admin_client: Client, house: House
) -> None:
    before = admin_client.get("/reconcile/now")
    response = admin_client.post("/reconcile/now")

    assert "create 2" in before.text
    assert response["Location"] == "/"
    run = ReconcileRun.objects.get()
    assert (run.trigger, run.created) == ("person", 2)
    assert "1 pool looked at: 2 created." in said(admin_client)


def test_a_pause_needs_its_reason(admin_client: Client, house: House) -> None:
    response = admin_client.post("/reconcile/pause", {"reason": " "})

    assert response.status_code == 422
    assert "is-invalid" in response.text
    assert not PrebuildsSettings.objects.filter(reconciliation_paused=True).exists()


def test_a_pause_is_kept_with_who_why_and_until_when(admin_client: Client, house: House) -> None:
    admin_client.post("/reconcile/pause", {"reason": "flooded queue", "hours": "8"})

    row = PrebuildsSettings.objects.get()
    assert (row.paused_by, row.pause_reason) == (house.admin, "flooded queue")
    assert (row.paused_until - row.paused_at).total_seconds() == 8 * 3600
    entry = AuditEntry.objects.get(action="pause")
    assert (entry.actor, entry.source) == (house.admin, "page")


def test_while_paused_a_cycle_cannot_be_asked_for(admin_client: Client, house: House) -> None:
    admin_client.post("/reconcile/pause", {"reason": "flooded queue"})

    page = admin_client.get("/reconcile/now")

    assert "Resume it first" in page.text
    assert '<button class="btn btn-primary"' not in page.text


def test_resume_shows_what_the_first_cycle_will_do(admin_client: Client, house: House) -> None:
    admin_client.post("/reconcile/pause", {"reason": "flooded queue"})

    page = admin_client.get("/reconcile/resume")
    admin_client.post("/reconcile/resume")

    assert "create 2" in page.text
    assert not PrebuildsSettings.objects.get().reconciliation_paused
    assert "Resumed" in said(admin_client)


def test_resuming_what_is_not_paused_says_so(admin_client: Client, house: House) -> None:
    admin_client.post("/reconcile/resume")

    assert "It was not paused" in said(admin_client)


@pytest.mark.parametrize("path", ["plan", "now", "pause", "resume"])
def test_a_member_may_not_know_of_any_of_it(member_client: Client, house: House, path) -> None:
    assert member_client.get(f"/reconcile/{path}").status_code == 404
    assert member_client.post(f"/reconcile/{path}").status_code in (404, 405)
    assert "reconcile-now" not in member_client.get("/").text


@pytest.mark.parametrize("path", ["now", "pause", "resume"])
def test_an_auditor_may_look_but_not_act(client: Client, house: House, path: str) -> None:
    auditor = User.objects.create_user("eva", roles=["auditor"])
    client.force_login(auditor)

    assert client.get("/reconcile/plan").status_code == 200
    assert client.post(f"/reconcile/{path}", {"reason": "x"}).status_code == 403
    assert not ReconcileRun.objects.exists()


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [("/cycles/", "/cycles/"), ("//evil.example/", "/"), ("https://evil.example/", "/")],
)
def test_one_goes_back_to_a_page_of_ours_and_nowhere_else(
    admin_client: Client, house: House, back: str, leads_to: str
) -> None:
    response = admin_client.post("/reconcile/resume", {"back": back})

    assert response["Location"] == leads_to
