"""Workspaces over the API: search, by name, rename, and what a new one may ask for."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    finish_all_jobs,
    make_agent_ready,
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    promote_new_version,
)
from workspaces.models import Agent, Workspace

pytestmark = pytest.mark.django_db

CRON = "CRON_TZ=Europe/Berlin 30 9 * * 1-5"


def names(client, q):
    response = client.get("/api/v2/workspaces", {"q": q})
    assert response.status_code == 200, response.content
    return [each["name"] for each in response.json()["workspaces"]]


def own_workspace(name="api"):
    user = make_user()
    return user, make_workspace(user, name=name, template=make_template(presets=[]))


def test_the_list_is_searched():
    user, _ = own_workspace("api")
    make_workspace(user, name="web", template=make_template("python", presets=[]))
    client = session_of(user)

    assert names(client, "owner:me template:python") == ["web"]
    assert names(client, "ap") == ["api"]
    assert names(client, "status:running") == []


def test_a_filter_that_is_none_is_400_and_names_the_known_ones():
    response = session_of(make_user()).get("/api/v2/workspaces", {"q": "colour:red status:red"})

    assert_error(response, 400, fields=["q", "q"])
    assert "“colour:” is no filter" in response.json()["validations"][0]["detail"]
    assert "template:" in response.json()["validations"][0]["detail"]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"ofset": "1"}])
def test_a_bad_query_is_400_with_the_parameter_named(query):
    response = session_of(make_user()).get("/api/v2/workspaces", query)

    assert_error(response, 400, fields=list(query))


def test_the_list_comes_in_parts():
    user, _ = own_workspace("first")
    make_workspace(user, name="second")

    response = session_of(user).get("/api/v2/workspaces", {"limit": 1, "offset": 1})

    assert [each["name"] for each in response.json()["workspaces"]] == ["first"]
    assert (response.json()["count"], response["X-Total-Count"]) == (2, "2")


def test_a_searched_list_costs_the_same_for_one_and_for_five():
    user, workspace = own_workspace()
    finish_all_jobs()
    client = session_of(user)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            names(client, "owner:me status:running outdated:false")
        return len(captured)

    one = statements()
    for _ in range(4):
        make_workspace(user, template=workspace.template)
        finish_all_jobs()

    assert statements() == one <= 8


def test_a_workspace_is_found_by_its_owner_and_its_name():
    user, workspace = own_workspace("api")
    client = session_of(user)

    for owner in ("me", user.username, str(user.pk)):
        body = client.get(f"/api/v2/users/{owner}/workspace/API").json()
        assert body["id"] == str(workspace.pk)
    assert_error(client.get("/api/v2/users/me/workspace/web"), 404)
    assert_error(client.get("/api/v2/users/me/workspace/a%00b"), 404)
    assert_error(session_of(make_user()).get(f"/api/v2/users/{user.username}/workspace/api"), 404)


def test_a_running_workspace_says_how_it_and_its_agents_are():
    user, workspace = own_workspace()
    finish_all_jobs()
    agent = make_agent_ready(workspace)
    now = timezone.now()
    Agent.objects.update(first_connected_at=now, last_connected_at=now)
    url = f"/api/v2/workspaces/{workspace.pk}"

    body = session_of(user).get(url).json()

    assert body["health"] == {"healthy": True, "failing_agents": []}
    assert body["latest_build"]["status"] == "running"
    (resource,) = body["latest_build"]["resources"]
    (shown,) = resource["agents"]
    assert resource["job_id"] == body["latest_build"]["job"]["id"]
    assert (shown["id"], shown["status"]) == (str(agent.pk), "connected")
    assert (shown["lifecycle_state"], shown["health"]["healthy"]) == ("ready", True)

    Agent.objects.update(last_connected_at=now - timedelta(minutes=10))
    body = session_of(user).get(url).json()
    assert body["health"] == {"healthy": False, "failing_agents": [str(agent.pk)]}


def test_a_workspace_of_an_old_version_is_outdated():
    user, workspace = own_workspace()
    url = f"/api/v2/workspaces/{workspace.pk}"
    assert session_of(user).get(url).json()["outdated"] is False

    template = promote_new_version(workspace.template, presets=[])

    body = session_of(user).get(url).json()
    assert body["outdated"] is True
    assert body["template_active_version_id"] == str(template.active_version_id)


def rename(client, workspace, **body):
    return send(client, "PATCH", f"/workspaces/{workspace.pk}", body)


def test_a_workspace_is_renamed_and_the_change_is_written_down():
    user, workspace = own_workspace("api")

    assert rename(session_of(user), workspace, name="web").status_code == 204

    workspace.refresh_from_db()
    assert workspace.name == "web"
    entry = AuditEntry.objects.get(action="rename")
    assert (entry.actor, entry.source, entry.object_id) == (user, "api", str(workspace.pk))
    assert (entry.before, entry.after) == ({"name": "api"}, {"name": "web"})


def test_a_new_name_of_the_same_name_changes_nothing():
    user, workspace = own_workspace("api")

    assert rename(session_of(user), workspace, name="api").status_code == 204
    assert not AuditEntry.objects.filter(action="rename").exists()


def test_a_name_that_is_taken_is_409():
    user, workspace = own_workspace("api")
    make_workspace(user, name="web")

    assert_error(rename(session_of(user), workspace, name="WEB"), 409, message='named "WEB"')
    workspace.refresh_from_db()
    assert workspace.name == "api"


def test_a_prebuild_keeps_its_name():
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)

    response = rename(session_of(caller("owner")), prebuild, name="web")

    assert_error(response, 409, message="prebuild")


BAD_NAMES = [{}, {"name": ""}, {"name": None}, {"name": 7.5}, {"name": ["a"]}, {"name": "a" * 33}]


@pytest.mark.parametrize("body", BAD_NAMES, ids=str)
def test_a_bad_rename_is_400_with_the_field_named(body):
    user, workspace = own_workspace()

    response = rename(session_of(user), workspace, **body)

    assert response.status_code == 400
    if body != {"name": 7.5}:
        assert_error(response, 400, fields=["name"])


def test_an_unknown_field_is_400():
    user, workspace = own_workspace()

    assert_error(rename(session_of(user), workspace, name="a", nme="b"), 400, fields=["nme"])


WHO = [
    ("owner", 204),
    ("organization-admin", 204),
    ("template-admin", 403),
    ("auditor", 403),
    ("organization-auditor", 403),
    ("member", 404),
    ("stranger", 404),
]


@pytest.mark.parametrize(("kind", "status"), WHO)
def test_who_may_rename_what_is_not_theirs(kind, status):
    _, workspace = own_workspace()

    assert rename(session_of(caller(kind)), workspace, name="web").status_code == status


def test_a_token_for_reading_renames_nothing_and_one_for_use_does():
    user, workspace = own_workspace()

    assert rename(scoped(user, "read", "a"), workspace, name="web").status_code == 403
    assert rename(scoped(user, "use", "b"), workspace, name="web").status_code == 204


def create(client, template, path="/users/me/workspaces", **body):
    return send(client, "POST", path, {"template_id": str(template.pk), "name": "mine", **body})


def test_a_workspace_is_created_without_naming_the_organization():
    user, template = make_user(), make_template()

    response = create(session_of(user), template)

    assert response.status_code == 201
    assert response.json()["organization_id"] == str(template.organization_id)
    assert Workspace.objects.get().owner == user


def test_a_template_one_may_not_see_is_404_there():
    template = make_template(organization=make_organization())

    assert_error(create(session_of(make_user()), template), 404)


WISHES = {"ttl_ms": 3_600_000, "autostart_schedule": CRON, "automatic_updates": "always"}


@pytest.mark.parametrize("warm", [True, False])
def test_a_new_workspace_gets_the_times_it_was_asked_for(warm):
    template = make_template()
    if warm:
        make_ready_prebuilds(preset_of(template), 1)
    preset_id = str(preset_of(template).pk)

    response = create(
        session_of(make_user()), template, template_version_preset_id=preset_id, **WISHES
    )

    assert response.status_code == 201, response.content
    body = response.json()
    assert body["claim"]["outcome"] == ("warm" if warm else "cold")
    assert {name: body[name] for name in WISHES} == WISHES
    assert body["next_start_at"] is not None


BAD_WISHES = [
    ({"ttl_ms": 1}, "ttl_ms"),
    ({"ttl_ms": -1}, "ttl_ms"),
    ({"ttl_ms": 10**30}, "ttl_ms"),
    ({"ttl_ms": 1_000}, "ttl_ms"),
    ({"ttl_ms": "soon"}, "ttl_ms"),
    ({"autostart_schedule": "at noon"}, "autostart_schedule"),
    ({"autostart_schedule": "* " * 100}, "autostart_schedule"),
    ({"automatic_updates": "sometimes"}, "automatic_updates"),
    ({"template_id": None}, "template_id"),
    ({"rich_parameter_values": [{"name": "a", "value": ""}] * 2}, "rich_parameter_values"),
    ({"tll_ms": 1}, "tll_ms"),
]


@pytest.mark.parametrize(("wish", "field"), BAD_WISHES, ids=str)
def test_a_wish_that_cannot_be_met_is_400_with_the_field_named(wish, field):
    response = create(session_of(make_user()), make_template(), **wish)

    assert_error(response, 400, fields=[field])
    assert not Workspace.objects.exists()


def test_the_same_key_with_other_wishes_is_another_request():
    client, template = session_of(make_user()), make_template()
    body = {"template_id": str(template.pk), "name": "mine", "automatic_updates": "never"}

    def post(**changes):
        wish = {**body, **changes}
        return send(client, "POST", "/users/me/workspaces", wish, **{"Idempotency-Key": "k"})

    first = post()
    assert (first.status_code, post().json()["id"]) == (201, first.json()["id"])
    assert_error(post(automatic_updates="always"), 409, message="Idempotency-Key")
    assert Workspace.objects.count() == 1


def test_a_workspace_that_has_no_agent_yet_is_healthy():
    user, workspace = own_workspace()

    body = session_of(user).get(f"/api/v2/workspaces/{workspace.pk}").json()

    assert body["health"] == {"healthy": True, "failing_agents": []}
    assert (body["latest_build"]["status"], body["latest_build"]["resources"]) == ("pending", [])
