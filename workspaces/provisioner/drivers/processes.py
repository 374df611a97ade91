"""Find and end the processes of a workspace, and never anybody else's.

A workspace's processes may leave their group, their session and their parent; what they keep is
the marker in their environment. psutil compares creation times before it sends a signal, so a
process id that was used again is never hit.
"""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MARKER = "PREBUILDS_WORKSPACE_ID"
"""Set for the agent and by the agent for its scripts; see agent/script.py."""
CLOCK_TOLERANCE = 2.0
KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process for good: its id alone may be used again by another."""

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Identify a living process. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "ProcessIdentity | None":
        try:
            return cls(int(values["pid"]), float(values["create_time"]))
        except (KeyError, TypeError, ValueError):
            return None


def find_agent(identity: ProcessIdentity | None, state_dir: Path) -> psutil.Process | None:
    """Return the agent's process when it lives.

    The creation time of a process moves when the machine's clock is set, so an agent that was
    started for the same state directory is recognised by that, too.
    """
    if identity is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(identity.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        same_time = abs(process.create_time() - identity.create_time) < CLOCK_TOLERANCE
        if same_time or str(state_dir) in process.cmdline():
            return process
    return None


def find_processes(
    workspace_ids: Collection[str], agents: Iterable[psutil.Process] = ()
) -> dict[str, list[psutil.Process]]:
    """Return the living processes by workspace: the marked ones, their sessions and children."""
    everyone = list(_list_processes())
    markers = {process.pid: _marker_of(process) for process in everyone}
    owner_of = {pid: marker for pid, marker in markers.items() if marker in workspace_ids}
    owner_of |= {agent.pid: _marker_of(agent) for agent in agents}
    unmarked = [process for process in everyone if not markers[process.pid]]
    _add_relatives(unmarked, owner_of)
    found: dict[str, list[psutil.Process]] = {}
    for process in everyone:
        if (owner := owner_of.get(process.pid)) in workspace_ids and _is_alive(process):
            found.setdefault(str(owner), []).append(process)
    return found


def _list_processes() -> Iterator[psutil.Process]:
    for pid in psutil.pids():
        if pid != os.getpid():
            with suppress(psutil.Error):
                yield psutil.Process(pid)


def _add_relatives(unmarked: list[psutil.Process], owner_of: dict[int, str]) -> None:
    """Add those that wiped their environment but share a session or a parent with a known one."""
    sessions = {_session_of(pid): owner for pid, owner in owner_of.items()}
    for outside in (None, _session_of(os.getpid())):
        sessions.pop(outside, None)
    candidates = [(p.pid, _session_of(p.pid), _parent_of(p)) for p in unmarked]
    grew = True
    while grew:
        grew = False
        for pid, session, parent in candidates:
            owner = sessions.get(session) or owner_of.get(parent)
            if owner and pid not in owner_of:
                owner_of[pid] = owner
                grew = True


def end_processes(
    workspace_ids: Collection[str], agents: Iterable[psutil.Process], *, grace: float
) -> int:
    """End all processes of the workspaces: ask, wait, kill what is left until nothing is.

    Returns how many workspaces had any. Raises TimeoutError when some cannot be killed.
    """
    found = find_processes(workspace_ids, agents)
    remaining = [process for processes in found.values() for process in processes]
    for process in remaining:
        with suppress(psutil.Error):
            process.terminate()
    _wait(remaining, grace)
    deadline = time.monotonic() + KILL_SECONDS
    while remaining := _flatten(find_processes(workspace_ids)) + _living(remaining):
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in remaining)
            raise TimeoutError(f"the processes {pids} cannot be killed")
        for process in remaining:
            with suppress(psutil.Error):
                process.kill()
        _wait(remaining, 1.0)
    return len(found)


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    """Wait until all have ended; a zombie somebody else has to reap counts as ended."""
    deadline = time.monotonic() + seconds
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _is_alive(process)]


def _flatten(found: dict[str, list[psutil.Process]]) -> list[psutil.Process]:
    return [process for processes in found.values() for process in processes]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _marker_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARKER, "")
    except (psutil.Error, OSError):
        return ""


def _parent_of(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
