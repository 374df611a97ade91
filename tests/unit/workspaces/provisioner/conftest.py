"""A daemon with a queue and a driver that only remember what happened."""

import threading
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.unit.workspaces.agent.agent_server import wait_for
from workspaces.errors import LeaseLost
from workspaces.protocol import AcquiredJob, BuildCanceled, BuildResult, DaemonProfile
from workspaces.provisioner.daemon import Daemon, DaemonOptions
from workspaces.provisioner.keeper import Rhythm
from workspaces.provisioner.transport import KeyRefused, TransportUnavailable


def make_job(**changes):
    job = AcquiredJob(
        job_id=uuid4(),
        lease=uuid4(),
        build_id=uuid4(),
        build_number=1,
        workspace_id=uuid4(),
        workspace_name="w",
        owner_id=uuid4(),
        owner_name="alice",
        template_name="t",
        template_version="v1",
        transition="start",
        stage="none",
        source_files={},
        startup_script="",
        startup_timeout_seconds=30,
        parameters={},
        provisioner_state={},
        access_url="http://127.0.0.1:1",
    )
    return replace(job, **changes)


class FakeTransport:
    """A queue in memory; `away` names the calls that fail for now, `lost` those out of lease.

    `refused` names the calls for which the key is no longer good.
    """

    def __init__(self):
        self.pending = deque()
        self.ended = {}
        self.logs = []
        self.calls = []
        self.cancel_requested = set()
        self.lost = set()
        self.away = set()
        self.refused = set()
        self.waits = []
        self._guard = threading.Lock()

    def add(self, *jobs):
        self.pending.extend(jobs)
        return jobs

    def _note(self, name, job=None):
        with self._guard:
            self.calls.append(name)
        if name in self.away:
            raise TransportUnavailable("server closed the connection")
        if name in self.refused:
            raise KeyRefused("revoked")
        if job and job.job_id in self.lost:
            raise LeaseLost

    def _end(self, name, job, *details):
        self._note(name, job)
        assert job.job_id not in self.ended
        self.ended[job.job_id] = (name, *details)

    def register(self, profile):
        self._note("register")

    def touch(self):
        self._note("touch")

    def goodbye(self):
        self._note("goodbye")

    def reap(self):
        self._note("reap")
        return 0

    def acquire(self, *, wait):
        self.waits.append(wait)
        self._note("acquire")
        return self.pending.popleft() if self.pending else None

    def interrupt(self):
        self._note("interrupt")

    def heartbeat(self, job):
        self._note("heartbeat", job)
        return job.job_id in self.cancel_requested

    def append_logs(self, job, lines):
        self._note("append_logs", job)
        self.logs += [line.output for line in lines]

    def report_resources(self, job, resources):
        self._note("report_resources", job)

    def complete(self, job, result):
        self._end("complete", job)

    def fail(self, job, *, error, code):
        self._end("fail", job, error, code)

    def finish_canceled(self, job):
        self._end("finish_canceled", job)

    def release(self, job):
        self._end("release", job)


class FakeDriver:
    """Builds until it is told to go on, or to stop."""

    def __init__(self):
        self.go_on = threading.Event()
        self.running = set()
        self.most = 0
        self.deaf = False
        self.script = None
        self._guard = threading.Lock()

    def build(self, job, context):
        with self._guard:
            self.running.add(job.job_id)
            self.most = max(self.most, len(self.running))
        try:
            return self._build(job, context)
        finally:
            with self._guard:
                self.running.discard(job.job_id)

    def _build(self, job, context):
        if self.script:
            self.script(job, context)
        while not self.go_on.wait(0.01):
            if context.stopping.is_set() and not self.deaf:
                raise BuildCanceled
        return BuildResult(provisioner_state={})


class Bell:
    """A wake-up that is rung by hand."""

    def __init__(self):
        self._rung = threading.Semaphore(0)

    def ring(self):
        self._rung.release()

    def wait(self, timeout):
        return self._rung.acquire(timeout=timeout)


class Running:
    """A daemon in a thread, with everything it talks to."""

    def __init__(self):
        self.transport, self.driver, self.bell = FakeTransport(), FakeDriver(), Bell()
        self.daemon = None
        self.refusal = None

    def start(self, *, concurrency=2, poll=(0.02, 0.04), **options):
        options.setdefault("rhythm", Rhythm(logs=0.02, heartbeat=0.05, reap=0.1))
        profile = DaemonProfile(
            name="d",
            hostname="h",
            version="1",
            provisioner_types=["local"],
            tags={},
            concurrency=concurrency,
        )
        self.daemon = Daemon(
            profile=profile,
            transport=self.transport,
            driver=self.driver,
            wake_up=self.bell,
            clock=lambda: datetime.now(UTC),
            options=DaemonOptions(poll=poll, **options),
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.daemon.run()
        except KeyRefused as refusal:
            self.refusal = str(refusal)

    def is_alive(self):
        return self._thread.is_alive()

    def wait_running(self, count=1):
        wait_for(lambda: len(self.driver.running) == count)

    def stop(self):
        self.daemon.stop()

    def join(self, seconds=5):
        wait_for(lambda: not self.is_alive(), seconds)


@pytest.fixture
def running():
    running = Running()
    yield running
    running.driver.go_on.set()
    running.transport.away.clear()
    if running.daemon:
        running.stop()
        running.stop()
        running.join()
