"""Do jobs: take one, let a driver build it, tell how it ended, N at a time.

A bell or a poll wakes the main loop; each job has a thread; the keeper's thread holds the leases.
The daemon owns no truth: whatever it forgets, the lease brings to an end.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from workspaces import tracing
from workspaces.errors import LeaseLost
from workspaces.protocol import (
    AcquiredJob,
    BuildCanceled,
    BuildFailed,
    BuildResult,
    DaemonProfile,
    Driver,
)
from workspaces.provisioner.job_run import JobRun, StopCause, cause_of, facts_of, fields_of
from workspaces.provisioner.keeper import Keeper, Rhythm
from workspaces.provisioner.transport import (
    KeyRefused,
    Transport,
    TransportUnavailable,
)

logger = logging.getLogger(__name__)

GIVE_BACK_SECONDS = 8.0
"""How long drivers may take to end their work after they were told to."""
RETRY_SECONDS = (1.0, 3.0)
"""Between two tries to take a job from a queue that is away."""
DRIVER_ERROR = "driver_error"


class WakeUp(Protocol):
    """Something that rings when there may be a job."""

    def wait(self, timeout: float) -> bool:
        """Block for at most that many seconds; true when it rang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOptions:
    """How a daemon behaves; seconds where it says how long."""

    poll: tuple[float, float] = (2.0, 4.0)
    grace: float = 20.0
    give_back: float = GIVE_BACK_SECONDS
    once: bool = False
    rhythm: Rhythm = field(default_factory=Rhythm)


