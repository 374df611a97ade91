"""Run a workspace's start-up script in an environment of its own.

The script's end is what counts, not its pipe's: what it leaves running in the background is the
workspace and keeps running.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from .client import Manifest
from .output import Reader, StartLog
from .state import Config

MARKER = "PREBUILDS_WORKSPACE_ID"
"""The variable by which a driver recognises every process of a workspace."""
OWN_GROUP: dict[str, Any] = (
    {"process_group": 0} if sys.version_info >= (3, 11) else {"preexec_fn": os.setpgrp}
)
"""A group of its own, so that it can be killed whole; but in the agent's session, by which a
driver finds even a process that wiped its environment."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Script:
    """One run of a script, as the leader of its own process group."""

    def __init__(
        self, manifest: Manifest, config: Config, log: StartLog, on_exit: Callable[[], None]
    ) -> None:
        self.exit_code: int | None = None
        self._on_exit = on_exit
        read_end, write_end = os.pipe()
        try:
            self._process = self._start(manifest, config, write_end)
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._reader = Reader(read_end, log)
        self._reader.start()
        threading.Thread(target=self._wait, name="script", daemon=True).start()

    @staticmethod
    def _start(manifest: Manifest, config: Config, output: int) -> subprocess.Popen[bytes]:
        shell = shutil.which("bash") or "/bin/sh"
        file = config.temp_dir / "startup.sh"
        file.write_text(manifest.startup_script.replace("\r\n", "\n"), encoding="utf-8")
        return subprocess.Popen(
            [shell, str(file)],
            cwd=config.work_dir,
            env=environment(manifest, config),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **OWN_GROUP,
        )

    def _wait(self) -> None:
        code = self._process.wait()
        self._reader.drain()
        self.exit_code = code
        self._on_exit()

    def kill(self) -> None:
        """End the script and what it started; what left its process group is the driver's."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def environment(manifest: Manifest, config: Config) -> dict[str, str]:
    """Return the script's variables: the template's, the parameters and the workspace's own."""
    parameters = {parameter_variable(k): v for k, v in manifest.parameters.items()}
    variables = {
        "PATH": os.environ.get("PATH", DEFAULT_PATH),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": str(config.home_dir),
        "TMPDIR": str(config.temp_dir),
        **manifest.environment,
        **parameters,
        "WORKSPACE_ID": manifest.workspace_id,
        "WORKSPACE_NAME": manifest.workspace_name,
        "WORKSPACE_OWNER": manifest.owner_name,
        "WORKSPACE_DIR": str(config.work_dir),
        MARKER: manifest.workspace_id,
    }
    return {k: v for k, v in variables.items() if k and "=" not in k and "\0" not in k + v}


def parameter_variable(name: str) -> str:
    return "PARAMETER_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
