"""The data directory: made whole or not at all, configured before every start.

Only the server's user may enter it (0700), and the socket with it: who can reach the socket is
superuser of the database without a password.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from config.embedded_postgres import installation
from config.embedded_postgres.errors import ServerError

DATABASE = "prebuilds"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = (
    100  # the kernel's is 107 bytes on Linux, 103 on macOS; temporary names add some
)
LOG_KEEP_BYTES = 10_000_000
CONFIGURATION = """\
# Written by config/embedded_postgres before every start; edits are lost.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
log_line_prefix = '%m [%p] %a '
timezone = 'UTC'
log_timezone = 'UTC'
"""


def log_path(home: Path) -> Path:
    return home / "log"


def tail(log: Path, offset: int = 0, lines: int = 4) -> str:
    """Return the last lines written after the offset, as one line."""
    try:
        with log.open(errors="replace") as file:
            file.seek(max(offset, log.stat().st_size - 4000))
            return " | ".join(line.strip() for line in file.read().splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def prepare(home: Path) -> None:
    """Make the data directory when missing; write the configuration; keep the log short."""
    home.parent.mkdir(parents=True, exist_ok=True)
    installation.let_server_user_pass(home)
    if not (home / "PG_VERSION").exists():
        _create(home)
    installation.give_to_server_user(home)
    directory = str(_socket_dir(home)).replace("'", "''")
    (home / "prebuilds.conf").write_text(CONFIGURATION.format(socket_dir=f'"{directory}"'))
    installation.give_to_server_user(home / "prebuilds.conf")
    log = log_path(home)
    if log.exists() and log.stat().st_size > LOG_KEEP_BYTES:
        log.replace(home / "log.old")


def _create(home: Path) -> None:
    """Build beside the final place and rename: a killed initdb leaves nothing half made."""
    if home.exists() and any(home.iterdir()):
        raise ServerError(f"{home} is neither empty nor a PostgreSQL data directory; move it away")
    draft = home.with_name(f"{home.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    installation.give_to_server_user(draft)
    _check(
        installation.run(
            "initdb",
            *("-D", str(draft), "-U", installation.SUPERUSER, "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
            capture_output=True,
        )
    )
    with (draft / "postgresql.conf").open("a") as file:
        file.write("include_if_exists = 'prebuilds.conf'\n")
    _check(
        installation.run(
            "postgres",
            *("--single", "-D", str(draft), "postgres"),
            input=f"CREATE DATABASE {DATABASE}\n",
            capture_output=True,
        )
    )
    draft.rename(home)


def _check(done: object) -> None:
    returncode, stderr = done.returncode, done.stderr  # type: ignore[attr-defined]
    if returncode != 0:
        reason = " | ".join(stderr.strip().splitlines()[-4:])
        raise ServerError(f"the embedded PostgreSQL cannot be set up: {reason}")


def _socket_dir(home: Path) -> Path:
    """Return the data directory itself, or a private short folder where its path is too long."""
    if len(os.fsencode(home / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return home
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - made private below
        path = parent / f"prebuilds-{digest}"
        if len(os.fsencode(path / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
            return _private_folder(path)
    raise ServerError(f"no folder with a short path for the socket of {home}; set TMPDIR to one")


def _private_folder(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    mine = {os.geteuid(), installation.credentials().get("user", os.geteuid())}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in mine:
        raise ServerError(f"{path} belongs to somebody else; remove it or set TMPDIR")
    path.chmod(0o700)
    installation.let_server_user_pass(path)
    installation.give_to_server_user(path)
    return path
