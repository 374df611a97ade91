"""The agent's state directory: what it is told (config.json) and what it tells (status.json).

The driver on the same machine reads status.json, so it is replaced whole, never half-written.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG, STATUS, LOG = "config.json", "status.json", "startup.log"


@dataclass(frozen=True)
class Config:
    """Where the server is, the secret to reach it, and the workspace's own directories."""

    access_url: str
    token: str
    work_dir: Path
    home_dir: Path
    temp_dir: Path


def read_config(directory: Path) -> Config:
    values = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    return Config(
        access_url=values["access_url"],
        token=values["token"],
        work_dir=Path(values["work_dir"]),
        home_dir=Path(values["home_dir"]),
        temp_dir=Path(values["temp_dir"]),
    )


class StatusFile:
    """What the agent last did, for whoever is on the same machine."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / STATUS

    def write(
        self,
        state: str,
        *,
        generation: int,
        owner_id: str = "",
        exit_code: int | None = None,
        message: str = "",
    ) -> None:
        content: dict[str, Any] = {
            "generation": generation,
            "state": state,
            "exit_code": exit_code,
            "owner_id": owner_id,
            "message": message,
            "at": timestamp(),
        }
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(self._path)


def timestamp() -> str:
    """Return this instant in UTC as ISO 8601 with microseconds."""
    now = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{seconds}.{int(now % 1 * 1e6):06d}+00:00"
