"""The real Prometheus: its programs, a server in a directory of its own, and what it is asked.

`make prometheus` brings the programs. Without them its tests are skipped, and fail where CI runs.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.installation import ROOT, free_port

DEPLOY = ROOT / "deploy" / "prometheus"
MISSING = "no {} here; `make prometheus` fetches it from Debian's packages"


def find_program(name: str) -> str:
    """Return the path of `prometheus` or `promtool`; skip without it, fail in CI."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(MISSING.format(name))
    return found


def promtool(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool to its end and return what it said."""
    command = [find_program("promtool"), *map(str, words)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=50, check=False
    )


class Prometheus:
    """One server on loopback that scrapes `ports` each second and evaluates our rules."""

    def __init__(self, home: Path, *, ports: Sequence[int], token: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=10)
        (home / "token").write_text(f"{token}\n")
        (home / "prometheus.yaml").write_text(
            CONFIGURATION.format(
                home=home,
                rules=DEPLOY / "rules.yaml",
                targets=[f"127.0.0.1:{port}" for port in ports],
            )
        )

    def start(self) -> None:
        with (self._home / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    find_program("prometheus"),
                    f"--config.file={self._home / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self._home / 'series'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def close(self) -> None:
        self._client.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of one answer of the HTTP API; nothing while it does not answer."""
        try:
            answer = self._client.get(path, params=parameters)
        except httpx.HTTPError:
            return None
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        assert answer.status_code == httpx.codes.OK, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the labels and the value of each series an expression gives now."""
        data = self.ask("/query", query=expression)
        return [(one["metric"], float(one["value"][1])) for one in data["result"]] if data else []

    def values(self, expression: str) -> list[float]:
        return sorted(value for _, value in self.query(expression))


CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: prebuilds
    authorization: {{credentials_file: "{home}/token"}}
    static_configs: [{{targets: {targets}}}]
"""
