"""Run cycles for ever: one per interval, and one soon after any bell (semantics.md 11).

A bell is debounced: the cycle starts once it has been quiet for a moment, or has rung for
MAX_WAIT. Bells that ring during a cycle lead to one more.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import Error, close_old_connections, connections

from prebuilds import reconciler
from prebuilds.core.policy import Policy
from prebuilds.models import Trigger
from workspaces.listening import RECONCILE, Subscription, hub

logger = logging.getLogger(__name__)

QUIET_SECONDS: Final = 0.05
MAX_WAIT_SECONDS: Final = 0.25
POLL_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 1.0


class Orchestrator:
    """The loop behind `manage.py reconcile --loop`; `stop` may be called from a signal handler."""

    def __init__(
        self,
        *,
        policy: Policy,
        clock: Callable[[], datetime],
        interval: timedelta,
        on_cycle: Callable[[reconciler.Cycle], None] = lambda cycle: None,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._interval = interval.total_seconds()
        self._on_cycle = on_cycle
        self._stopping = threading.Event()
        self.stop_cause = ""

    def run_loop(self) -> None:
        """Run cycles until `stop`; a cycle under way is finished, its lock released."""
        with hub().subscribe(RECONCILE) as bells:
            trigger = Trigger.INTERVAL
            while not self._stopping.is_set():
                bells.drain()
                wake_at = self._run_one(trigger)
                trigger = self._wait(bells, wake_at)
        logger.info("reconciler stopped", extra={"cause": self.stop_cause})

    def stop(self, cause: str) -> None:
        """Ask the loop to end after the current cycle."""
        self.stop_cause = self.stop_cause or cause
        self._stopping.set()

    def _run_one(self, trigger: Trigger) -> datetime | None:
        """Run a cycle and return when a backoff of it ends.

        An error, such as a database that restarts, never ends the loop.
        """
        try:
            close_old_connections()
            cycle = reconciler.run_cycle(trigger=trigger, policy=self._policy, clock=self._clock)
            self._on_cycle(cycle)
            return cycle.wake_at
        except Error as error:
            logger.warning("cycle failed, trying again", extra={"reason": str(error)})
            self._forget_connections()
        except Exception:
            logger.exception("cycle failed, trying again")
            self._forget_connections()
        return None

    def _forget_connections(self) -> None:
        connections.close_all()
        self._stopping.wait(RETRY_SECONDS)

    def _wait(self, bells: Subscription, wake_at: datetime | None) -> Trigger:
        """Wait for the next interval, end of a backoff or bell, and return which it was."""
        deadline = time.monotonic() + self._seconds_until(wake_at)
        while not self._stopping.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                return Trigger.INTERVAL
            if bells.wait(min(left, POLL_SECONDS)) is not None:
                _let_settle(bells)
                return Trigger.BELL
        return Trigger.INTERVAL

    def _seconds_until(self, wake_at: datetime | None) -> float:
        """Return how long to sleep: an interval, or until just after a backoff has ended."""
        if wake_at is None:
            return self._interval
        left = (wake_at - self._clock()).total_seconds() + QUIET_SECONDS
        return min(self._interval, max(left, QUIET_SECONDS))


def _let_settle(bells: Subscription) -> None:
    """Wait until the bells are quiet, but not for longer than MAX_WAIT_SECONDS."""
    latest = time.monotonic() + MAX_WAIT_SECONDS
    while time.monotonic() < latest and bells.wait(QUIET_SECONDS) is not None:
        pass
