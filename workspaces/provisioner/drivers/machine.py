"""The id of the place where a driver keeps workspaces, made once and kept beside them.

Whoever finds these workspaces finds this id, and whoever does not finds another.
"""

import fcntl
import os
from pathlib import Path
from typing import Final
from uuid import uuid4

from workspaces.protocol import MACHINE

FILE: Final = ".machine"


class BadMachineFile(OSError):
    """The file that holds the id holds none; to make another would strand what is there."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} does not hold the id of a machine. Put the file back as it was; without it, "
            "remove it, and forget the old machine (manage.py provisioners forget-machine)."
        )


def find_machine(root: Path) -> str:
    """Return the id kept in a directory, which is made with it where there is none.

    Two that begin at once agree: one makes it, under a lock, whole or not at all. Raises OSError.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        file = root / FILE
        if not file.exists():
            _write(file, str(uuid4()))
            os.fsync(descriptor)
        return _read(file)
    finally:
        os.close(descriptor)


def _write(file: Path, machine: str) -> None:
    draft = file.with_name(f"{FILE}.new")
    with draft.open("w", encoding="ascii") as text:
        text.write(f"{machine}\n")
        text.flush()
        os.fsync(text.fileno())
    draft.replace(file)


def _read(file: Path) -> str:
    machine = file.read_text(encoding="utf-8", errors="replace").strip()
    if not MACHINE.fullmatch(machine):
        raise BadMachineFile(file)
    return machine
