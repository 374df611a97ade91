"""Give each request an id, which its answer and all its log lines carry.

Around everything that is served, Django or not, so that no answer is without one.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import wraps
from typing import Any, Final
from uuid import uuid4

from workspaces.tracing import bind

HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


def with_request_ids(application: Application) -> Application:
    """Return the ASGI application with an id bound to each request and sent with its answer."""

    @wraps(application)
    async def serve(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        request_id = choose_id(scope["headers"])

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (HEADER, request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        with bind(request_id=request_id):
            await application(scope, receive, send_with_id)

    return serve


def choose_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id the client or a proxy gave, if it is fit for a log; else a new one."""
    given = next((value for name, value in headers if name.lower() == HEADER), b"")
    return given.decode("ascii") if _SANE.fullmatch(given) else uuid4().hex
