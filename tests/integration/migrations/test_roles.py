"""deploy/postgresql/roles.sql: the role the product runs as works, and cannot touch the past."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import Error, IntegrityError, ProgrammingError, connections, transaction
from django.utils import timezone

from accounts.models import AuditEntry
from config.embedded_postgres import installation
from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.models import ReconcileRun, Trigger
from tests import factories
from tests.scratch import scratch_database
from workspaces.listening import connection_params
from workspaces.models import Workspace

ROLES_SQL = Path(__file__).resolve().parents[3] / "deploy" / "postgresql" / "roles.sql"
OWNER, APP = "prebuilds_owner", "prebuilds_app"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "snapshot"]),
    pytest.mark.skipif(
        "embedded" not in settings.DATABASES["default"]["ENGINE"],
        reason="needs a server that lets every role in",
    ),
]

FORBIDDEN = (
    "UPDATE accounts_auditentry SET action = 'nothing'",
    "DELETE FROM accounts_auditentry",
    "TRUNCATE accounts_auditentry",
    "ALTER TABLE accounts_auditentry DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_is_append_only ON accounts_auditentry",
    (
        "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN OLD; END $$"
    ),
    (
        "CREATE TRIGGER late AFTER INSERT ON accounts_auditentry"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    ),
    "SET session_replication_role = replica",
    "SET ROLE prebuilds_owner",
    "ALTER TABLE accounts_auditentry OWNER TO prebuilds_app",
    "DROP TABLE accounts_auditentry CASCADE",
    "CREATE TABLE mine (id int)",
)


@contextmanager
def connected_as(role: str) -> Iterator[None]:
    """Let every new connection of this process be the role's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "SUPERUSER", role)
        connections.close_all()
        try:
            yield
        finally:
            connections.close_all()


def execute(statement: str) -> None:
    with transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute(statement)


def is_refused(statement: str) -> bool:
    try:
        execute(statement)
    except ProgrammingError as error:
        return "permission denied" in str(error) or "must be owner" in str(error)
    return False


def apply_roles() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(ROLES_SQL.read_text())


def may_do_to_audit(role: str) -> set[str]:
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
            " 'REFERENCES', 'TRIGGER']) AS privilege"
            " WHERE has_table_privilege(%s, 'accounts_auditentry', privilege)",
            [role],
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.fixture
def _two_roles() -> Iterator[None]:
    """A new database, made by its owner, after the roles were."""
    try:
        with scratch_database("roles"), pytest.MonkeyPatch.context() as patch:
            name = connections["default"].settings_dict["NAME"]
            patch.setitem(connections["snapshot"].settings_dict, "NAME", name)
            apply_roles()
            with connected_as(OWNER):
                call_command("migrate", verbosity=0, interactive=False)
            yield
    finally:
        with psycopg.connect(**{**connection_params(), "dbname": "postgres"}) as admin:
            admin.execute(f"DROP ROLE IF EXISTS {OWNER}")
            admin.execute(f"DROP ROLE IF EXISTS {APP}")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("_two_roles")
def test_the_application_role_runs_the_product_and_only_adds_to_the_audit_log() -> None:
    with connected_as(APP):
        preset = factories.preset_of(factories.make_template())
        cycle = reconciler.run_cycle(
            trigger=Trigger.PERSON, policy=current_policy(), clock=timezone.now
        )
        factories.finish_all_jobs()
        for workspace in Workspace.objects.all():
            factories.make_agent_ready(workspace)
        factories.claim_prebuild(preset)
        factories.pause()
        call_command("setup_schedules", verbosity=0)

        assert cycle.lock_acquired
        assert ReconcileRun.objects.count() == 1
        assert AuditEntry.objects.exists()
        before = list(AuditEntry.objects.values())
        assert [each for each in FORBIDDEN if not is_refused(each)] == []
        execute("GRANT DELETE ON accounts_auditentry TO prebuilds_app")  # a warning, no more
        assert list(AuditEntry.objects.values()) == before

    assert may_do_to_audit(APP) == {"SELECT", "INSERT"}


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("_two_roles")
def test_even_the_owner_meets_the_triggers_and_the_file_can_be_run_again() -> None:
    apply_roles()
    with connected_as(OWNER):
        factories.pause()

        for statement in FORBIDDEN[:3]:
            with pytest.raises(IntegrityError, match="audit entries are append-only"):
                execute(statement)

        assert AuditEntry.objects.exists()
    assert may_do_to_audit(APP) == {"SELECT", "INSERT"}


def test_nobody_empties_the_log_of_one_role_either() -> None:
    factories.pause()

    with pytest.raises(Error, match="audit entries are append-only"):
        execute("TRUNCATE accounts_user CASCADE")

    assert AuditEntry.objects.exists()