class Daemon:
    """A provisioner daemon. `run` returns when it was stopped, or with `once` when all is done."""

    def __init__(
        self,
        *,
        profile: DaemonProfile,
        transport: Transport,
        driver: Driver,
        wake_up: WakeUp,
        clock: Callable[[], datetime],
        options: DaemonOptions | None = None,
    ) -> None:
        self._profile = profile
        self._transport = transport
        self._driver = driver
        self._wake_up = wake_up
        self._clock = clock
        self._options = options or DaemonOptions()
        self._runs: dict[UUID, JobRun] = {}
        # A SimpleQueue, as it may be rung from a signal handler; an Event may not.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stops = 0
        self._refusal: KeyRefused | None = None
        self._finished = threading.Event()

    def stop(self) -> None:
        """Finish or give back, then end; a second time: give back at once. For signal handlers."""
        self._stops += 1
        self._transport.interrupt()
        self._bell.put(None)

    def run(self) -> None:
        """Serve until stopped. Raises KeyRefused when the queue lets the daemon in no more."""
        if not self._register():
            return
        keeper = Keeper(self._transport, lambda: list(self._runs.values()), self._options.rhythm)
        keeper.start()
        threading.Thread(target=self._relay_bells, name="bells", daemon=True).start()
        try:
            self._serve()
            self._shut_down()
        finally:
            self._finished.set()
            keeper.finish()
            keeper.join(timeout=2.0)
        self._say_goodbye()
        if self._refusal:
            raise self._refusal

    def _register(self) -> bool:
        """Introduce the daemon; false when it was stopped before that succeeded."""
        while not self._stops:
            try:
                self._transport.register(self._profile)
            except KeyRefused:
                raise
            except TransportUnavailable as problem:
                logger.warning("cannot reach the queue", extra={"reason": str(problem)})
                self._wait(1.0)
            else:
                logger.info("waiting for jobs", extra={"concurrency": self._profile.concurrency})
                return True
        return False

    def _serve(self) -> None:
        while not self._stops:
            until = time.monotonic() + random.uniform(*self._options.poll)
            try:
                job = self._acquire(until) if self._has_room() else None
            except TransportUnavailable as problem:
                logger.warning("cannot reach the queue", extra={"reason": str(problem)})
                job, until = None, min(until, time.monotonic() + random.uniform(*RETRY_SECONDS))
            if job:
                self._take_up(job)
            elif self._options.once and not self._runs:
                return
            else:
                self._wait(until - time.monotonic())

    def _has_room(self) -> bool:
        return len(self._runs) < self._profile.concurrency

    def _acquire(self, until: float) -> AcquiredJob | None:
        """Take a job, waiting for one where the queue can. Raises TransportUnavailable."""
        left = 0.0 if self._options.once else max(until - time.monotonic(), 0.0)
        try:
            return self._transport.acquire(wait=left)
        except KeyRefused as refusal:
            self._refusal = refusal
            self.stop()
        except TransportUnavailable:
            raise
        except Exception:
            logger.exception("acquiring a job failed")
        return None

    def _wait(self, seconds: float) -> None:
        """Sleep until a bell, a finished job, a signal or the time; then forget the bells."""
        try:
            self._bell.get(timeout=max(seconds, 0.0))
            while True:
                self._bell.get_nowait()
        except queue.Empty:
            pass

    def _relay_bells(self) -> None:
        while not self._finished.is_set():
            try:
                if self._wake_up.wait(1.0):
                    self._bell.put(None)
            except Exception:
                logger.exception("listening for jobs failed")
                self._finished.wait(1.0)

    def _take_up(self, job: AcquiredJob) -> None:
        run = JobRun(job, self._transport, self._clock)
        self._runs[job.job_id] = run
        threading.Thread(
            target=self._work, args=(run,), name=f"job-{job.job_id}", daemon=True
        ).start()

    def _work(self, run: JobRun) -> None:
        facts = facts_of(run.job)
        try:
            with (
                tracing.bind(**fields_of(run.job)),
                tracing.span("provisioner.job", cause=cause_of(run.job), **facts),
            ):
                self._try(run)
        finally:
            self._runs.pop(run.job.job_id, None)
            self._bell.put(None)

    def _try(self, run: JobRun) -> None:
        logger.info("job started")
        try:
            self._do(run)
        except LeaseLost:
            _give_up("lease lost")
        except BuildCanceled:
            _give_up("job abandoned")
        except Exception as error:
            tracing.fail(type(error).__name__)
            logger.exception("ending a job failed")

    def _do(self, run: JobRun) -> None:
        try:
            result = self._driver.build(run.job, run)
        except BuildCanceled:
            self._end_stopped(run)
        except BuildFailed as failure:
            self._fail(run, str(failure), failure.code)
        except Exception as error:
            logger.exception("driver failed")
            self._fail(run, f"The driver failed: {type(error).__name__}: {error}", DRIVER_ERROR)
        else:
            self._complete(run, result)

    def _complete(self, run: JobRun, result: BuildResult) -> None:
        self._end(run, "job succeeded", lambda: self._transport.complete(run.job, result))

    def _fail(self, run: JobRun, error: str, code: str) -> None:
        tracing.fail(code)
        run.log(error, stage="end", level="error")
        self._end(run, "job failed", lambda: self._transport.fail(run.job, error=error, code=code))

    def _end_stopped(self, run: JobRun) -> None:
        match run.cause:
            case StopCause.CANCELED:
                self._end(run, "job canceled", lambda: self._transport.finish_canceled(run.job))
            case StopCause.GIVEN_BACK:
                self._end(run, "job given back", lambda: self._transport.release(run.job))
            case StopCause.LEASE_LOST:
                raise LeaseLost
            case None:
                self._fail(run, "The driver stopped without being asked to", DRIVER_ERROR)

    def _end(self, run: JobRun, words: str, tell: Callable[[], None]) -> None:
        """Send the rest of the log, then the end. Raises LeaseLost, BuildCanceled."""
        run.insist(run.flush)
        if run.cause is StopCause.LEASE_LOST:
            raise LeaseLost
        run.insist(tell)
        tracing.add(outcome=words)
        logger.info(words)

    def _shut_down(self) -> None:
        """Let the running jobs finish for the grace, then give them back."""
        self._wait_for_jobs(self._options.grace, stops=2)
        for run in list(self._runs.values()):
            run.stop(StopCause.GIVEN_BACK)
        self._wait_for_jobs(self._options.give_back, stops=3)
        for run in list(self._runs.values()):
            run.abandoned.set()

    def _wait_for_jobs(self, seconds: float, *, stops: int) -> None:
        """Wait until no job runs, at most that long or until that many signals came."""
        deadline = time.monotonic() + seconds
        while self._runs and self._stops < stops and (left := deadline - time.monotonic()) > 0:
            self._wait(left)

    def _say_goodbye(self) -> None:
        try:
            self._transport.goodbye()
        except TransportUnavailable:
            logger.warning("cannot say goodbye: the queue is away")


def _give_up(words: str) -> None:
    tracing.add(outcome=words)
    tracing.fail(words)
    logger.warning(words)
