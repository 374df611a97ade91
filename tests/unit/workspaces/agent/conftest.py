"""An agent as a real process, in directories of its own, and the server it talks to."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.unit.workspaces.agent.agent_server import AgentServer, wait_for

AGENT = Path(__file__).parents[4] / "workspaces" / "agent"


@pytest.fixture
def server():
    server = AgentServer()
    yield server
    server.stop()


class AgentProcess:
    """The agent program, started from its folder as a driver does."""

    def __init__(self, directory, python=sys.executable):
        self.directory = directory
        self.state = directory / ".agent"
        self.work = directory / "work"
        self._python = python
        for folder in (self.state, self.work, directory / "home", directory / "tmp"):
            folder.mkdir(parents=True)

    def start(self, server):
        config = {
            "access_url": server.url,
            "token": "the-token",
            "work_dir": str(self.work),
            "home_dir": str(self.directory / "home"),
            "temp_dir": str(self.directory / "tmp"),
        }
        (self.state / "config.json").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [self._python, "-I", str(AGENT), "--dir", str(self.state)],
            env={
                "PATH": os.environ["PATH"],
                "PREBUILDS_WORKSPACE_ID": "w1",
                "DATABASE_URL": "postgres://secret",
            },
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._members = [psutil.Process(self.process.pid)]
        return self

    @property
    def status(self):
        with suppress(FileNotFoundError):
            return json.loads((self.state / "status.json").read_text())
        return {"generation": 0, "state": "", "owner_id": ""}

    @property
    def log(self):
        return (self.state / "startup.log").read_text()

    def wait_for_state(self, state, generation=1, seconds=10):
        wait_for(
            lambda: (self.status["state"], self.status["generation"]) == (state, generation),
            seconds,
        )

    def watch(self, pid):
        """Have a process the script left behind ended with the test."""
        self._members.append(psutil.Process(pid))
        return self._members[-1]

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def end(self):
        for member in [child for one in self._members for child in _tree(one)]:
            with suppress(psutil.Error):
                member.kill()
        self.process.wait(10)


def _tree(process):
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


@pytest.fixture
def agent(tmp_path):
    agent = AgentProcess(tmp_path / "w1")
    yield agent
    agent.end()
