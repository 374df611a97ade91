"""Read postmaster.pid, and tell a living server of this data directory from a stale file.

The file survives kill -9 and its number may since belong to any other process.
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

SOCKET_LOCK = ".s.PGSQL.5432.lock"
NO_PROCESS = 2**31 - 1  # greater than any pid


@dataclass(frozen=True)
class Postmaster:
    pid: int
    socket_dir: Path
    status: str

    @property
    def ready(self) -> bool:
        return self.status == "ready"


def find_postmaster(data_dir: Path) -> Postmaster | None:
    """Return the living server of the directory in whatever state; None without one."""
    lines = _lines(_file(data_dir))
    if not lines or not _serves(_number(lines[0]), data_dir):
        return None
    status = lines[7].strip() if len(lines) > 7 else ""
    return Postmaster(_number(lines[0]), _socket_dir(lines) or data_dir, status)


def disarm_stale_files(data_dir: Path) -> None:
    """Replace the pid in what a killed server left: a zombie or a stranger may have it by now.

    PostgreSQL would refuse to start because that process lives. The files themselves stay: by the
    other lines PostgreSQL notices backends that have outlived a killed server.
    """
    lines = _lines(_file(data_dir))
    if not lines or _serves(_number(lines[0]), data_dir):
        return
    _disarm(_file(data_dir))
    for folder in {data_dir, _socket_dir(lines) or data_dir}:
        _disarm(folder / SOCKET_LOCK)


def _disarm(path: Path) -> None:
    if lines := _lines(path):
        path.write_text("\n".join([str(NO_PROCESS), *lines[1:], ""]))


def _socket_dir(lines: list[str]) -> Path | None:
    """A server that has just begun has not written all its lines."""
    return Path(lines[4].strip()) if len(lines) > 4 and lines[4].strip() else None


def _file(data_dir: Path) -> Path:
    return data_dir / "postmaster.pid"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else NO_PROCESS


def _serves(pid: int, data_dir: Path) -> bool:
    try:
        arguments = psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
    program = Path(arguments[0]).name if arguments else ""
    return program == "postgres" and str(data_dir) in arguments
