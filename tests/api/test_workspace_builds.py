"""Builds over the API: update, cancel, logs, parameters, resources."""

import asyncio
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from accounts.audit import AT_THE_SHELL
from accounts.enums import TokenScope
from accounts.models import AuditEntry, Membership
from accounts.services import tokens, users
from prebuilds.api import build_logs
from templates_app.parameters import ParameterDefinition
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    NOON,
    acquire,
    ask_for,
    finish_all_jobs,
    make_pending_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    promote_new_version,
)
from workspaces.enums import Transition
from workspaces.models import Agent, AgentLog, JobLog, ProvisionerJob

pytestmark = pytest.mark.django_db

SIZE = ParameterDefinition(name="size", type="string", options=("s", "m"), default="s")


def own_workspace(*, built=True, **template):
    user = make_user()
    template = make_template(presets=[], definitions=[SIZE], **template)
    workspace = make_workspace(user, template=template, name="api")
    if built:
        finish_all_jobs()
    workspace.refresh_from_db()
    return user, workspace


def build(client, workspace, **body):
    return send(client, "POST", f"/workspaces/{workspace.pk}/builds", body)


def cancel(client, workspace):
    return send(client, "PATCH", f"/workspacebuilds/{workspace.latest_build_id}/cancel", {})


def get(client, path):
    return client.get(f"/api/v2{path}")


def test_a_start_updates_to_another_version_with_other_values():
    user, workspace = own_workspace()
    template = promote_new_version(workspace.template, presets=[], definitions=[SIZE])
    version = str(template.active_version_id)

    response = build(
        session_of(user),
        workspace,
        transition="start",
        template_version_id=version,
        rich_parameter_values=[{"name": "size", "value": "m"}],
    )

    assert response.status_code == 201, response.content
    body = response.json()
    assert (body["template_version_id"], body["status"]) == (version, "pending")
    assert body["workspace_owner_name"] == body["initiator_name"] == user.username
    values = get(session_of(user), f"/workspacebuilds/{body['id']}/parameters").json()
    assert values == [{"name": "size", "value": "m"}]


def test_a_version_of_another_template_is_400():
    user, workspace = own_workspace()
    other = str(make_template().active_version_id)

    for version in (other, str(uuid4())):
        response = build(
            session_of(user), workspace, transition="start", template_version_id=version
        )
        assert_error(response, 400, message="version")


BAD = [
    ({}, ["transition"]),
    ({"transition": "restart"}, ["transition"]),
    ({"transition": "start", "template_version_preset_id": str(UUID(int=1))}, None),
    ({"transition": "stop", "template_version_id": str(UUID(int=1))}, ["template_version_id"]),
    (
        {"transition": "delete", "rich_parameter_values": [{"name": "size", "value": "m"}]},
        ["rich_parameter_values"],
    ),
    ({"transition": "start", "rich_parameter_values": {}}, ["rich_parameter_values"]),
    (
        {"transition": "start", "rich_parameter_values": [{"name": "size", "value": "xl"}]},
        ["rich_parameter_values.size"],
    ),
    ({"transition": "start", "orphan": True}, ["orphan"]),
]


@pytest.mark.parametrize(("body", "fields"), BAD, ids=str)
def test_a_bad_build_is_400_with_the_field_named(body, fields):
    user, workspace = own_workspace()

    response = build(session_of(user), workspace, **body)

    assert_error(response, 400, fields=fields or ["template_version_preset_id"])
    assert workspace.builds.count() == 1


def test_an_empty_preset_as_coders_clients_send_it_is_fine():
    user, workspace = own_workspace()

    response = build(
        session_of(user), workspace, transition="start", template_version_preset_id=None
    )

    assert response.status_code == 201


def test_a_build_is_found_by_its_id_and_by_its_number():
    user, workspace = own_workspace()
    ask_for(workspace, Transition.STOP, by=user)
    workspace.refresh_from_db()
    client = session_of(user)

    by_id = get(client, f"/workspacebuilds/{workspace.latest_build_id}").json()

    assert by_id["build_number"] == 2
    assert get(client, "/users/me/workspace/api/builds/2").json() == by_id
    assert_error(get(client, "/users/me/workspace/api/builds/3"), 404)
    assert_error(get(client, f"/users/me/workspace/api/builds/{10**30}"), 404)
    assert_error(get(client, f"/workspacebuilds/{uuid4()}"), 404)


