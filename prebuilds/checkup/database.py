"""Is the database there, is it one we can use, and do its bells reach us."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

from prebuilds.checkup.findings import Finding, Visit, bad, skipped, warn, well
from prebuilds.checkup.statements import Server, read_server
from workspaces.listening import connection_params

OLDEST_VERSION: Final = 140_000
SKEW_WORTH_A_WORD: Final = timedelta(seconds=2)
BELL_SECONDS: Final = 3.0

# At most, of one process each, as they were counted (docs/operations.md).
BESIDE_THE_POOL: Final = 7
"""A web process' LISTEN connection, its snapshots, and its connections without a pool."""
WITHOUT_A_POOL: Final = 40
OF_A_CYCLE: Final = 3
OF_THE_WORKER: Final = 6
OF_A_DAEMON: Final = 3
MOST_CYCLE_THREADS: Final = 5


def check_database(visit: Visit) -> Iterator[Finding]:
    """Reachable, new enough, writable, in UTC, with a clock like ours."""
    before = visit.clock()
    server = read_server()
    after = visit.clock()
    yield judge_version(server)
    if server.is_read_only:
        yield bad(
            "the server takes no writes: it is a standby", "let DATABASE_URL name the primary"
        )
    if server.time_zone != "UTC":
        yield bad(
            f"sessions are in the time zone {server.time_zone}, not UTC",
            "ALTER ROLE … SET timezone = 'UTC', or let the pooler pass the client's setting on",
        )
    yield judge_clock(server.clock - (before + (after - before) / 2), trip=after - before)


def judge_version(server: Server) -> Finding:
    """PostgreSQL 14 is the oldest we know to work."""
    if server.version_number < OLDEST_VERSION:
        return bad(f"PostgreSQL {server.version} is too old", "upgrade to PostgreSQL 14 or newer")
    return well(f"PostgreSQL {server.version} answers")


def judge_clock(skew: timedelta, *, trip: timedelta) -> Finding:
    """Compare the clocks; how long the answer took is how wrong the comparison may be."""
    if abs(skew) <= SKEW_WORTH_A_WORD + trip / 2:
        return well("its clock agrees with this machine's")
    word = "ahead of" if skew > timedelta(0) else "behind"
    seconds = abs(skew.total_seconds())
    return warn(
        f"its clock is {seconds:.1f} s {word} this machine's",
        "let both machines follow the same time server (timedatectl set-ntp true)",
    )


def check_connections(visit: Visit) -> Iterator[Finding]:
    """As many connections as one of each process may want."""
    if "direct" in settings.DATABASES:
        yield skipped("a pooler is in front; its own pool sizes are what counts")
        return
    yield judge_connections(
        read_server(),
        needed=connections_needed(
            settings.PREBUILDS_DATABASE_POOL_SIZE, settings.PREBUILDS_PROVISIONER_CONCURRENCY
        ),
    )


def connections_needed(pool_size: int, concurrency: int) -> int:
    """Return how many connections one web process, reconciler, worker and daemon want at most."""
    threads = min(max(pool_size // 2, 1), MOST_CYCLE_THREADS)
    web = (pool_size or WITHOUT_A_POOL) + BESIDE_THE_POOL
    cycles = 2 * (OF_A_CYCLE + threads)  # the reconciler's, and the worker's
    return web + cycles + OF_THE_WORKER + concurrency + OF_A_DAEMON


def judge_connections(server: Server, *, needed: int) -> Finding:
    """Compare what is allowed and not taken by others with what is needed."""
    free = server.connections_allowed - server.connections_of_others
    text = f"{free} connections are ours to use; one of each process wants at most {needed}"
    if free < needed:
        advice = "raise max_connections, lower PREBUILDS_DATABASE_POOL_SIZE, or use a pooler"
        return warn(text, advice)
    return well(text)


def check_bells(visit: Visit) -> Iterator[Finding]:
    """Ring for real: a pooler in between takes LISTEN and never passes anything on."""
    channel = f"doctor_{uuid4().hex}"
    with (
        psycopg.connect(**_bounded(connection_params()), autocommit=True) as hearing,
        psycopg.connect(**_bounded(connection_params("default")), autocommit=True) as ringing,
    ):
        hearing.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        ringing.execute("SELECT pg_notify(%s, '')", [channel])
        heard = list(hearing.notifies(timeout=BELL_SECONDS, stop_after=1))
    yield judge_bells(heard=bool(heard), has_direct="direct" in connections.settings)


def judge_bells(*, heard: bool, has_direct: bool) -> Finding:
    """Without bells everything still happens, a minute late."""
    if heard:
        return well("LISTEN hears what is NOTIFYed")
    if has_direct:
        return bad(
            "LISTEN hears nothing",
            "PREBUILDS_DIRECT_DATABASE_URL must name the same database, past the pooler",
        )
    return bad(
        "LISTEN hears nothing: a pooler that pools transactions seems to be in between",
        "set PREBUILDS_DIRECT_DATABASE_URL to the server itself, or pool sessions",
    )


def _bounded(params: dict[str, Any]) -> dict[str, Any]:
    return params | {"connect_timeout": 5}
