"""Keep what the daemon holds: heartbeats, log lines, the daemon's own sign of life, lost jobs.

One thread for all jobs. A queue that is away is waited out here, and never by a driver.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from workspaces.provisioner.job_run import JobRun
from workspaces.provisioner.transport import Transport, TransportUnavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often the keeper does what, in seconds."""

    logs: float = 0.25
    heartbeat: float = 5.0
    reap: float = 10.0


class Keeper(threading.Thread):
    """Runs until `finish`; `runs` says which jobs are in hand."""

    def __init__(
        self, transport: Transport, runs: Callable[[], Collection[JobRun]], rhythm: Rhythm
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._transport = transport
        self._runs = runs
        self._rhythm = rhythm
        self._finished = threading.Event()
        self._heartbeat_at = self._reap_at = time.monotonic()

    def finish(self) -> None:
        self._finished.set()

    def run(self) -> None:
        while not self._finished.wait(self._rhythm.logs):
            try:
                self._turn(time.monotonic())
            except TransportUnavailable as problem:
                logger.warning("the queue is away", extra={"reason": str(problem)})
                self._finished.wait(1.0)
            except Exception:
                logger.exception("keeping the jobs failed")
                self._finished.wait(1.0)

    def _turn(self, now: float) -> None:
        if now >= self._heartbeat_at:
            # Heartbeats before all else: they decide whether the work goes on at all.
            for run in self._runs():
                run.beat()
            self._transport.touch()
            self._heartbeat_at = now + self._rhythm.heartbeat
        for run in self._runs():
            run.flush()
        if now >= self._reap_at:
            self._reap_at = now + self._rhythm.reap
            if count := self._transport.reap():
                logger.warning("failed lost jobs", extra={"count": count})
