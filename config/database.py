"""Turn DATABASE_URL, or its absence, into Django's DATABASES.

Two aliases on one database: `default` does the work; `snapshot` is a connection of its own whose
transactions are REPEATABLE READ and READ ONLY from their first statement (the reconcile lock).
Behind a transaction pooler there is a third, `direct`, for LISTEN, which no pooler can carry.
"""

from pathlib import Path, PurePath
from typing import Any

from psycopg import IsolationLevel, ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from config.env import BadSetting

EXAMPLE = "postgresql://user:password@host:5432/prebuilds"
DIRECT = "PREBUILDS_DIRECT_DATABASE_URL"
CONNECT_TIMEOUT_SECONDS = 10
Database = dict[str, Any]


def databases(
    url: str, data_dir: Path, argv: list[str], pool_size: int, direct_url: str = ""
) -> dict[str, Database]:
    base = _from_url(url) if url else _embedded(data_dir)
    base["OPTIONS"].setdefault("application_name", _application_name(argv))
    base["CONN_HEALTH_CHECKS"] = True
    if direct_url:
        return _behind_a_pooler(url, base, direct_url, argv, pool_size)
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


def _behind_a_pooler(
    url: str, base: Database, direct_url: str, argv: list[str], pool_size: int
) -> dict[str, Database]:
    """Ask nothing of DATABASE_URL that lasts longer than a transaction.

    A pooler refuses libpq's `options` or leaves them out; so the READ ONLY of `snapshot` is named
    in each BEGIN by a backend of ours. Prepared statements are off in Django anyway.
    """
    if not url:
        raise BadSetting(f"{DIRECT} is for a pooler: set DATABASE_URL to the pooler's address")
    base |= {"DISABLE_SERVER_SIDE_CURSORS": True}
    snapshot = base | {
        "ENGINE": "config.read_only_postgres",
        "OPTIONS": base["OPTIONS"] | {"isolation_level": IsolationLevel.REPEATABLE_READ},
        "CONN_MAX_AGE": 0,
        "TEST": {"MIRROR": "default"},
    }
    direct = _from_url(direct_url, name=DIRECT) | {"TEST": {"MIRROR": "default"}}
    direct["OPTIONS"].setdefault("application_name", base["OPTIONS"]["application_name"])
    default = base | _lifetime(base, argv, pool_size)
    return {"default": default, "snapshot": snapshot, "direct": direct}


def _embedded(data_dir: Path) -> Database:
    return {
        "ENGINE": "config.embedded_postgres",
        "NAME": "prebuilds",
        "OPTIONS": {},
        "DATA_DIR": data_dir / "postgres",
    }


def _from_url(url: str, *, name: str = "DATABASE_URL") -> Database:
    """Parse with libpq's own rules: percent-encoding, sockets, sslmode and the like.

    Raises BadSetting, which never shows the URL: it may hold a password.
    """
    scheme = url.partition("://")[0]
    if scheme not in {"postgres", "postgresql"} or "://" not in url:
        raise BadSetting(f"{name} must begin with postgresql://, for example {EXAMPLE}")
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        advice = "percent-encode special characters in user and password"
        raise BadSetting(f"{name} is not a valid address: {advice}; see {EXAMPLE}") from None
    database = parts.pop("dbname", "")
    if not database:
        raise BadSetting(f"{name} names no database; add it at the end, as in {EXAMPLE}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database,
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": {"connect_timeout": CONNECT_TIMEOUT_SECONDS} | parts,
    }


def _application_name(argv: list[str]) -> str:
    words = ["prebuilds"] if is_web_server(argv) else ["prebuilds", *argv[1:2]]
    return " ".join(words)[:63]
