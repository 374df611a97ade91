"""What stands in for `snapshot` behind a pooler: read-only and frozen by its BEGIN alone."""

from copy import deepcopy

import pytest
from django.db import InternalError, connections

from config.database import databases
from config.read_only_postgres.base import DatabaseWrapper
from workspaces.listening import connection_params

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def snapshot(tmp_path):
    """A connection as `snapshot` is behind a pooler, to the tests' own database."""
    there = connection_params()
    url = "postgresql://someone@nowhere/x"
    made = databases(url, tmp_path, ["manage.py"], 0, url)["snapshot"]
    given = deepcopy(connections["default"].settings_dict) | made
    given |= {"HOST": there["host"], "USER": there["user"], "NAME": there["dbname"], "PORT": ""}
    wrapper = DatabaseWrapper(given, "default")
    yield wrapper
    wrapper.close()


def show(wrapper, name):
    with wrapper.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


def test_its_transactions_are_repeatable_read_and_read_only(snapshot):
    snapshot.set_autocommit(False)

    assert show(snapshot, "transaction_isolation") == "repeatable read"
    assert show(snapshot, "transaction_read_only") == "on"


def test_it_refuses_writes(snapshot):
    snapshot.set_autocommit(False)

    with pytest.raises(InternalError, match="read-only transaction"), snapshot.cursor() as cursor:
        cursor.execute("CREATE TABLE refused (id int)")


def test_the_session_itself_is_left_as_the_pooler_gave_it(snapshot):
    assert show(snapshot, "default_transaction_read_only") == "off"
