"""One workspace's place on disk: its files, and in `.agent/` what makes its processes one thing.

Nothing outside this room knows the layout.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from workspaces.protocol import BuildCanceled
from workspaces.provisioner.drivers.processes import ProcessIdentity

TAIL_LINES, TAIL_CHARACTERS = 20, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """What the agent last wrote about itself."""

    generation: int
    state: str
    message: str


class WorkspaceDirectory:
    """The directory of one workspace; making one touches nothing."""

    def __init__(self, root: Path, workspace_id: UUID | str) -> None:
        self.path = root / str(workspace_id)
        self.work = self.path / "work"
        self.state = self.path / ".agent"
        self._places = {"work_dir": self.work, "home_dir": self.path / "home"}
        self._places["temp_dir"] = self.path / "tmp"

    @contextmanager
    def locked(self, stopping: threading.Event) -> Iterator[None]:
        """Keep other builds of this workspace out; makes the directory.

        Only a build whose lease was lost can still be at work. Raises BuildCanceled when
        `stopping` is set while waiting.
        """
        descriptor = self._open()
        try:
            while not self._try_lock(descriptor):
                if stopping.wait(0.05):
                    raise BuildCanceled
                os.close(descriptor)
                descriptor = self._open()
            yield
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.path, os.O_RDONLY)

    def _try_lock(self, descriptor: int) -> bool:
        """Lock; false when it is taken, or when the directory was removed meanwhile."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except (BlockingIOError, FileNotFoundError):
            return False

    def prepare(self) -> None:
        for place in (*self._places.values(), self.state):
            place.mkdir(mode=0o700, exist_ok=True)

    def write_config(self, *, access_url: str, token: str) -> None:
        """Tell the agent where the server is and its secret; nobody else may read it."""
        places = {name: str(place) for name, place in self._places.items()}
        self._write("config.json", {"access_url": access_url, "token": token, **places})

    def read_token(self) -> str:
        """Return the agent's secret, or nothing when there never was an agent."""
        return str(self._read("config.json").get("token", ""))

    def write_process(self, identity: ProcessIdentity, build_id: UUID) -> None:
        values = {"pid": identity.pid, "create_time": identity.create_time}
        self._write("process.json", {**values, "build_id": str(build_id)})

    def read_process(self) -> ProcessIdentity | None:
        return ProcessIdentity.parse(self._read("process.json"))

    def read_status(self) -> AgentStatus | None:
        values = self._read("status.json")
        if not values:
            return None
        return AgentStatus(
            generation=int(values["generation"]),
            state=str(values["state"]),
            message=str(values["message"]),
        )

    def forget_run(self) -> None:
        """Remove what the last run of the agent left to be read."""
        for name in ("status.json", "process.json", "startup.log", "startup.log.1", "agent.log"):
            (self.state / name).unlink(missing_ok=True)

    @contextmanager
    def open_output(self) -> Iterator[int]:
        """Open the file for the agent's own, rare words."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        descriptor = os.open(self.state / "agent.log", flags, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def read_tail(self) -> str:
        """Return the end of the start-up log; without one, of the agent's own output."""
        return _tail(self.state / "startup.log") or _tail(self.state / "agent.log")

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        draft = self.state / f"{name}.new"
        with suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file)
        draft.replace(self.state / name)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            values = json.loads((self.state / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL_CHARACTERS * 4, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = text.rstrip().splitlines()[-TAIL_LINES:]
    return "\n".join(lines)[-TAIL_CHARACTERS:].lstrip()