@pytest.mark.parametrize("part", ["", "/parameters", "/resources", "/logs"])
def test_a_build_one_may_not_see_is_404(part):
    _, workspace = own_workspace()
    path = f"/workspacebuilds/{workspace.latest_build_id}{part}"

    for kind in ("member", "stranger"):
        assert_error(get(session_of(caller(kind)), path), 404)
    assert get(session_of(caller("auditor")), path).status_code == 200


def test_builds_of_a_deleted_workspace_can_still_be_read():
    user, workspace = own_workspace()
    ask_for(workspace, Transition.DELETE, by=user)
    finish_all_jobs()
    workspace.refresh_from_db()

    body = get(session_of(user), f"/workspacebuilds/{workspace.latest_build_id}").json()

    assert body["status"] == "deleted"


def test_resources_come_with_their_agents():
    user, workspace = own_workspace()
    client = session_of(user)

    (resource,) = get(client, f"/workspacebuilds/{workspace.latest_build_id}/resources").json()

    agent = Agent.objects.get()
    assert (resource["type"], resource["name"]) == ("local_process", "workspace")
    assert resource["workspace_transition"] == "start"
    assert [one["id"] for one in resource["agents"]] == [str(agent.pk)]
    assert resource["agents"][0]["status"] == "connecting"
    shown = get(client, f"/workspaceagents/{agent.pk}").json()
    assert shown == resource["agents"][0]


def test_a_list_of_builds_costs_the_same_for_one_and_for_five():
    user, workspace = own_workspace()
    client = session_of(user)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            response = get(client, f"/workspaces/{workspace.pk}/builds")
        return len(captured), len(response.json())

    one, _ = statements()
    for _ in range(4):
        ask_for(workspace, Transition.START, by=user)
        finish_all_jobs()

    assert statements() == (one, 5)
    assert one <= 8


def test_the_owner_cancels_a_build_that_waits():
    user, workspace = own_workspace(built=False)

    response = cancel(session_of(user), workspace)

    assert response.status_code == 200
    assert response.json()["message"] == "The build is canceled."
    assert ProvisionerJob.objects.get().status == "canceled"
    entry = AuditEntry.objects.get(action="cancel")
    assert (entry.actor, entry.before, entry.after) == (
        user,
        {"status": "pending"},
        {"status": "canceled"},
    )


def test_a_build_that_runs_is_asked_to_stop_once():
    user, workspace = own_workspace(built=False)
    acquire()
    client = session_of(user)

    for _ in range(2):
        assert cancel(client, workspace).json()["message"] == "The build is canceling."

    assert AuditEntry.objects.filter(action="cancel").count() == 1


def test_a_build_that_has_ended_cannot_be_canceled():
    user, workspace = own_workspace()

    assert_error(cancel(session_of(user), workspace), 409, message="ended already")


WHO = [
    ("owner", 200, 200),
    ("organization-admin", 200, 200),
    ("template-admin", 403, 200),
    ("organization-template-admin", 403, 200),
    ("auditor", 403, 403),
    ("member", 404, 404),
    ("stranger", 404, 404),
]


@pytest.mark.parametrize(("kind", "persons", "prebuilds"), WHO)
def test_who_may_cancel_what_is_not_theirs(kind, persons, prebuilds):
    _, workspace = own_workspace(built=False)
    (prebuild,) = make_pending_prebuilds(preset_of(make_template()), 1)
    client = session_of(caller(kind))

    assert cancel(client, workspace).status_code == persons
    assert cancel(client, prebuild).status_code == prebuilds


def test_a_token_for_reading_cancels_nothing():
    user, workspace = own_workspace(built=False)

    assert_error(cancel(scoped(user, "read", "a"), workspace), 403)
    assert cancel(scoped(user, "use", "b"), workspace).status_code == 200


def write_lines(workspace, *texts):
    job = workspace.latest_build.job
    lines = [JobLog(job=job, at=NOON, stage="build", output=text) for text in texts]
    return [line.pk for line in JobLog.objects.bulk_create(lines)]


