"""Know the processes of this checkout: the services `make run` started, and workspaces.

A pid alone proves nothing after a crash, so each is kept with its time of birth.
"""

import json
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from workspaces.provisioner.drivers.processes import find_processes

_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


class Record:
    """The file that lists the running launcher and its services."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "run" / "services.json"

    def write(self, pids: dict[str, int]) -> None:
        entries = {}
        for name, pid in pids.items():
            with suppress(psutil.NoSuchProcess):
                entries[name] = [pid, psutil.Process(pid).create_time()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(entries))
        draft.replace(self.path)

    def alive(self) -> dict[str, psutil.Process]:
        """Return the recorded processes that still live, by name."""
        found = {}
        for name, (pid, born) in self._read().items():
            with suppress(*_GONE):
                process = psutil.Process(pid)
                if process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE:
                    found[name] = process
        return found

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, tuple[int, float]]:
        try:
            entries = json.loads(self.path.read_text())
            return {name: (int(pid), float(born)) for name, (pid, born) in entries.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}  # none, or damaged


def running_workspaces(workspaces_dir: Path) -> int:
    """Count the workspaces that have a living process."""
    names = {entry.name for entry in workspaces_dir.glob("*/")}
    return len(find_processes(names))


def end(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Ask the processes to end, then make them."""
    waiting = [process for process in processes if process.pid != os.getpid()]
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5)):
        for process in waiting:
            with suppress(*_GONE):
                process.send_signal(number)
        _, waiting = psutil.wait_procs(waiting, timeout=patience)
