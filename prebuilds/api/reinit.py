"""GET /workspaceagents/me/reinit: one event when the workspace is claimed (semantics.md 15).

Thousands of agents hold this line open for days. Django's stack keeps a thread for every open
response, so `config.asgi` hands these requests to `application` here, before any middleware; the
view is the same stream for whatever else serves it. A line holds no database connection while
it waits: each look borrows one and gives it back.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, Final, ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import Error, connections
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import status

from prebuilds import outages
from prebuilds.api.authentication import bearer_of, token_in
from workspaces.errors import UnknownAgentToken
from workspaces.listening import WORKSPACE_CLAIMED, hub
from workspaces.services import agents

PATH: Final = "/api/v2/workspaceagents/me/reinit"
PING_SECONDS: Final = 15.0
PINGS_BETWEEN_LOOKS: Final = 4
"""A bell may be missed, so the rows are read once a minute all the same."""
HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
NOT_WAITING: Final = "This workspace is not waiting to be claimed."

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_lookers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="reinit")


@csrf_exempt
async def reinit_stream(request: HttpRequest) -> HttpResponseBase:
    """Answer with the stream, 401 for no agent, 409 when there is nothing to wait for.

    503 while the database is away.
    """
    if request.method != "GET":
        words = _error(_not_possible(str(request.method)))
        return JsonResponse(words, status=405, headers={"Allow": "GET"})
    workspace_id, refusal = await _admit(bearer_of(request) or "")
    if workspace_id is None:
        code, message = refusal
        return JsonResponse(_error(message), status=code, headers=_headers_of(code))
    return StreamingHttpResponse(
        events(workspace_id), content_type="text/event-stream", headers=HEADERS
    )


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Serve the same as an ASGI application of its own."""
    if scope["method"] != "GET":
        await _answer(send, 405, _not_possible(scope["method"]))
        return
    workspace_id, refusal = await _admit(_token_of(scope))
    if workspace_id is None:
        await _answer(send, *refusal)
        return
    sending = asyncio.ensure_future(_send_events(workspace_id, send))
    leaving = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def events(workspace_id: UUID) -> AsyncGenerator[str, None]:
    """Subscribe first, then look, then wait: so no claim falls between the two."""
    with hub().subscribe(WORKSPACE_CLAIMED, payload=str(workspace_id)) as claims:
        while True:
            answer = await _look(agents.reinit_answer, workspace_id)
            if isinstance(answer, agents.Reinitialize):
                yield _event("data", _claimed(workspace_id, answer.user_id))
                return
            if isinstance(answer, agents.NeverAgain):
                return
            for _ in range(PINGS_BETWEEN_LOOKS):
                yield _event("ping", {})
                if await claims.get(timeout=PING_SECONDS):
                    break
            if claims.is_over:
                return


async def _admit(token: str) -> tuple[UUID | None, tuple[int, str]]:
    """Return the workspace to wait for; or None, and the status and words of the refusal."""
    try:
        agent = await _look(agents.authenticate, token)
        workspace_id = agent.resource.build.workspace_id
        answer = await _look(agents.reinit_answer, workspace_id)
    except UnknownAgentToken as error:
        return None, (status.HTTP_401_UNAUTHORIZED, str(error))
    except Error as error:
        if not outages.means_away(error):
            raise
        outages.note(error)
        return None, (status.HTTP_503_SERVICE_UNAVAILABLE, outages.WORDS)
    if isinstance(answer, agents.NeverAgain):
        return None, (status.HTTP_409_CONFLICT, NOT_WAITING)
    return workspace_id, (status.HTTP_200_OK, "")


async def _look(
    call: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Read rows in one of a few threads, and give the connection back at once."""

    def look() -> Result:
        try:
            return call(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(look, thread_sensitive=False, executor=_lookers)()


async def _send_events(workspace_id: UUID, send: Send) -> None:
    headers = {"Content-Type": "text/event-stream", **HEADERS}
    await send({"type": "http.response.start", "status": 200, "headers": _raw(headers)})
    async with aclosing(events(workspace_id)) as stream:
        async for text in stream:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, code: int, message: str) -> None:
    headers = _raw({"Content-Type": "application/json", **_headers_of(code)})
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_error(message)).encode()})


def _headers_of(code: int) -> dict[str, str]:
    away = code == status.HTTP_503_SERVICE_UNAVAILABLE
    return {"Retry-After": str(outages.RETRY_SECONDS)} if away else {}


def _not_possible(method: str) -> str:
    return f"{method} is not possible here; use GET."


def _token_of(scope: Message) -> str:
    """Return the token a raw request carries; empty when it carries none."""
    headers = scope["headers"]
    given = {name.decode("latin-1").title(): value.decode("latin-1") for name, value in headers}
    return token_in(given) or ""


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _claimed(workspace_id: UUID, user_id: UUID) -> dict[str, str]:
    return {
        "workspace_id": str(workspace_id),
        "reason": "prebuild_claimed",
        "user_id": str(user_id),
    }


def _event(name: str, payload: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(payload)}\n\n"


def _error(message: str) -> dict[str, Any]:
    return {"message": message, "detail": "", "validations": []}
