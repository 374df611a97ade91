"""What uvicorn serves: the pages and the API by Django, the agents' open lines beside it."""

from config.command_line import serve

serve()

import gc  # noqa: E402 - settings come first
from typing import Any  # noqa: E402

from config.handler import make_handler  # noqa: E402

_django = make_handler()

from django.conf import settings  # noqa: E402

from config.request_ids import with_request_ids  # noqa: E402
from config.shutdown import lifespan, take_over_signals  # noqa: E402
from prebuilds.api import readiness, reinit  # noqa: E402 - needs the apps
from workspaces.listening import hub  # noqa: E402

# What was imported stays: a collection that looked through it anew would take 0.1 s off a request.
# What a request makes goes with it, so looking for cycles can wait for many more of them.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)


@with_request_ids
async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand the agents' re-initialisation streams to their own room, all else to Django."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send, on_start=_prepare_to_stop)
    elif scope["type"] == "http" and scope["path"] == reinit.PATH:
        await reinit.application(scope, receive, send)
    else:
        await _django(scope, receive, send)


def _prepare_to_stop() -> None:
    take_over_signals(
        delay=settings.PREBUILDS_SHUTDOWN_DELAY.total_seconds(),
        refuse_traffic=readiness.refuse_traffic,
        end_streams=lambda: hub().close(),
    )
