"""How a daemon reaches the queue: the words, and the twin that sits beside the database.

Things go wrong that a daemon must tell apart: LeaseLost ends the work on one job,
TransportUnavailable passes, and KeyRefused does not pass by waiting.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, connections

from workspaces.protocol import AcquiredJob, BuildResult, DaemonProfile, LogLine, ResourceReport
from workspaces.services import daemons, jobs

Answer = TypeVar("Answer")


class TransportUnavailable(Exception):
    """The queue cannot be reached at the moment. Try again later."""


class KeyRefused(TransportUnavailable):
    """The queue lets this daemon in no more: its key is unknown or was revoked."""


class Transport(Protocol):
    """The queue as a daemon sees it. Every call may raise TransportUnavailable.

    Calls that name a job raise LeaseLost when it is no longer this daemon's. Safe to use from
    several threads.
    """

    def register(self, profile: DaemonProfile) -> None:
        """Introduce the daemon; comes before everything else."""

    def touch(self) -> None:
        """Say that the daemon is alive."""

    def goodbye(self) -> None:
        """Say that the daemon ends."""

    def reap(self) -> int:
        """Fail the jobs of lost daemons; return how many there were."""

    def acquire(self, *, wait: float) -> AcquiredJob | None:
        """Take the next job, or nothing when there is none.

        A queue that is far away waits for one, for at most that many seconds. One that is near
        answers at once, and its bell rings when it is worth asking again.
        """

    def interrupt(self) -> None:
        """Let an acquire that waits come back, now and ever after. For signal handlers."""

    def heartbeat(self, job: AcquiredJob) -> bool:
        """Keep a job; true when somebody asked to cancel it."""

    def append_logs(self, job: AcquiredJob, lines: Sequence[LogLine]) -> None:
        """Add lines to a job's log."""

    def report_resources(self, job: AcquiredJob, resources: Sequence[ResourceReport]) -> None:
        """Make resources and agents known before the build ends."""

    def complete(self, job: AcquiredJob, result: BuildResult) -> None:
        """End a job well."""

    def fail(self, job: AcquiredJob, *, error: str, code: str) -> None:
        """End a job badly."""

    def finish_canceled(self, job: AcquiredJob) -> None:
        """End a job that was asked to stop and did."""

    def release(self, job: AcquiredJob) -> None:
        """Give a job back: somebody else may do it."""


class ServiceTransport:
    """The queue in this process's own database. `clock` says what time it is."""

    def __init__(self, *, access_url: str, clock: Callable[[], datetime]) -> None:
        self._access_url = access_url
        self._clock = clock
        self._daemon_id: UUID | None = None

    def register(self, profile: DaemonProfile) -> None:
        daemon = self._call(daemons.register_daemon, profile=profile)
        self._daemon_id = daemon.pk

    def touch(self) -> None:
        self._call(daemons.touch_daemon, daemon_id=self._daemon_id)

    def goodbye(self) -> None:
        self._call(daemons.retire_daemon, daemon_id=self._daemon_id)

    def reap(self) -> int:
        return len(self._call(jobs.reap_lost_jobs))

    def acquire(self, *, wait: float) -> AcquiredJob | None:
        """Take a job. One thread asks all the time: no job has to wait for its connection."""
        try:
            return self._ask(
                jobs.acquire_job, daemon_id=self._daemon_id, access_url=self._access_url
            )
        finally:
            _keep_connections()

    def interrupt(self) -> None:
        """Nothing to do: acquiring never waits here."""

    def heartbeat(self, job: AcquiredJob) -> bool:
        return self._about(job, jobs.heartbeat_job)

    def append_logs(self, job: AcquiredJob, lines: Sequence[LogLine]) -> None:
        self._about(job, jobs.append_job_logs, lines=lines)

    def report_resources(self, job: AcquiredJob, resources: Sequence[ResourceReport]) -> None:
        self._about(job, jobs.report_resources, resources=resources)

    def complete(self, job: AcquiredJob, result: BuildResult) -> None:
        self._about(job, jobs.complete_job, result=result)

    def fail(self, job: AcquiredJob, *, error: str, code: str) -> None:
        self._about(job, jobs.fail_job, error=error, code=code)

    def finish_canceled(self, job: AcquiredJob) -> None:
        self._about(job, jobs.finish_canceled_job)

    def release(self, job: AcquiredJob) -> None:
        self._about(job, jobs.release_job)

    def _about(self, job: AcquiredJob, call: Callable[..., Answer], **words: Any) -> Answer:
        return self._call(call, job_id=job.job_id, lease=job.lease, **words)

    def _call(self, call: Callable[..., Answer], **words: Any) -> Answer:
        try:
            return self._ask(call, **words)
        finally:
            _give_connections_back()

    def _ask(self, call: Callable[..., Answer], **words: Any) -> Answer:
        try:
            return call(**words, now=self._clock())
        except (OperationalError, InterfaceError) as error:
            raise TransportUnavailable(" ".join(str(error).split())) from error


def _give_connections_back() -> None:
    """Leave no connection with a thread that may not speak for minutes; the pool lends another."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _keep_connections() -> None:
    """Leave connections open but for broken and old ones; the next use looks if they live."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
