"""One stream per page: it says *that* a page's live block is stale, never what is in it.

A stream holds no database connection while it waits: a pool of ten must carry hundreds of tabs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from functools import partial
from typing import Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from accounts.models import User
from prebuilds.dashboard.live.looks import Looks
from workspaces import listening

logger = logging.getLogger(__name__)

T = TypeVar("T")
Renew = Callable[[float], Awaitable[None]]
"""Look anew for what the tab will ask for; takes when (time.monotonic) the last bell rang."""

PING_SECONDS: Final = 15.0
DEBOUNCE_SECONDS: Final = 0.25
"""A burst of bells gives one event; a change stays visible well within two seconds."""
LIFETIME_SECONDS: Final = 600.0
"""Then the browser connects anew, so that a session that has ended does not listen for ever."""


@require_safe
async def pools_stream(request: HttpRequest) -> HttpResponseBase:
    """Stream a `stale` event whenever a pool, prebuild or workspace has changed."""
    if await person(request) is None:
        return HttpResponse(status=401)
    return stream_of(listening.POOLS)


def stream_looks(looks: Looks[T], key: Hashable, look: Callable[[], T]) -> HttpResponseBase:
    """Return a stream of the pools' bells that looks before it tells its tab of one."""

    async def renew(rung_at: float) -> None:
        await looks.renew(
            key, sync_to_async(partial(_aside, look), thread_sensitive=False), rung_at=rung_at
        )

    return stream_of(listening.POOLS, renew)


def stream_of(channel: str, renew: Renew | None = None) -> HttpResponseBase:
    """Return a stream of a channel's bells."""
    return StreamingHttpResponse(
        _events(channel, renew),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def person(request: HttpRequest) -> User | None:
    """Return who is signed in."""
    user = await request.auser()
    return user if isinstance(user, User) else None


async def _events(channel: str, renew: Renew | None) -> AsyncIterator[str]:
    await sync_to_async(connections.close_all)()
    clock = asyncio.get_running_loop().time
    ends = clock() + LIFETIME_SECONDS
    with listening.hub().subscribe(channel) as subscription:
        yield _event("hello")
        while clock() < ends:
            bell = await subscription.get(timeout=PING_SECONDS)
            if subscription.is_over:
                break
            if bell is None:
                yield _event("ping")
                continue
            await asyncio.sleep(DEBOUNCE_SECONDS)
            subscription.drain()
            if renew is not None:
                await _renew(renew, subscription.rung_at)
            yield _event("stale")
    yield _event("bye")


async def _renew(renew: Renew, rung_at: float) -> None:
    """Look, if the database lets us; the tab is told either way, and asks for itself."""
    try:
        await renew(rung_at)
    except DatabaseError:
        logger.warning("look for a stream's tab failed", exc_info=True)


def _aside(look: Callable[[], T]) -> T:
    """Look in a thread that is nobody's, and leave no connection in it."""
    try:
        return look()
    finally:
        connections.close_all()


def _event(name: str) -> str:
    return f"event: {name}\ndata: {name}\n\n"
