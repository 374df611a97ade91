"""How the web process ends: first it asks for no more traffic, then its streams end, then uvicorn.

uvicorn closes its port at the first signal, waits for answers that never end, cuts them off and
dies of the signal. So the signal comes here first, and uvicorn is told through `should_exit`.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any, Final

from uvicorn import Server

logger = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Departure:
    """What happens between the first signal and the end of one server."""

    def __init__(
        self,
        server: Server,
        *,
        delay: float,
        refuse_traffic: Callable[[], None],
        end_streams: Callable[[], None],
    ) -> None:
        self._server = server
        self._delay = delay
        self._refuse_traffic = refuse_traffic
        self._end_streams = end_streams
        self._loop = asyncio.get_running_loop()
        self._asked = 0

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Go on in the event loop: a signal may come while this thread holds a lock."""
        self._loop.call_soon_threadsafe(self._depart)

    def _depart(self) -> None:
        self._asked += 1
        if self._asked > 1:
            self._server.force_exit = True
            self._stop()
            return
        logger.info("stopping", extra={"delay_seconds": self._delay})
        self._refuse_traffic()
        self._loop.call_later(self._delay, self._stop)

    def _stop(self) -> None:
        """Close the port, and end what would never end by itself."""
        self._end_streams()
        self._server.should_exit = True


def take_over_signals(
    *, delay: float, refuse_traffic: Callable[[], None], end_streams: Callable[[], None]
) -> bool:
    """Put a Departure in front of the server that handles signals; false when that is no uvicorn.

    Call it in the main thread, in the server's event loop.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, Server):
        return False
    departure = Departure(
        server, delay=delay, refuse_traffic=refuse_traffic, end_streams=end_streams
    )
    for number in SIGNALS:
        signal.signal(number, departure.on_signal)
    return True


async def lifespan(receive: Receive, send: Send, *, on_start: Callable[[], object]) -> None:
    """Speak the server's protocol of starting and ending; raising ends the start."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            on_start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
