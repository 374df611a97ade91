"""Drivers at work on real processes, against a server on loopback that plays the agents' part."""

import threading
from dataclasses import replace
from uuid import UUID, uuid4

import psutil
import pytest

from tests.unit.workspaces.agent.agent_server import AgentServer
from workspaces.protocol import AcquiredJob
from workspaces.provisioner.drivers.local import LocalDriver, stop_all_workspaces


class FakeContext:
    """Remembers what a driver said."""

    def __init__(self):
        self.stopping = threading.Event()
        self.lines = []
        self.reported = []

    def log(self, output, *, stage, level="info"):
        self.lines.append(output)

    def report_resources(self, resources):
        self.reported.append(list(resources))


@pytest.fixture
def server():
    server = AgentServer()
    yield server
    server.stop()


@pytest.fixture
def context():
    return FakeContext()


@pytest.fixture
def root(tmp_path):
    yield tmp_path / "workspaces"
    stop_all_workspaces(tmp_path / "workspaces", grace=0.5)


@pytest.fixture
def driver(root):
    return LocalDriver(root, poll_seconds=0.02, stop_grace=1.0, start_slack=1.0)


class Site:
    """One workspace and the jobs about it."""

    def __init__(self, root, server):
        self.id: UUID = uuid4()
        self.path = root / str(self.id)
        self.work = self.path / "work"
        self._server = server
        server.manifest["workspace_id"] = str(self.id)

    def job(self, script="", *, transition="start", stage="prebuild_create", **changes):
        self._server.manifest["startup_script"] = script
        self._server.manifest["startup_timeout_seconds"] = changes.get(
            "startup_timeout_seconds", 30
        )
        job = AcquiredJob(
            job_id=uuid4(),
            lease=uuid4(),
            build_id=uuid4(),
            build_number=1,
            workspace_id=self.id,
            workspace_name="prebuild-x",
            owner_id=uuid4(),
            owner_name="prebuilds",
            template_name="docs",
            template_version="v1",
            transition=transition,
            stage=stage,
            source_files={},
            startup_script=script,
            startup_timeout_seconds=30,
            parameters={},
            provisioner_state={},
            access_url=self._server.url,
        )
        return replace(job, **changes)

    def claim(self):
        return self.job(stage="prebuild_claim")

    def stop(self):
        return self.job(transition="stop", stage="none")

    def delete(self):
        return self.job(transition="delete", stage="none")

    def processes(self):
        """Return the living processes that carry this workspace's mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process):
        try:
            marked = process.environ().get("PREBUILDS_WORKSPACE_ID") == str(self.id)
            return marked and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def site(root, server):
    return Site(root, server)
