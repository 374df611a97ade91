"""A whole installation in a directory of its own: server, reconciler, daemon, as real processes.

Everything it starts listens on loopback, is bounded in time and is stopped by `close`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx

from config.embedded_postgres.server import Server
from workspaces.provisioner.drivers.local import stop_all_workspaces

ROOT = Path(__file__).resolve().parents[2]
Value = TypeVar("Value")

WEB = ["-m", "uvicorn", "config.asgi:application", "--no-access-log"]
SERVICES = {
    "web": WEB,
    "second web": WEB,
    "reconciler": ["manage.py", "reconcile", "--loop"],
    "provisioner": ["manage.py", "provisioner", "--grace", "5"],
    "worker": ["manage.py", "worker"],
}


class Installation:
    """One installation. `start` and `kill` take the names of SERVICES."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.ports = {"web": self.port, "second web": free_port()}
        self.url = f"http://127.0.0.1:{self.port}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = _clean_environment() | {
            "PREBUILDS_DEBUG": "1",
            "PREBUILDS_DATA_DIR": str(home),
            "PREBUILDS_PORT": str(self.port),
            **settings,
        }

    def manage(self, *words: str, stdin: str = "") -> str:
        """Run a management command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def run_python(self, code: str) -> str:
        """Run a few lines inside the product and return what they print."""
        return self.manage("shell", "--verbosity", "0", "--command", code)

    def start(self, *names: str) -> None:
        for name in names:
            port = self.ports.get(name)
            words = [*SERVICES[name], *(["--port", str(port)] if port else [])]
            log = (self.home / f"{name}.log").open("ab")
            self._processes[name] = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            log.close()
        for name in self.ports.keys() & set(names):
            eventually(partial(self._answers, self.ports[name]), bool, seconds=20)

    def kill(self, name: str) -> None:
        """kill -9: the process gets no chance to say goodbye."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def terminate(self, name: str) -> None:
        """Ask a service to end, and do not wait for it."""
        self._processes[name].send_signal(signal.SIGTERM)

    def stop(self, name: str, *, signals: int = 1) -> int:
        """Ask a service to end, unless it was asked before, and return its exit code."""
        process = self._processes.pop(name)
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
        return process.wait(timeout=40)

    def close(self) -> None:
        for name in list(self._processes):
            self.kill(name)
        stop_all_workspaces(self.home / "workspaces")
        Server(self.home / "postgres").stop()

    def pools(self) -> dict[str, dict[str, Any]]:
        """Return "template / preset version" → state, as the dry run sees it."""
        plan = json.loads(self.manage("reconcile", "--dry-run", "--json"))
        return {f"{one['template']} / {one['preset']} {one['version']}": one for one in plan}

    def client(self, username: str, *, scope: str = "use") -> httpx.Client:
        """Return an HTTP client signed in as somebody by a token."""
        token = self.manage("create_token", username, "--scope", scope)
        return httpx.Client(
            base_url=f"{self.url}/api/v2",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )

    def logs(self) -> str:
        """Return the tail of every service's log, for a failure's message."""
        tails = [path.read_text()[-2_000:] for path in sorted(self.home.glob("*.log"))]
        return "\n".join(tails)

    def _answers(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/sign-in/", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


def eventually(
    look: Callable[[], Value], is_so: Callable[[Value], bool], *, seconds: float
) -> Value:
    """Look again and again until it is so; fail with what was seen last when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if is_so(seen):
            return seen
        assert time.monotonic() < deadline, f"not so after {seconds} s; last seen: {seen}"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _clean_environment() -> dict[str, str]:
    ours = ("PREBUILDS_", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
