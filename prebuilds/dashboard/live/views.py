"""One stream per page: it says *that* a page's live block is stale, never what is in it.

A stream holds no database connection while it waits: a pool of ten must carry hundreds of tabs.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from workspaces import listening

PING_SECONDS: Final = 15.0
DEBOUNCE_SECONDS: Final = 0.25
"""A burst of bells gives one event; a change stays visible well within two seconds."""
LIFETIME_SECONDS: Final = 600.0
"""Then the browser connects anew, so that a session that has ended does not listen for ever."""


@require_safe
async def pools_stream(request: HttpRequest) -> HttpResponseBase:
    """Stream a `stale` event whenever a pool, prebuild or workspace has changed."""
    if not await _is_signed_in(request):
        return HttpResponse(status=401)
    return StreamingHttpResponse(
        _events(listening.POOLS),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _is_signed_in(request: HttpRequest) -> bool:
    user = await request.auser()
    return user.is_authenticated


async def _events(channel: str) -> AsyncIterator[str]:
    await sync_to_async(connections.close_all)()
    clock = asyncio.get_running_loop().time
    ends = clock() + LIFETIME_SECONDS
    with listening.hub().subscribe(channel) as subscription:
        yield _event("hello")
        while clock() < ends:
            if await subscription.get(timeout=PING_SECONDS) is None:
                yield _event("ping")
                continue
            await asyncio.sleep(DEBOUNCE_SECONDS)
            subscription.drain()
            yield _event("stale")
    yield _event("bye")


def _event(name: str) -> str:
    return f"event: {name}\ndata: {name}\n\n"
