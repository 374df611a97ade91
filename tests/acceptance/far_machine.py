"""Where a daemon runs that has an address and a key file, and nothing else."""

import subprocess
import sys
from pathlib import Path

from tests.acceptance.installation import ROOT, Installation
from workspaces.provisioner.drivers.local import stop_all_workspaces

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


class FarMachine:
    """A directory of its own, with its workspaces and the log of its daemons."""

    def __init__(self, home: Path, installation: Installation) -> None:
        self.home = home
        self._url = installation.url
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._environment = installation.environment | {
            "PREBUILDS_DATA_DIR": str(home),
            "DATABASE_URL": NO_DATABASE,
        }

    def start(self, secret: str) -> subprocess.Popen[bytes]:
        file = self.home / "key"
        file.write_text(f"{secret}\n")
        words = ["provisioner", "--url", self._url, "--key-file", str(file), "--grace", "5"]
        with (self.home / "daemon.log").open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._daemons.append(daemon)
        return daemon

    def stop(self, daemon: subprocess.Popen[bytes]) -> int:
        """Ask a daemon to end, and return its exit code."""
        daemon.terminate()
        return daemon.wait(timeout=40)

    def workspaces(self) -> set[str]:
        """Return the ids of the workspaces that have a directory here."""
        return {path.name for path in self.home.glob("workspaces/*-*")}

    def log(self) -> str:
        return (self.home / "daemon.log").read_text()

    def directories_with(self, name: str) -> list[Path]:
        return sorted(path.parent for path in self.home.glob(f"workspaces/*/*/{name}"))

    def close(self) -> None:
        for daemon in self._daemons:
            daemon.kill()
            daemon.wait()
        stop_all_workspaces(self.home / "workspaces")
