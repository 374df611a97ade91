"""Turn DATABASE_URL, or its absence, into Django's DATABASES.

Two aliases on one database: `default` does the work; `snapshot` is a connection of its own whose
transactions are REPEATABLE READ and READ ONLY from their first statement (the reconcile lock).
"""

from pathlib import Path, PurePath
from typing import Any

from psycopg import IsolationLevel, ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from config.env import BadSetting

EXAMPLE = "postgresql://user:password@host:5432/prebuilds"
CONNECT_TIMEOUT_SECONDS = 10
Database = dict[str, Any]


def databases(url: str, data_dir: Path, argv: list[str], pool_size: int) -> dict[str, Database]:
    base = _from_url(url) if url else _embedded(data_dir)
    base["OPTIONS"].setdefault("application_name", _application_name(argv))
    base["CONN_HEALTH_CHECKS"] = True
    return {"default": base | _lifetime(base, argv, pool_size), "snapshot": _snapshot(base)}


def is_web_server(argv: list[str]) -> bool:
    """Say whether this process is uvicorn, the only one that pools connections.

    A pool keeps threads, and threads do not survive a fork: qcluster forks its workers, so there a
    pooled connection would wait for ever. Commands gain nothing from a pool and would hear of an
    unreachable server only after its 30 s timeout. They keep one connection for a minute instead
    (docs/adr/0005).
    """
    path = PurePath(argv[0]) if argv else PurePath()
    return path.name == "uvicorn" or path.parts[-2:] == ("uvicorn", "__main__.py")


def _lifetime(base: Database, argv: list[str], pool_size: int) -> Database:
    if not is_web_server(argv):
        return {"CONN_MAX_AGE": 60}
    if pool_size == 0:
        return {"CONN_MAX_AGE": 0}
    pool = {"min_size": min(2, pool_size), "max_size": pool_size, "timeout": 10}
    return {"CONN_MAX_AGE": 0, "OPTIONS": base["OPTIONS"] | {"pool": pool}}


def _snapshot(base: Database) -> Database:
    """The second connection. Never pooled: one process holds it, for one short transaction.

    psycopg names the isolation level in its BEGIN, so Django's own option is the one that counts
    there; libpq's `options` make it the session's default as well and add READ ONLY.
    """
    settings = (
        "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
        # One connection per cycle or page may hash 100 000 prebuilds without going to disk.
        " -c work_mem=64MB"
    )
    options = base["OPTIONS"] | {
        "isolation_level": IsolationLevel.REPEATABLE_READ,
        "options": f"{base['OPTIONS'].get('options', '')} {settings}".strip(),
    }
    return base | {"OPTIONS": options, "CONN_MAX_AGE": 0, "TEST": {"MIRROR": "default"}}


def _embedded(data_dir: Path) -> Database:
    return {
        "ENGINE": "config.embedded_postgres",
        "NAME": "prebuilds",
        "OPTIONS": {},
        "DATA_DIR": data_dir / "postgres",
    }


def _from_url(url: str) -> Database:
    """Parse with libpq's own rules: percent-encoding, sockets, sslmode and the like.

    Raises BadSetting, which never shows the URL: it may hold a password.
    """
    scheme = url.partition("://")[0]
    if scheme not in {"postgres", "postgresql"} or "://" not in url:
        raise BadSetting(f"DATABASE_URL must begin with postgresql://, for example {EXAMPLE}")
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        advice = "percent-encode special characters in user and password"
        raise BadSetting(f"DATABASE_URL is not a valid address: {advice}; see {EXAMPLE}") from None
    name = parts.pop("dbname", "")
    if not name:
        raise BadSetting(f"DATABASE_URL names no database; add it at the end, as in {EXAMPLE}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": {"connect_timeout": CONNECT_TIMEOUT_SECONDS} | parts,
    }


def _application_name(argv: list[str]) -> str:
    words = ["prebuilds"] if is_web_server(argv) else ["prebuilds", *argv[1:2]]
    return " ".join(words)[:63]
