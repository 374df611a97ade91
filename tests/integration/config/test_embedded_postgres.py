"""The embedded server as its users meet it: many at once, killed, moved deep, misconfigured."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from config.embedded_postgres import installation
from config.embedded_postgres.errors import ServerError
from config.embedded_postgres.postmaster import find_postmaster
from config.embedded_postgres.server import Server

ROOT = Path(__file__).resolve().parents[3]
CONNECT = """
import sys, django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_postmaster_start_time()::text, current_database()")
    print(*cursor.fetchone(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "postgres")
    yield server
    server.stop()


@pytest.fixture
def environment(clean_environment, server) -> dict[str, str]:
    return clean_environment | {
        "PREBUILDS_DEBUG": "1",
        "PREBUILDS_DATA_DIR": str(server.data_dir.parent),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def start_client(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CONNECT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)


def query(socket_dir: Path, statement: str) -> object:
    parameters = {"host": str(socket_dir), "user": "postgres", "dbname": "prebuilds"}
    with psycopg.connect(**parameters, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def kill_everything(server: Server) -> None:
    """What kill -9 of a whole machine leaves: no process, and a postmaster.pid."""
    postmaster = psutil.Process(server.find().pid)
    tree = [postmaster, *postmaster.children(recursive=True)]
    for process in tree:
        with suppress(psutil.NoSuchProcess):  # a child notices that the postmaster is gone
            process.kill()
    deadline = time.monotonic() + 10
    while any(is_alive(process) for process in tree):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_six_first_starts_at_once_share_one_server_and_the_last_one_out_stops_it(
    environment, server
):
    clients = [start_client(environment) for _ in range(6)]
    answers = [client.stdout.readline().strip() for client in clients]
    for client in clients[:-1]:
        client.communicate()
    assert len(set(answers)) == 1
    assert answers[0].endswith(" prebuilds")
    assert server.find()
    clients[-1].communicate()
    assert [client.returncode for client in clients] == [0] * 6
    assert server.find() is None


def test_a_server_in_use_is_not_stopped_by_who_leaves(server):
    socket_dir = server.ensure_running()
    with psycopg.connect(host=str(socket_dir), user="postgres", dbname="prebuilds"):
        assert not server.stop_if_unused()
    time.sleep(0.1)
    assert server.stop_if_unused()


def test_it_starts_again_after_kill_9_of_everything(server):
    socket_dir = server.ensure_running()
    query(socket_dir, "CREATE DATABASE kept")
    kill_everything(server)
    assert server.find() is None
    assert query(server.ensure_running(), "SELECT oid > 0 FROM pg_database WHERE datname = 'kept'")


def test_it_starts_again_when_a_stale_pid_now_belongs_to_another_process(server):
    server.ensure_running()
    kill_everything(server)
    file = server.data_dir / "postmaster.pid"
    _, *rest = file.read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "60"], **installation.credentials())
    try:
        file.write_text("\n".join([str(stranger.pid), *rest, ""]))
        assert query(server.ensure_running(), "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_postmaster_is_replaced_once_its_backends_are_gone(server):
    server.ensure_running()
    os.kill(server.find().pid, signal.SIGKILL)
    while server.find():
        time.sleep(0.001)
    assert query(server.ensure_running(), "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_works_and_stays_private(tmp_path):
    deep = tmp_path.joinpath(*["a rather long folder name"] * 6)
    deep.mkdir(parents=True)
    server = Server(deep / "postgres")
    try:
        socket_dir = server.ensure_running()
        assert query(socket_dir, "SELECT 1") == 1
        assert not socket_dir.is_relative_to(deep)
        assert socket_dir.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()


def test_a_folder_with_other_things_is_left_alone(server):
    server.data_dir.mkdir()
    (server.data_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(ServerError, match="neither empty nor"):
        server.ensure_running()
    assert (server.data_dir / "thesis.txt").exists()


def test_a_server_that_cannot_start_says_why_and_where_its_log_is(environment, server):
    server.ensure_running()
    server.stop()
    with (server.data_dir / "postgresql.conf").open("a") as file:
        file.write("work_mem = banana\n")
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--skip-checks"],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(server.data_dir / "log") in line
    assert "banana" in line


def test_the_programs_that_came_along_are_found():
    assert os.access(installation.bin_path("psql"), os.X_OK)
    assert os.access(installation.bin_path("pgbench"), os.X_OK)


def test_a_half_made_directory_is_made_again(server):
    draft = server.data_dir.with_name("postgres.new")
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    assert query(server.ensure_running(), "SELECT 1") == 1
    assert find_postmaster(server.data_dir)
    assert not draft.exists()
