"""Empty the tables after a transactional test by DELETE: 10 ms instead of half a second.

TRUNCATE makes new files for some forty tables and as many indexes, and Django then writes its
content types anew. Import the fixture into a conftest; from then on it holds for the session.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import TransactionTestCase

KEPT = {"django_content_type", "auth_permission", "django_migrations"}
"""What migrations wrote and no test changes."""


@pytest.fixture(scope="session", autouse=True)
def delete_instead_of_truncate() -> Iterator[None]:
    """Make Django's own flush after a transactional test a cheap one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _delete_all_rows)
        yield


def delete_all_rows(alias: str) -> None:
    """Empty every table a test may have written to."""
    connection = connections[alias]
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # past the triggers
        cursor.execute("; ".join(f'DELETE FROM "{table}"' for table in set(tables) - KEPT))


def _delete_all_rows(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        delete_all_rows(alias)
