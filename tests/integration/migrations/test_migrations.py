"""Forwards, back to nothing, and forwards again, with and without rows (issue 2)."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections

from accounts.audit import Actor
from prebuilds import services
from tests import factories
from tests.factories import NOON
from tests.scratch import scratch_database

OURS = ("accounts", "templates_app", "workspaces", "prebuilds")
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def migrate(*target: str) -> None:
    call_command("migrate", *target, verbosity=0, interactive=False)


def tables() -> set[str]:
    names = connections["default"].introspection.table_names()
    return {one for one in names if one.startswith(OURS)}


def leftovers() -> set[str]:
    """Return our functions and triggers that are still there."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND proname ~ '^(ring|refuse|machine|enter|leave)'"
            " UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        )
        return {row[0] for row in cursor.fetchall()}


def structure() -> list[tuple[str, ...]]:
    """Return every column, constraint, index and trigger of our tables, comparable."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            """
            SELECT 'column', table_name, column_name, data_type || is_nullable
              FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL
            SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
              FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'index', tablename, indexname, indexdef
              FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL
            SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
              FROM pg_trigger WHERE NOT tgisinternal
            ORDER BY 1, 2, 3, 4
            """
        )
        return cursor.fetchall()


def fill() -> None:
    """Make something of everything: pools, a claim, a deletion, a pause."""
    factories.make_baseline()
    template = factories.make_template()
    preset = factories.preset_of(template)
    factories.make_ready_prebuilds(preset, 2, now=NOON)
    factories.claim_prebuild(preset, now=NOON)
    factories.finish_all_jobs(now=NOON)
    factories.make_workspace(template=template, now=NOON)
    services.pause_reconciliation(
        actor=Actor(user=factories.make_user(), source="page"),
        reason="because",
        until=None,
        now=NOON,
    )


def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0, stdout=StringIO())


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_forwards_and_backwards_on_an_empty_and_then_on_a_filled_database():
    with scratch_database("scratch_for_migrations"):
        migrate()
        first = structure()
        migrate("accounts", "zero")
        assert tables() | leftovers() == set()

        migrate()
        assert structure() == first
        fill()
        migrate("accounts", "zero")
        assert tables() | leftovers() == set()

        migrate()
        assert structure() == first
        fill()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_without_constraints_and_bells_and_with_them_again_every_row_is_kept():
    with scratch_database("scratch_for_rows", copy=True):
        fill()
        # The tables of prebuilds need those constraints, so they go and come again, empty.
        kept = [app for app in OURS if app != "prebuilds"]
        models = [model for app in kept for model in apps.get_app_config(app).get_models()]
        before = {model: model._base_manager.count() for model in models}
        first = structure()

        migrate("workspaces", "0001")
        migrate()

        assert {model: model._base_manager.count() for model in models} == before
        assert structure() == first


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_index_whose_making_was_cut_off_is_made_anew():
    """What is left of it is there, invalid, and no migration is written down."""
    with scratch_database("scratch_for_an_index", copy=True):
        first = structure()
        migrate("workspaces", "0011")
        with connections["default"].cursor() as cursor:
            cursor.execute("CREATE INDEX workspace_pool ON workspaces_workspace (name)")
            cursor.execute(
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'workspace_pool'::regclass"
            )

        migrate()

        assert structure() == first
