"""The alias `snapshot`: frozen and read-only from its first statement."""

import pytest
from django.db import connections, transaction
from django.db.utils import InternalError

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def show(name: str) -> str:
    with connections["snapshot"].cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


def test_it_is_another_connection_to_the_same_database():
    default, snapshot = connections["default"], connections["snapshot"]
    assert default is not snapshot
    assert default.settings_dict["NAME"] == snapshot.settings_dict["NAME"]


def test_its_transactions_are_repeatable_read_and_read_only():
    with transaction.atomic(using="snapshot"):
        assert show("transaction_isolation") == "repeatable read"
        assert show("transaction_read_only") == "on"


def test_outside_of_a_transaction_it_is_read_only_too():
    assert show("transaction_read_only") == "on"
    assert show("default_transaction_isolation") == "repeatable read"


def test_it_refuses_writes():
    with (
        pytest.raises(InternalError, match="read-only transaction"),
        transaction.atomic(using="snapshot"),
        connections["snapshot"].cursor() as cursor,
    ):
        cursor.execute("CREATE TABLE refused (id int)")


def test_it_does_not_see_what_is_committed_after_its_first_statement():
    count = "SELECT count(*) FROM django_site_probe"
    with connections["default"].cursor() as writer:
        writer.execute("CREATE TABLE django_site_probe (id int)")
        try:
            with transaction.atomic(using="snapshot"), connections["snapshot"].cursor() as reader:
                reader.execute(count)
                before = reader.fetchone()
                writer.execute("INSERT INTO django_site_probe VALUES (1)")
                reader.execute(count)
                assert reader.fetchone() == before == (0,)
        finally:
            writer.execute("DROP TABLE django_site_probe")


def test_the_default_alias_still_writes_with_read_committed():
    with connections["default"].cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
