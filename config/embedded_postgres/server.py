"""Start and stop one private PostgreSQL per data directory, shared by all its processes.

Rules. Whoever connects first starts it. Whoever leaves last stops it: at its end every process
asks the server itself (pg_stat_activity) whether others are connected, so a crash falsifies
nothing. What outlives kill -9 is adopted by the next process. A lock file serializes all of this.
"""

import atexit
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from django.db import connections

from config.embedded_postgres import files, installation
from config.embedded_postgres.errors import ServerError
from config.embedded_postgres.postmaster import Postmaster, disarm_stale_files, find_postmaster

START_SECONDS = 30
STOP_SECONDS = 30
# Backends notice the death of a killed server one by one; until then a new one refuses to start.
ORPHANS = "pre-existing shared memory block"
ORPHANS_SECONDS = 15
OTHER_CLIENTS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_leaving: set[tuple[int, Path]] = set()


@dataclass(frozen=True)
class Server:
    data_dir: Path

    def ensure_running(self) -> Path:
        """Return the socket's folder of a running server, started when there is none."""
        self._stop_when_leaving()
        found = self.find()
        if found and found.ready:
            return found.socket_dir
        with self._locked():
            found = self.find() or self._start()
            return (found if found.ready else self._wait_until_ready()).socket_dir

    def find(self) -> Postmaster | None:
        return find_postmaster(self._home)

    def stop(self) -> bool:
        """Stop the server, whoever uses it. Return whether there was one."""
        with self._locked():
            return self._stop()

    def stop_if_unused(self) -> bool:
        """Stop the server unless somebody is connected. Return whether it stopped."""
        if not self.find():
            return False
        with self._locked():
            found = self.find()
            return found is not None and self._other_clients(found) == 0 and self._stop()

    @property
    def _home(self) -> Path:
        return self.data_dir.resolve()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._home.with_name("postgres.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ServerError(
                f"cannot write {path}: {error.strerror}; check PREBUILDS_DATA_DIR"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _start(self) -> Postmaster:
        installation.open_installation()
        files.prepare(self._home)
        disarm_stale_files(self._home)
        deadline = time.monotonic() + ORPHANS_SECONDS
        while problem := self._launch():
            if ORPHANS not in problem or time.monotonic() > deadline:
                raise self._failure(problem)
            time.sleep(0.2)
        return self._wait_until_ready()

    def _launch(self) -> str:
        """Start once. Return an empty text, or the log's last lines."""
        log = files.log_path(self._home)
        before = log.stat().st_size if log.exists() else 0
        done = installation.run(
            "pg_ctl",
            *("-D", str(self._home), "-l", str(log), "-w", "-t", str(START_SECONDS), "start"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.DEVNULL,
        )
        return "" if done.returncode == 0 else files.tail(log, before) or "pg_ctl start failed"

    def _wait_until_ready(self) -> Postmaster:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = self.find()
            if found is None:
                return self._start()
            if found.ready:
                return found
            time.sleep(0.05)
        raise self._failure(f"not ready after {START_SECONDS} seconds")

    def _failure(self, problem: str) -> ServerError:
        log = files.log_path(self._home)
        return ServerError(f"the embedded PostgreSQL cannot start; its log is {log}: {problem}")

    def _stop(self) -> bool:
        """Ask for a fast shutdown: SIGINT, what `pg_ctl -m fast` sends too.

        The signal needs no access to the data directory, whose parents may have been closed to
        the server's user in the meantime.
        """
        found = self.find()
        if found is None:
            return False
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(found.pid)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired as error:
                raise ServerError(
                    f"the embedded PostgreSQL (pid {found.pid}) did not stop within "
                    f"{STOP_SECONDS} seconds; its log is {files.log_path(self._home)}"
                ) from error
        return True

    def _other_clients(self, found: Postmaster) -> int:
        try:
            with psycopg.connect(
                host=str(found.socket_dir),
                user=installation.SUPERUSER,
                dbname="postgres",
                connect_timeout=5,
            ) as connection:
                row = connection.execute(OTHER_CLIENTS).fetchone()
        except psycopg.OperationalError:
            return 1  # it does not answer now: leave it to others
        return int(row[0]) if row else 0

    def _stop_when_leaving(self) -> None:
        """Register once per process; a forked child must not act on its parent's promise."""
        key = (os.getpid(), self.data_dir)
        if key not in _leaving:
            _leaving.add(key)
            atexit.register(_leave, *key)


def configured_server() -> Server:
    """Return the server of the settings' data directory."""
    from django.conf import settings

    return Server(Path(settings.DATABASES["default"]["DATA_DIR"]))


def server_is_running() -> bool:
    return configured_server().find() is not None


def stop_server() -> bool:
    """Stop the server, whoever uses it. Return whether there was one."""
    return configured_server().stop()


def stop_if_unused() -> bool:
    """Stop the server unless somebody is connected. Return whether it stopped."""
    return configured_server().stop_if_unused()


def _leave(pid: int, data_dir: Path) -> None:
    if pid != os.getpid():
        return
    for connection in connections.all(initialized_only=True):
        connection.close()
        if getattr(connection, "pool", None):
            connection.close_pool()  # type: ignore[attr-defined]
    try:
        Server(data_dir).stop_if_unused()
    except ServerError:
        return  # leaving it running is better than a traceback at the very end
