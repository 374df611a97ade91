"""GET …/reinit: one event when the workspace is claimed, 409 when it never will be."""

import asyncio
import json
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from tests.api.shape import assert_error
from tests.factories import (
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces.enums import Transition
from workspaces.listening import hub
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v2/workspaceagents/me/reinit"
SOON = 10


@pytest.fixture(autouse=True)
async def _clean_up():
    """Close what the views opened: the hub's connection, and their thread's."""
    yield
    await asyncio.to_thread(stop_hub)
    await sync_to_async(connections.close_all)()


def stop_hub():
    hub()._stopped.set()
    with connections["default"].cursor() as cursor:
        cursor.execute("NOTIFY pools")  # it looks whether it is stopped when something rings
    connections["default"].close()
    hub().stop()


in_database = sync_to_async


@in_database
def make_prebuild() -> Workspace:
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)
    return prebuild


@in_database
def claim(prebuild, username) -> UUID:
    """Claim the prebuild; its claim build is pending. Return the new owner's id."""
    user = make_user(username)
    claim_prebuild(prebuild.latest_build.preset, user)
    return user.pk


finish = in_database(finish_all_jobs)


async def ask(workspace, token=""):
    token = token or f"token-of-{workspace.pk}"
    return await AsyncClient().get(URL, headers={"Authorization": f"Bearer {token}"})


def events(response):
    """Yield (event, payload) of a stream."""
    return aiter(response.streaming_content)


async def next_event(stream):
    text = (await asyncio.wait_for(anext(stream), SOON)).decode()
    assert text.endswith("\n\n")
    name, data = text.strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def next_that_does_not_come(stream):
    """Take what the stream has to say, and return the task that waits for more."""
    while True:
        waiting = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        if not done:
            return waiting


async def is_over(stream):
    try:
        await asyncio.wait_for(anext(stream), SOON)
    except StopAsyncIteration:
        return True
    return False


async def test_an_unclaimed_agent_is_pinged_and_told_when_its_claim_build_has_succeeded():
    prebuild = await make_prebuild()
    response = await ask(prebuild)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    stream = events(response)
    assert await next_event(stream) == ("ping", {})

    user_id = await claim(prebuild, "dana")
    await finish()

    found = await next_event(stream)
    while found[0] == "ping":
        found = await next_event(stream)
    assert found == (
        "data",
        {
            "workspace_id": str(prebuild.pk),
            "reason": "prebuild_claimed",
            "user_id": str(user_id),
        },
    )
    assert await is_over(stream)


async def test_an_agent_that_asks_after_the_claim_is_told_at_once():
    prebuild = await make_prebuild()
    user_id = await claim(prebuild, "dana")
    await finish()

    stream = events(await ask(prebuild))

    name, payload = await next_event(stream)
    assert (name, payload["user_id"]) == ("data", str(user_id))
    assert await is_over(stream)


async def test_an_agent_that_asks_while_the_claim_build_runs_waits_for_it():
    prebuild = await make_prebuild()
    await claim(prebuild, "dana")
    stream = events(await ask(prebuild))
    assert await next_event(stream) == ("ping", {})

    await finish()

    found = await next_event(stream)
    while found[0] == "ping":
        found = await next_event(stream)
    assert found[0] == "data"


async def test_when_the_claim_build_fails_the_stream_ends_without_an_event():
    prebuild = await make_prebuild()
    await claim(prebuild, "dana")
    stream = events(await ask(prebuild))
    assert await next_event(stream) == ("ping", {})

    await finish(fail="no")
    hub()._announce_reconnect()  # as after a lost bell: it looks at the rows

    while not await is_over(stream):
        pass


async def test_another_workspaces_claim_is_not_told():
    prebuild, other = await make_prebuild(), await make_prebuild()
    stream = events(await ask(prebuild))
    await next_event(stream)

    await claim(other, "dana")
    await finish()
    await claim(prebuild, "ben")
    await finish()

    found = await next_event(stream)
    while found[0] == "ping":
        found = await next_event(stream)
    assert found[1]["workspace_id"] == str(prebuild.pk)


@in_database
def make_regular():
    workspace = make_workspace()
    finish_all_jobs()
    return workspace


async def make_consumed():
    prebuild = await make_prebuild()
    await claim(prebuild, "dana")
    await finish()
    prebuild = await Workspace.objects.select_related("owner").aget(pk=prebuild.pk)
    await in_database(ask_for)(prebuild, Transition.START, by=prebuild.owner)
    await finish()
    return prebuild


@pytest.mark.parametrize("make", [make_regular, make_consumed])
async def test_who_has_nothing_to_wait_for_gets_409(make):
    workspace = await make()

    response = await ask(workspace)

    assert_error(response, 409, message="not waiting to be claimed")


@pytest.mark.parametrize("token", ["wrong", " "])
async def test_a_wrong_token_gets_401(token):
    response = await ask(await make_prebuild(), token)

    assert_error(response, 401)


async def test_no_token_gets_401():
    assert_error(await AsyncClient().get(URL), 401)


async def test_a_deleted_workspace_gets_401():
    prebuild = await make_prebuild()
    await Workspace.objects.filter(pk=prebuild.pk).aupdate(deleted_at=prebuild.created_at)

    assert_error(await ask(prebuild), 401)


async def test_an_agent_that_hangs_up_is_forgotten():
    prebuild = await make_prebuild()
    stream = events(await ask(prebuild))
    waiting = await next_that_does_not_come(stream)
    assert len(hub()._subscribers["workspace_claimed"]) == 1

    waiting.cancel()  # as the server does with a request whose client is gone
    await asyncio.wait([waiting], timeout=SOON)

    assert not hub()._subscribers["workspace_claimed"]
