"""The real worker with the installed schedules runs cycles by itself, and ends when asked."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.installation import ROOT, Installation, eventually

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(120)]

HEALTH = """
import json
from django.test import RequestFactory
from prebuilds.api.health import healthz
answer = healthz(RequestFactory().get("/healthz"))
print(answer.status_code, json.loads(answer.content)["last_cycle"])
"""

RUNS = """
from prebuilds.models import ReconcileRun
for run in ReconcileRun.objects.filter(trigger="schedule"):
    print(run.lock_acquired, run.completed_at is not None, repr(run.error))
"""


@pytest.fixture
def installation() -> Iterator[Installation]:
    """A migrated installation with its schedules, as a deployment leaves it."""
    with tempfile.TemporaryDirectory(prefix="prebuilds-worker-") as directory:
        made = Installation(Path(directory))
        try:
            made.manage("migrate", "--verbosity", "0")
            made.manage("setup_schedules")
            yield made
        finally:
            made.close()


@pytest.fixture
def worker(installation: Installation) -> Iterator["subprocess.Popen[bytes]"]:
    with (installation.home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=ROOT,
            env=installation.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    if process.poll() is None:
        process.kill()  # the cluster notices that its parent died
    process.wait()


def test_a_worker_runs_a_scheduled_cycle_by_itself_and_ends_soon_when_asked(installation, worker):
    assert installation.run_python(HEALTH) == "503 none yet"

    runs = eventually(lambda: installation.run_python(RUNS), bool, seconds=45)

    assert set(runs.splitlines()) == {"True True ''"}, installation.logs()
    assert installation.run_python(HEALTH) == "200 ok"
    assert worker.poll() is None, installation.logs()
    # The server may have been started beneath the worker; it leaves with its last client.
    cluster = [
        child
        for child in psutil.Process(worker.pid).children(recursive=True)
        if child.name() not in {"postgres", "pg_ctl"}
    ]
    assert cluster
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(timeout=15) == 0, installation.logs()
    _, alive = psutil.wait_procs(cluster, timeout=5)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