def test_the_log_is_read_from_an_id_on():
    user, workspace = own_workspace()
    first, second, third = write_lines(workspace, "a", "b", "c")
    path = f"/workspacebuilds/{workspace.latest_build_id}/logs"
    client = session_of(user)

    assert [each["id"] for each in get(client, path).json()] == [first, second, third]
    (only,) = get(client, f"{path}?after={first}&limit=1").json()
    assert only == {
        "id": second,
        "created_at": "2026-03-04T12:00:00Z",
        "log_source": "provisioner",
        "log_level": "info",
        "stage": "build",
        "output": "b",
    }
    assert_error(get(client, f"{path}?after=x"), 400, fields=["after"])
    assert_error(get(client, f"{path}?after={10**30}"), 400, fields=["after"])


def test_an_agents_log_is_read_from_an_id_on():
    user, _ = own_workspace()
    agent = Agent.objects.get()
    lines = [AgentLog(agent=agent, at=NOON, output=text) for text in "ab"]
    first, second = (line.pk for line in AgentLog.objects.bulk_create(lines))
    path = f"/workspaceagents/{agent.pk}/logs"

    body = get(session_of(user), f"{path}?after={first}").json()

    assert [(each["id"], each["output"], each["stage"]) for each in body] == [
        (second, "b", "startup")
    ]
    assert_error(get(session_of(make_user()), path), 404)
    assert_error(get(session_of(make_user()), f"/workspaceagents/{agent.pk}"), 404)
    assert_error(get(session_of(user), f"/workspaceagents/{uuid4()}"), 404)


class Following:
    """A log that is followed while its job goes on."""

    def __init__(self):
        self.user, self.workspace = own_workspace(built=False)
        write_lines(self.workspace, "first")

    def end(self):
        write_lines(self.workspace, "last")
        finish_all_jobs()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["?follow=true", ""])
async def test_a_log_is_followed_until_the_job_ends(how):
    following = await sync_to_async(Following)()
    client = AsyncClient()
    await client.aforce_login(following.user)
    headers = {} if how else {"accept": "text/event-stream"}

    response = await client.get(
        f"/api/v2/workspacebuilds/{following.workspace.latest_build_id}/logs{how}", headers=headers
    )
    seen = []
    async for chunk in response.streaming_content:
        text = chunk.decode()
        if '"output": "first"' in text and not seen:
            await sync_to_async(following.end)()
        seen.append(text)

    assert response["Content-Type"] == "text/event-stream"
    outputs = [word for text in seen for word in ("first", "last") if f'"{word}"' in text]
    assert outputs == ["first", "last"]
    await sync_to_async(connections.close_all)()


def suspend(following):
    users.suspend_user(user_id=following.user.pk, actor=AT_THE_SHELL, now=NOON)


def revoke_token(following):
    tokens.revoke_all_tokens(user=following.user, now=NOON)


def sign_out(following):
    Session.objects.all().delete()


def leave_organization(following):
    Membership.objects.filter(user=following.user).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("by_token", "end"),
    [
        (False, suspend),
        (True, suspend),
        (True, revoke_token),
        (False, sign_out),
        (True, leave_organization),
    ],
)
async def test_a_log_is_followed_no_further_than_one_may(by_token, end, monkeypatch):
    monkeypatch.setattr(build_logs, "ASK_EVERY", 0.0)
    following = await sync_to_async(Following)()
    client, headers = AsyncClient(), {}
    if by_token:
        _, secret = await sync_to_async(tokens.create_token)(
            user=following.user, name="t", scope=TokenScope.READ, expires_at=None, now=NOON
        )
        headers = {"Coder-Session-Token": secret}
    else:
        await client.aforce_login(following.user)

    path = f"/api/v2/workspacebuilds/{following.workspace.latest_build_id}/logs?follow=true"
    response = await client.get(path, headers=headers)
    seen = []
    async with asyncio.timeout(10):
        async for chunk in response.streaming_content:
            if not seen:
                await sync_to_async(end)(following)
                await sync_to_async(write_lines)(following.workspace, "secret")
            seen.append(chunk.decode())

    assert '"output": "first"' in seen[0]
    assert "secret" not in "".join(seen)
    await sync_to_async(connections.close_all)()


def test_a_log_one_may_not_follow_is_told_so_in_json():
    _, workspace = own_workspace()

    response = session_of(make_user()).get(
        f"/api/v2/workspacebuilds/{workspace.latest_build_id}/logs",
        headers={"accept": "text/event-stream"},
    )

    assert_error(response, 404)
    assert response["Content-Type"] == "application/json"
