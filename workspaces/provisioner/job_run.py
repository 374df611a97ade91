"""One job in this daemon's hands: what is told of it, and why it may have to stop."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum

from accounts.system import PREBUILDS_USER_ID
from workspaces import tracing
from workspaces.errors import LeaseLost
from workspaces.protocol import (
    LOG_TOTAL_LIMIT,
    AcquiredJob,
    BuildCanceled,
    LogLine,
    ResourceReport,
    fit_log,
)
from workspaces.provisioner.transport import Transport, TransportUnavailable

logger = logging.getLogger(__name__)

BATCH = 500
RETRY_FIRST, RETRY_MOST = 0.1, 2.0


class StopCause(Enum):
    """Why a job's work has to end early."""

    CANCELED = "canceled"
    LEASE_LOST = "lease lost"
    GIVEN_BACK = "given back"


class JobRun:
    """A driver's BuildContext. The driver's thread and the keeper's thread both use it."""

    def __init__(
        self, job: AcquiredJob, transport: Transport, clock: Callable[[], datetime]
    ) -> None:
        self.job = job
        self.stopping = threading.Event()
        self.abandoned = threading.Event()
        """Set when nobody will wait for the end of this job any more."""
        self.cause: StopCause | None = None
        self._transport = transport
        self._clock = clock
        self._lines: list[LogLine] = []
        self._room = LOG_TOTAL_LIMIT
        self._guard = threading.Lock()
        self._sending = threading.Lock()

    def stop(self, cause: StopCause) -> None:
        """Ask the driver to end. A lost lease overrides every other cause; else the first wins."""
        with self._guard:
            if self.cause is None or cause is StopCause.LEASE_LOST:
                self.cause = cause
        self.stopping.set()

    def log(self, output: str, *, stage: str, level: str = "info") -> None:
        """Keep lines for the keeper to send, up to LOG_TOTAL_LIMIT characters."""
        now = self._clock()
        with self._guard:
            lines = [
                LogLine(at=now, level=level, stage=stage, output=text)
                for text in output.splitlines() or [""]
            ]
            self._lines += fit_log(lines, room=self._room)
            # A newline counts too, else a flood of empty lines would have no end.
            self._room -= sum(len(line.output) + 1 for line in lines)

    def report_resources(self, resources: Sequence[ResourceReport]) -> None:
        """Report now: the caller counts on it. Raises BuildCanceled when the work must end."""
        try:
            self.insist(lambda: self._transport.report_resources(self.job, resources))
        except LeaseLost as lost:
            self.stop(StopCause.LEASE_LOST)
            raise BuildCanceled from lost

    def insist(self, call: Callable[[], None]) -> None:
        """Call until the queue is reachable. Raises LeaseLost, or BuildCanceled when abandoned."""
        delay = RETRY_FIRST
        while True:
            try:
                return call()
            except TransportUnavailable as problem:
                logger.warning("the queue is away", extra={"reason": str(problem)})
            if self.abandoned.wait(delay):
                raise BuildCanceled
            delay = min(delay * 2, RETRY_MOST)

    def beat(self) -> None:
        """Keep the lease, and learn whether to stop. Raises TransportUnavailable."""
        try:
            if self._transport.heartbeat(self.job):
                self.stop(StopCause.CANCELED)
        except LeaseLost:
            self.stop(StopCause.LEASE_LOST)

    def flush(self) -> None:
        """Send the lines kept so far, in order. Raises TransportUnavailable."""
        with self._sending:
            while lines := self._lines[:BATCH]:
                try:
                    self._transport.append_logs(self.job, lines)
                except LeaseLost:
                    self.stop(StopCause.LEASE_LOST)
                    return
                with self._guard:
                    del self._lines[: len(lines)]


def fields_of(job: AcquiredJob) -> dict[str, str]:
    """Return what the log lines of a job have in common."""
    return {
        "job_id": str(job.job_id),
        "workspace": job.workspace_name,
        "transition": job.transition,
        "stage": job.stage,
    }


def cause_of(job: AcquiredJob) -> tracing.Cause:
    """Return what asked for a job: a person for theirs, a cycle for many prebuilds at once."""
    return tracing.Cause(
        traceparent=job.traceparent, is_one_of_many=job.owner_id == PREBUILDS_USER_ID
    )


def facts_of(job: AcquiredJob) -> dict[str, tracing.Fact]:
    """Return what the span of a job tells."""
    return {
        **fields_of(job),
        "build_id": job.build_id,
        "build_number": job.build_number,
        "workspace_id": job.workspace_id,
        "user_id": job.owner_id,
        "template": job.template_name,
        "template_version": job.template_version,
    }
