"""Ask PostgreSQL about itself: what no model knows. Reads only."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection

SERVER: Final = """
SELECT current_setting('server_version'),
       current_setting('server_version_num')::int,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int,
       (SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND application_name NOT LIKE 'prebuilds%'
           AND pid <> pg_backend_pid()),
       current_setting('TimeZone'),
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool,
       extract(epoch FROM clock_timestamp())::float
"""

TRIGGERS: Final = """
SELECT trigger.tgname
  FROM pg_trigger AS trigger
  JOIN pg_class AS class ON class.oid = trigger.tgrelid
 WHERE NOT trigger.tgisinternal AND trigger.tgenabled <> 'D'
   AND pg_table_is_visible(class.oid)
"""

LIMIT_STATEMENTS: Final = "SELECT set_config('statement_timeout', %s, true)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How the server describes itself."""

    version: str
    version_number: int
    connections_allowed: int
    connections_of_others: int
    time_zone: str
    is_read_only: bool
    clock: datetime


def read_server() -> Server:
    """Return how the server is; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(SERVER)
        version, number, allowed, others, zone, read_only, clock = cursor.fetchone()
    return Server(
        version=version.split()[0],
        version_number=number,
        connections_allowed=allowed,
        connections_of_others=others,
        time_zone=zone,
        is_read_only=read_only,
        clock=datetime.fromtimestamp(clock, UTC),
    )


def read_triggers() -> set[str]:
    """Return the names of the triggers that fire; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS)
        return {name for (name,) in cursor.fetchall()}


def limit_statements(seconds: float) -> None:
    """Let no statement of this transaction take longer: a table may be locked."""
    with connection.cursor() as cursor:
        cursor.execute(LIMIT_STATEMENTS, [f"{seconds * 1000:.0f}ms"])
