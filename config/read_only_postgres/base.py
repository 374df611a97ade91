"""Django's PostgreSQL backend; psycopg says READ ONLY in each BEGIN.

For the alias `snapshot` behind a transaction pooler, which does not pass on libpq's `options`.
"""

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.read_only = True
        return connection
