"""`manage.py worker` ends where a bare qcluster hangs or leaves ghosts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.embedded_postgres.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.serial]
ROOT = Path(__file__).resolve().parents[3]
PROCESSES = 6  # qcluster, sentinel, pusher, monitor, 2 workers


@pytest.fixture
def worker(clean_environment, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = clean_environment | {
        "PREBUILDS_DEBUG": "1",
        "PREBUILDS_DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py"]
    subprocess.run(
        [*command, "migrate", "django_q", "-v0", "--skip-checks"],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    process = subprocess.Popen(
        [*command, "worker"], cwd=ROOT, env=environment, start_new_session=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    Server(tmp_path / "postgres").stop()


def wait_for_cluster(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the cluster's processes once all have started and connected."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and worker.poll() is None:
        found = [
            child
            for child in psutil.Process(worker.pid).children(recursive=True)
            if child.name() not in {"postgres", "pg_ctl"}  # the database starts beneath the first
        ]
        if len(found) >= PROCESSES:
            time.sleep(1)  # its signal handlers come after its children
            return found
        time.sleep(0.1)
    raise AssertionError("the cluster did not start")


def wait_until_gone(processes: list[psutil.Process], seconds: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_ends_it_within_seconds(worker, number):
    cluster = wait_for_cluster(worker)
    os.killpg(worker.pid, number)
    assert worker.wait(timeout=15) == 0
    wait_until_gone(cluster, 5)


def test_killing_the_wrapper_ends_the_cluster_too(worker):
    cluster = wait_for_cluster(worker)
    worker.kill()
    wait_until_gone(cluster, 15)


def test_when_the_cluster_dies_the_wrapper_leaves_no_ghosts_and_fails(worker):
    cluster = wait_for_cluster(worker)
    psutil.Process(worker.pid).children()[0].kill()
    assert worker.wait(timeout=15) != 0
    wait_until_gone(cluster, 5)
