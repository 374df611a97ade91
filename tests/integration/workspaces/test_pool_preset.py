"""Whose pool a prebuild is in stands in its row, and is true whoever writes."""

from collections import Counter
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from accounts.system import PREBUILDS_USER_ID
from prebuilds import locks
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from workspaces.models import Workspace
from workspaces.services import builds

pytestmark = pytest.mark.django_db


@pytest.fixture
def preset():
    template = factories.make_template(presets=[PresetSpec(name="Small", desired_instances=3)])
    return factories.preset_of(template)


def pools() -> Counter:
    return Counter(Workspace.objects.values_list("pool_preset", flat=True))


def test_a_prebuild_is_in_the_pool_of_its_preset(preset):
    factories.make_ready_prebuilds(preset, 2, now=NOON)

    assert pools() == {preset.pk: 2}


def test_a_workspace_somebody_built_is_in_no_pool(preset):
    factories.make_workspace(template=preset.version.template, now=NOON)

    assert pools() == {None: 1}


def test_a_claimed_prebuild_has_left_the_pool(preset):
    factories.make_ready_prebuilds(preset, 2, now=NOON)

    factories.claim_prebuild(preset, now=NOON)

    assert pools() == {preset.pk: 1, None: 1}


def test_a_deleted_prebuild_has_left_the_pool(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)

    Workspace.objects.update(deleted_at=NOON)

    assert pools() == {None: 1}


def test_a_change_that_is_neither_leaves_it_in_the_pool(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)

    Workspace.objects.update(updated_at=timezone.now())

    assert pools() == {preset.pk: 1}


def test_a_prebuild_of_a_release_that_knows_no_pools_is_in_its_pool_and_can_be_claimed(
    preset, monkeypatch
):
    insert = builds.insert_builds

    def insert_as_before(requests, *, now):
        Workspace.objects.update(pool_preset=None)
        return insert(requests, now=now)

    monkeypatch.setattr(builds, "insert_builds", insert_as_before)
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    monkeypatch.undo()

    assert pools() == {preset.pk: 1}
    assert locks.lock_claimable_prebuild(preset_id=preset.pk, now=NOON) is not None


def test_the_migration_names_the_pools_of_live_prebuilds_alone(preset):
    factories.make_ready_prebuilds(preset, 3, now=NOON)
    factories.claim_prebuild(preset, now=NOON)
    gone = Workspace.objects.filter(owner_id=PREBUILDS_USER_ID).earliest("pk")
    Workspace.objects.filter(pk=gone.pk).update(deleted_at=NOON)
    Workspace.objects.update(pool_preset=None)
    migration = import_module("workspaces.migrations.0012_pools")

    with connection.schema_editor() as editor:
        migration.name_pools(None, editor)
        migration.name_pools(None, editor)

    (live,) = Workspace.objects.filter(owner_id=PREBUILDS_USER_ID, deleted_at=None)
    assert live.pool_preset_id == preset.pk
    assert Workspace.objects.exclude(pool_preset=None).count() == 1
