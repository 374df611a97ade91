"""Which processes belong to this checkout, and what `make run` refuses."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from config.checkout import Record, end, running_workspaces
from config.run import port_problem
from workspaces.provisioner.drivers.processes import MARKER

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that bears the mark of a workspace."""
    identity = str(uuid4())
    (tmp_path / "workspaces" / identity).mkdir(parents=True)
    environment = os.environ | {MARKER: identity}
    process = subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True)
    while psutil.Process(process.pid).name() != "sleep":  # between fork and exec it is still us
        continue
    yield process
    process.kill()
    process.wait()


@pytest.mark.usefixtures("sleeper")
def test_the_workspaces_of_this_checkout_are_counted_and_no_others(tmp_path):
    assert running_workspaces(tmp_path / "workspaces") == 1
    assert running_workspaces(tmp_path / "elsewhere") == 0


def test_a_process_that_is_asked_to_end_ends(sleeper):
    end([psutil.Process(sleeper.pid)], seconds=5)
    assert not psutil.pid_exists(sleeper.pid)


def test_a_recorded_process_is_known_while_it_lives(sleeper, tmp_path):
    record = Record(tmp_path)
    record.write({"web": sleeper.pid})
    assert [p.pid for p in record.alive().values()] == [sleeper.pid]
    sleeper.kill()
    sleeper.wait()
    assert record.alive() == {}


def test_a_pid_that_another_process_has_by_now_is_not_ours(sleeper, tmp_path):
    record = Record(tmp_path)
    record.write({"web": sleeper.pid})
    born = psutil.Process(sleeper.pid).create_time()
    record.path.write_text(json.dumps({"web": [sleeper.pid, born - 60]}))
    assert record.alive() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"web": 1}'])
def test_a_damaged_record_is_an_empty_one(tmp_path, text):
    record = Record(tmp_path)
    record.write({})
    record.path.write_text(text)
    assert record.alive() == {}


def test_a_port_in_use_is_named_with_its_setting_before_anything_starts(
    clean_environment, tmp_path
):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        variables = {
            "PREBUILDS_DEBUG": "1",
            "PREBUILDS_PORT": str(port),
            "PREBUILDS_DATA_DIR": str(tmp_path / "data"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "config.run"],
            cwd=ROOT,
            env=clean_environment | variables,
            text=True,
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"port {port}" in line
    assert "PREBUILDS_PORT" in line
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_free_port_is_no_problem():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert port_problem(port) == ""


def test_we_do_not_end_ourselves():
    end([psutil.Process(os.getpid())], seconds=0)
