"""The web server as the Procfile starts it, on the benchmark's database."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from django.conf import settings
from django.utils import timezone

from accounts.enums import TokenScope
from accounts.models import User
from accounts.services import tokens

ROOT = Path(__file__).resolve().parents[1]


class WebServer:
    """One uvicorn process while the block lasts."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.port = self._port

    def __enter__(self) -> Self:
        self._log = Path(settings.PREBUILDS_DATA_DIR, "web.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "config.asgi:application", "--lifespan", "off"]
            + ["--no-access-log", "--port", str(self._port)],
            cwd=ROOT,
            env=os.environ | {"PREBUILDS_INSECURE_HTTP": "1", "PREBUILDS_API_RATE": "0"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_it_answers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        if error is not None:
            print(Path(self._log.name).read_text()[-2_000:], file=sys.stderr)

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until and self._process.poll() is None:
            try:
                httpx.get(f"{self.url}/api/v2/buildinfo", timeout=2)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(Path(self._log.name).read_text()[-2_000:])


def make_token(user: User) -> str:
    """Return the secret of a token that may use workspaces."""
    _, secret = tokens.create_token(
        user=user, name="bench", scope=TokenScope.MANAGE, expires_at=None, now=timezone.now()
    )
    return secret
