"""What `make run` and `make stop` do: check, prepare, start the Procfile, stop it, say so.

`python -m config.run` runs until Ctrl-C; `python -m config.run stop` ends everything of this
checkout, its workspaces and its PostgreSQL included.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import django
import psutil
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from honcho import manager
from honcho.environ import parse_procfile

from config.checkout import Record, end, running_workspaces
from config.command_line import complain, describe, use_settings
from workspaces.provisioner.drivers.local import stop_all_workspaces

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 30  # the provisioner finishes its builds or gives them back
TRY_IT = {
    "PREBUILDS_BACKOFF_INTERVAL": "15s",
    "PREBUILDS_READY_TIMEOUT": "45s",
    "PREBUILDS_MAX_IN_FLIGHT": "10",
}
EMBEDDED = "config.embedded_postgres"


def main(arguments: list[str]) -> int:
    use_settings()
    try:
        return stop() if arguments == ["stop"] else start()
    except OperationalError as error:
        complain(describe(error))
    except CommandError as error:
        complain(error)
    except KeyboardInterrupt:
        return 130
    return 1


def start() -> int:
    # Whoever tries the product wants to see a pool break within minutes, not within an hour.
    os.environ.update({name: os.environ.get(name, value) for name, value in TRY_IT.items()})
    from django.conf import settings

    record = Record(settings.PREBUILDS_DATA_DIR)
    if running := record.alive():
        complain(f"already running: {_names(running)}; `make stop` ends it")
        return 1
    if problem := port_problem(settings.PREBUILDS_PORT):
        complain(problem)
        return 1
    record.write({"launcher": os.getpid()})
    try:
        prepare()
        services = Services(record, settings.PREBUILDS_PORT)
        services.loop()
        end_story(services.story)
    finally:
        record.remove()
        _say_what_stays(settings.PREBUILDS_WORKSPACES_DIR)
    return 0 if services.returncode in {130, 143} else services.returncode or 0


def stop() -> int:
    from django.conf import settings

    record = Record(settings.PREBUILDS_DATA_DIR)
    services = record.alive()
    if launcher := services.get("launcher"):
        end([launcher], seconds=STOP_SECONDS + 10)
    end(services.values(), seconds=STOP_SECONDS)
    workspaces = stop_all_workspaces(settings.PREBUILDS_WORKSPACES_DIR)
    record.remove()
    database = stop_database()
    print(f"stopped: {_names(services)}; workspaces: {workspaces}; PostgreSQL: {database}")
    return 0


def stop_database() -> str:
    from django.conf import settings

    if settings.DATABASES["default"]["ENGINE"] != EMBEDDED:
        return "not ours (DATABASE_URL)"
    from config.embedded_postgres.server import stop_server

    return "stopped" if stop_server() else "was not running"


def port_problem(port: int) -> str:
    """Say what is wrong with the port; empty when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = (error.strerror or "").lower()
            return f"port {port}: {reason}; free it or set PREBUILDS_PORT to another"
    return ""


def prepare() -> None:
    """Bring the database up to date, load the demo into an empty one, let go of the connection."""
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("setup_schedules")
    call_command("demo", "--if-empty")
    connections.close_all()  # honcho forks


def play_demo() -> "subprocess.Popen[bytes]":
    """Let the demo's story play beside the services; it ends by itself, soon if told before."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--play"], cwd=ROOT, start_new_session=True
    )


def end_story(story: "subprocess.Popen[bytes] | None") -> None:
    """End the story when Ctrl-C comes in the middle of it."""
    if story is not None and story.poll() is None:
        story.terminate()
        story.wait()


class Services(manager.Manager):
    """The Procfile's processes under honcho, whose signal handling needs them all to be started."""

    def __init__(self, record: Record, port: int) -> None:
        manager.KILL_WAIT = STOP_SECONDS
        super().__init__()
        self._record = record
        self._port = port
        self._announced = False
        self.story: subprocess.Popen[bytes] | None = None
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PREBUILDS_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        }
        for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
            self.add_process(name, command, env=environment, cwd=str(ROOT))

    def terminate(self) -> None:
        if super()._all_started():
            super().terminate()

    def _all_started(self) -> bool:
        started: bool = super()._all_started()
        if started and not self._announced:
            self._announced = True
            pids = {name: entry["pid"] for name, entry in self._processes.items()}
            self._record.write({"launcher": os.getpid()} | pids)
            threading.Thread(target=announce, args=(self._port,), daemon=True).start()
            self.story = play_demo()
        if started and self.returncode is not None:
            self.terminate()  # Ctrl-C came before the last one had started
        return started


def announce(port: int) -> None:
    """Print the address once the server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                print(
                    f"\n  Prebuilds is at http://127.0.0.1:{port}  (Ctrl-C stops it)\n", flush=True
                )
                return
        time.sleep(0.2)


def _say_what_stays(workspaces_dir: Path) -> None:
    if staying := running_workspaces(workspaces_dir):
        print(f"workspaces that keep running: {staying}; `make stop` ends them", flush=True)


def _names(processes: dict[str, psutil.Process]) -> str:
    return ", ".join(f"{name} ({process.pid})" for name, process in processes.items()) or "nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
