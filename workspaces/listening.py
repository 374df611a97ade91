"""Hear the database's bells: one LISTEN connection per process, fanned out in memory.

A bell is a hint. It may be missed (the connection was down) and is never replayed, so whoever
waits here also looks at the rows: first subscribe, then look, then wait.
"""

import asyncio
import logging
import os
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from django.db import connections
from psycopg import sql

logger = logging.getLogger(__name__)

RECONCILE: Final = "reconcile"
POOLS: Final = "pools"
PROVISIONER_JOBS: Final = "provisioner_jobs"
WORKSPACE_CLAIMED: Final = "workspace_claimed"
CHANNELS: Final = (RECONCILE, POOLS, PROVISIONER_JOBS, WORKSPACE_CLAIMED)

RETRY_SECONDS: Final = 1.0
BACKLOG_LIMIT: Final = 1_000
"""Notifications kept for a slow subscriber; more are dropped, as the rows tell the truth."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A bell that rang. An empty channel means: reconnected, anything may have changed."""

    channel: str
    payload: str = ""


class Subscription:
    """One listener's backlog. Use it as a context manager; wait in a thread or in a coroutine."""

    def __init__(self, hub: "Hub", channels: tuple[str, ...], payload: str | None) -> None:
        self._hub = hub
        self.channels = channels
        self.payload = payload
        self.rung_at = 0.0
        """When the last bell was delivered, by time.monotonic."""
        self._backlog: queue.Queue[Notification] = queue.Queue(BACKLOG_LIMIT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake: asyncio.Event | None = None
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
            self._awake = asyncio.Event()

    @property
    def in_event_loop(self) -> bool:
        """Whether a coroutine subscribed, so that entering must not block."""
        return self._loop is not None

    @property
    def is_over(self) -> bool:
        """Whether this process ends, so that nobody should wait any longer."""
        return self._hub.is_closed

    def __enter__(self) -> Self:
        self._hub.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hub.remove(self)

    def wait(self, timeout: float) -> Notification | None:
        """Block this thread until a bell rings; None when the time is over (seconds)."""
        try:
            return self._backlog.get(timeout=timeout) if timeout > 0 else self._backlog.get_nowait()
        except queue.Empty:
            return None

    async def get(self, timeout: float) -> Notification | None:  # noqa: ASYNC109
        """Wait in a coroutine of the loop that subscribed; None when the time is over (seconds)."""
        if self._awake is None:
            raise RuntimeError("subscribe inside the event loop that will wait")
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._backlog.empty() and not self.is_over:
                    self._awake.clear()
                    await self._awake.wait()
        return self.wait(0)

    def drain(self) -> int:
        """Forget what has rung so far; return how many bells that was."""
        count = 0
        while self.wait(0) is not None:
            count += 1
        return count

    def push(self, notification: Notification) -> None:
        """Deliver a bell (called by the hub's thread)."""
        self.rung_at = time.monotonic()
        with suppress(queue.Full):
            self._backlog.put_nowait(notification)
        if self._loop is not None and self._awake is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._awake.set)

    def wants(self, notification: Notification) -> bool:
        """Return whether this bell is for this subscriber."""
        return self.payload is None or notification.payload == self.payload


class Hub:
    """The LISTEN connection and the thread that reads it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[str, set[Subscription]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self._stopped = threading.Event()
        self.is_closed = False
        self.pid = os.getpid()

    def subscribe(self, *channels: str, payload: str | None = None) -> Subscription:
        """Return a subscription to some channels, or only to one payload of them.

        What rings after `with` was entered is delivered: entering waits for the LISTEN (for a
        second at most; when the database is away, the reconnect is announced instead).
        """
        unknown = set(channels) - set(CHANNELS)
        if unknown:
            raise ValueError(f"unknown channel {', '.join(sorted(unknown))}")
        return Subscription(self, channels, payload)

    def add(self, subscription: Subscription) -> None:
        """Start to deliver to a subscription."""
        with self._lock:
            for channel in subscription.channels:
                self._subscribers[channel].add(subscription)
            self._start()
        if not subscription.in_event_loop:
            self._listening.wait(1.0)

    def remove(self, subscription: Subscription) -> None:
        """Stop to deliver to a subscription."""
        with self._lock:
            for channel in subscription.channels:
                self._subscribers[channel].discard(subscription)

    def close(self) -> None:
        """Let everybody who waits, now or later, find that it is over: the process ends."""
        self.is_closed = True
        self._announce_reconnect()

    def stop(self) -> None:
        """End the thread and its connection."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="listening", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                logger.warning("lost the LISTEN connection", extra={"reason": str(error)})
            except Exception:
                logger.exception("listening failed")
            self._listening.clear()
            self._stopped.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(**connection_params(), autocommit=True) as connection:
            for channel in CHANNELS:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._listening.set()
            self._announce_reconnect()
            while not self._stopped.is_set():
                for notify in connection.notifies(timeout=0.5):
                    self._deliver(Notification(notify.channel, notify.payload))
                    if self._stopped.is_set():
                        return

    def _announce_reconnect(self) -> None:
        with self._lock:
            everyone = {one for group in self._subscribers.values() for one in group}
        for subscription in everyone:
            subscription.push(Notification(""))

    def _deliver(self, notification: Notification) -> None:
        for subscription in self._recipients(notification):
            subscription.push(notification)

    def _recipients(self, notification: Notification) -> Iterator[Subscription]:
        with self._lock:
            group = list(self._subscribers[notification.channel])
        return (one for one in group if one.wants(notification))


def connection_params(alias: str = "") -> dict[str, Any]:
    """Say where to connect by hand; without an alias, where to LISTEN: past any pooler."""
    alias = alias or ("direct" if "direct" in connections.settings else "default")
    params = dict(connections[alias].get_connection_params())
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        params.pop(name, None)
    return params


_hub = Hub()
_hub_lock = threading.Lock()


def hub() -> Hub:
    """Return the process's hub; a forked child gets its own."""
    global _hub  # noqa: PLW0603  one per process is the point
    with _hub_lock:
        if _hub.pid != os.getpid():
            _hub = Hub()
        return _hub
