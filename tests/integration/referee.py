"""Ask the database whether it refuses a change, and which constraint did."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

Attempt = Callable[[], Any]


def run(sql: str, *parameters: Any) -> int:
    """Run one statement past the ORM and return how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


def check_deferred() -> None:
    """Ask at once what the commit would ask, then defer again."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def assert_refused(constraint: str, attempt: Attempt) -> None:
    """Assert that the constraint, and no other, makes the attempt impossible to commit."""
    with pytest.raises(IntegrityError) as refusal:
        _commit(attempt)
    assert constraint in str(refusal.value)


def _commit(attempt: Attempt) -> None:
    with transaction.atomic():
        attempt()
        check_deferred()


def constraints_of(app: str, *, implied: Iterable[str] = ()) -> set[str]:
    """Return the names of the constraints an app's models declare, but for the implied ones.

    Implied: unique anyway because the primary key is in it; there for a composite foreign key.
    """
    declared = {
        constraint.name
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
    }
    return declared - set(implied)
