"""The list and the page of workspaces."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from prebuilds.models import Claim
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from workspaces.models import AgentLog, JobLog

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def test_the_list_shows_ones_own(admin_client: Client, house: House) -> None:
    add_workspace(house.preset, owner_id=house.admin.pk, name="mine")
    add_workspace(house.preset, owner_id=house.member.pk, name="bens")

    text = admin_client.get("/workspaces/").text

    assert "mine" in text
    assert "bens" not in text


def test_an_empty_list_teaches(member_client: Client) -> None:
    assert "You have no workspace yet" in member_client.get("/workspaces/").text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("owner:prebuilds", {"prebuild-a"}),
        ("owner:ben", {"bens"}),
        ("status:failed", {"broken"}),
        ("status:ready", {"prebuild-a", "bens"}),
        ("bro", {"broken"}),
        ('template:python-service preset:"Small" name:ben', {"bens"}),
        ("preset:nope", set()),
    ],
)
def test_the_search_finds(admin_client: Client, house: House, query: str, names: set[str]) -> None:
    add_workspace(house.preset, name="prebuild-a")
    add_workspace(house.preset, owner_id=house.member.pk, name="bens")
    add_workspace(house.preset, owner_id=house.admin.pk, name="broken", agent="", error="exit 1")

    text = admin_client.get("/workspaces/", {"q": query}).text

    assert {name for name in ("prebuild-a", "bens", "broken") if f">{name}</a>" in text} == names


def test_a_filter_that_is_none_is_explained(admin_client: Client) -> None:
    assert "is no filter" in admin_client.get("/workspaces/?q=colour:red").text
    assert "is no status" in admin_client.get("/workspaces/?q=status:red").text


def test_the_list_costs_the_same_for_one_and_for_many(admin_client: Client, house: House) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            admin_client.get("/workspaces/table?q=owner:me")
        return len(queries)

    add_workspace(house.preset, owner_id=house.admin.pk, name="w-0")
    statements()
    one = statements()
    for number in range(1, 6):
        add_workspace(house.preset, owner_id=house.admin.pk, name=f"w-{number}")

    assert statements() == one
    assert one <= 4 + 2


def test_the_page_tells_a_warm_story(member_client: Client, house: House) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")
    Claim.objects.create(
        workspace=workspace,
        template=house.template,
        preset=house.preset,
        user=house.member,
        outcome="warm",
        reason="warm",
        created_at=timezone.now(),
        duration_seconds=0.42,
    )

    text = member_client.get(f"/workspaces/{workspace.pk}/").text

    assert "Claimed by Ben Okafor in 0.4 s" in text
    assert "Ready to use." in text


def test_the_page_says_why_a_start_was_cold(member_client: Client, house: House) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")
    Claim.objects.create(
        workspace=workspace,
        template=house.template,
        preset=house.preset,
        user=house.member,
        outcome="cold",
        reason="pool_empty",
    )

    text = member_client.get(f"/workspaces/{workspace.pk}/").text

    assert "Built from scratch: the pool was empty." in text


def test_the_page_shows_the_ends_of_both_logs(member_client: Client, house: House) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")
    build = workspace.latest_build
    agent = build.resources.get().agents.get()
    now = timezone.now()
    for number in range(250):
        JobLog.objects.create(job=build.job, at=now, stage="start", output=f"build line {number}")
        AgentLog.objects.create(agent=agent, at=now, output=f"agent <b>{number}</b>")

    text = member_client.get(f"/workspaces/{workspace.pk}/").text

    assert "build line 249" in text
    assert "build line 49\n" not in text
    assert "agent &lt;b&gt;249&lt;/b&gt;" in text


def test_a_failed_build_shows_its_error(member_client: Client, house: House) -> None:
    workspace = add_workspace(
        house.preset, owner_id=house.member.pk, name="api", agent="", error="exit code 3"
    )

    text = member_client.get(f"/workspaces/{workspace.pk}/state").text

    assert "Start failed" in text
    assert "exit code 3" in text


@pytest.mark.parametrize(
    ("transition", "said"),
    [("stop", "api is stopping."), ("delete", "api is being deleted.")],
)
def test_the_owner_stops_and_deletes(
    member_client: Client, house: House, transition: str, said: str
) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")

    response = member_client.post(f"/workspaces/{workspace.pk}/{transition}", follow=True)

    assert said in response.text
    workspace.refresh_from_db()
    assert workspace.latest_build.transition == transition
    assert workspace.latest_build.initiator == house.member


def test_a_second_request_says_that_a_build_is_under_way(
    member_client: Client, house: House
) -> None:
    workspace = add_workspace(
        house.preset, owner_id=house.member.pk, name="api", agent="", finished=False
    )

    response = member_client.post(f"/workspaces/{workspace.pk}/stop", follow=True)

    assert "unfinished build" in response.text


def test_an_unknown_change_is_not_found(member_client: Client, house: House) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")

    assert member_client.post(f"/workspaces/{workspace.pk}/explode").status_code == 404
    assert member_client.get(f"/workspaces/{workspace.pk}/stop").status_code == 405


def test_a_member_cannot_touch_a_prebuild(member_client: Client, house: House) -> None:
    prebuild = add_workspace(house.preset, created_at=timezone.now() - timedelta(hours=1))

    assert member_client.get(f"/workspaces/{prebuild.pk}/").status_code == 404
    assert member_client.post(f"/workspaces/{prebuild.pk}/delete").status_code == 404
