"""The agents' open lines as the server serves them: beside Django, without its connections."""

import asyncio
import json

import pytest
from django.db import connections

from config.asgi import application
from prebuilds.api import reinit
from tests.api.test_reinit import (
    _clean_up,
    claim,
    finish,
    in_database,
    make_consumed,
    make_prebuild,
    make_regular,
)
from workspaces.listening import hub
from workspaces.services import agents

__all__ = ["_clean_up"]

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 10


class Line:
    """One request to the ASGI application, as a server would carry it."""

    def __init__(self, token, *, method="GET", path=reinit.PATH, header=None):
        self.sent = asyncio.Queue()
        self.hangs_up = asyncio.Event()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [header or (b"authorization", f"Bearer {token}".encode())],
        }
        self.task = asyncio.ensure_future(application(scope, self._receive, self.sent.put))

    async def _receive(self):
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}

    async def next(self):
        return await asyncio.wait_for(self.sent.get(), SOON)

    async def start(self):
        message = await self.next()
        assert message["type"] == "http.response.start"
        return message["status"]

    async def event(self):
        text = (await self.next())["body"].decode()
        name, data = text.strip().split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def end(self):
        self.hangs_up.set()
        await asyncio.wait_for(self.task, SOON)


def token_of(workspace):
    return f"token-of-{workspace.pk}"


async def test_a_claim_reaches_the_agent_that_waits():
    prebuild = await make_prebuild()
    line = Line(token_of(prebuild))
    status, first = await line.start(), await line.event()

    owner = await claim(prebuild, "ana")
    await finish()
    event, payload = await line.event()
    while event == "ping":
        event, payload = await line.event()

    assert (status, first) == (200, ("ping", {}))
    assert (event, payload["user_id"]) == ("data", str(owner))
    assert (await line.next())["body"] == b""
    await line.end()


async def test_the_header_the_agent_program_sends_is_understood():
    prebuild = await make_prebuild()

    line = Line("", header=(b"coder-session-token", token_of(prebuild).encode()))

    assert await line.start() == 200
    await line.end()


async def test_an_agent_that_hangs_up_is_forgotten():
    prebuild = await make_prebuild()
    line = Line(token_of(prebuild))
    await line.start()
    await line.event()

    await line.end()

    assert not hub()._subscribers[reinit.WORKSPACE_CLAIMED]


async def test_a_line_that_waits_holds_no_connection():
    prebuild = await make_prebuild()
    line = Line(token_of(prebuild))
    await line.start()
    await line.event()

    assert await asyncio.to_thread(thread_connections) == []
    await line.end()


def thread_connections():
    """Return the connections that the threads of the lines still hold."""
    looks = [
        reinit._lookers.submit(lambda: connections["default"].connection)
        for _ in range(reinit._lookers._max_workers * 2)
    ]
    return [one for one in (look.result(SOON) for look in looks) if one is not None]


async def test_a_regular_workspace_is_refused_with_409():
    workspace = await make_regular()
    line = Line(token_of(workspace))

    assert await line.start() == 409
    assert json.loads((await line.next())["body"])["message"] == reinit.NOT_WAITING
    await line.end()


async def test_a_wrong_token_is_refused_with_401():
    line = Line("wrong")

    assert await line.start() == 401
    await line.end()


async def test_another_method_is_refused_with_405():
    line = Line("any", method="POST")

    assert await line.start() == 405
    await line.end()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_an_agent_that_reconnects_1000_times_after_its_claim_has_no_reason_to_restart():
    prebuild = await make_prebuild()
    owner = await claim(prebuild, "ana")
    await finish()
    manifest = await in_database(manifest_of)(token_of(prebuild))

    told = set()
    for _ in range(50):
        lines = [Line(token_of(prebuild)) for _ in range(20)]
        for line in lines:
            assert await line.start() == 200
            event, payload = await line.event()
            told.add((event, payload["user_id"]))
            await line.end()

    assert told == {("data", str(owner))}
    assert manifest["owner_id"] == str(owner), "whom it works for already: it starts nothing"


async def test_once_the_claim_is_of_the_past_every_reconnect_ends_the_asking():
    workspace = await make_consumed()

    lines = [Line(token_of(workspace)) for _ in range(20)]

    assert [await line.start() for line in lines] == [409] * 20
    for line in lines:
        await line.end()


async def test_a_line_ends_with_the_process_and_so_does_one_that_comes_while_it_ends(monkeypatch):
    monkeypatch.setattr(hub(), "is_closed", False)  # and so again afterwards
    prebuild = await make_prebuild()
    line = Line(token_of(prebuild))
    await line.start()

    hub().close()
    await asyncio.wait_for(line.task, SOON)
    late = Line(token_of(prebuild))
    await asyncio.wait_for(late.task, SOON)

    assert not hub()._subscribers[reinit.WORKSPACE_CLAIMED]


async def test_a_server_that_restarts_between_claim_and_event_still_tells_it_once():
    prebuild = await make_prebuild()
    before = Line(token_of(prebuild))
    await before.start()
    owner = await claim(prebuild, "ana")
    await before.end()
    await asyncio.to_thread(hub().stop)
    await finish()

    after = Line(token_of(prebuild))

    assert await after.start() == 200
    assert await after.event() == (
        "data",
        {
            "workspace_id": str(prebuild.pk),
            "reason": "prebuild_claimed",
            "user_id": str(owner),
        },
    )
    await after.end()


def manifest_of(token):
    return agents.manifest_of(agents.authenticate(token))
