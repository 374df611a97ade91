"""A database of a test's own beside the one all tests share."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connections
from psycopg import sql

from workspaces.listening import connection_params


@contextmanager
def scratch_database(name: str, *, copy: bool = False) -> Iterator[None]:
    """Point the default connection at a new database, empty or a copy of the tests' own.

    A copy needs the tests' database to itself for a moment.
    """
    default = connections["default"]
    connections.close_all()
    before, server = default.settings_dict["NAME"], connection_params()
    name = f"{name}_{before}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    template = sql.SQL(" TEMPLATE {}").format(sql.Identifier(before)) if copy else sql.SQL("")
    with psycopg.connect(**{**server, "dbname": "postgres"}, autocommit=True) as admin:
        admin.execute(drop)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + template)
        default.settings_dict["NAME"] = name
        try:
            yield
        finally:
            connections.close_all()
            default.settings_dict["NAME"] = before
            admin.execute(drop)
