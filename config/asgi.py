"""What uvicorn serves: the pages and the API by Django, the agents' open lines beside it."""

from config.command_line import use_settings

use_settings()

import gc  # noqa: E402 - settings come first
from typing import Any  # noqa: E402

from django.core.asgi import get_asgi_application  # noqa: E402

_django = get_asgi_application()

from prebuilds.api import reinit  # noqa: E402 - needs the apps

# What was imported stays: a collection that looked through it anew would take 0.1 s off a request.
# What a request makes goes with it, so looking for cycles can wait for many more of them.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand the agents' re-initialisation streams to their own room, all else to Django."""
    if scope["type"] == "http" and scope["path"] == reinit.PATH:
        await reinit.application(scope, receive, send)
    else:
        await _django(scope, receive, send)
