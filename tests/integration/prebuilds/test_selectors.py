"""What people see of the pools: the reconciler's own numbers, in one word and a sentence."""

from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from prebuilds import selectors
from prebuilds.core.actions import Reason
from prebuilds.execution import deletion
from templates_app.models import Preset, Template
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours
from workspaces.enums import Transition

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


@pytest.fixture
def preset():
    return make_preset()


def make_preset(**spec):
    spec = PresetSpec(**{"name": "Small", "desired_instances": 2, **spec})
    return factories.preset_of(factories.make_template(presets=(spec,)))


def look(now=NOON):
    (row,) = selectors.list_pools(now=now).pools
    return row


def test_an_empty_pool_is_filling(preset):
    row = look()

    assert (row.preset_id, row.preset_name) == (preset.pk, "Small")
    assert (row.desired, row.ready, row.starting) == (2, 0, 0)
    assert (row.health, row.reason) == ("filling", "0 of 2 ready, 2 being built.")


def test_a_full_pool_is_healthy(preset):
    factories.make_ready_prebuilds(preset, 2, now=NOON)

    row = look()

    assert (row.ready, row.unready, row.health) == (2, 0, "healthy")


def test_each_prebuild_is_counted_once_under_what_happens_to_it():
    preset = make_preset(desired_instances=6, ttl_seconds=3600)
    old, stopping, deleting, _ = factories.make_ready_prebuilds(preset, 4, now=NOON)
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.finish_all_jobs(now=NOON)
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    type(old).objects.filter(pk=old.pk).update(created_at=NOON - hours(2))
    factories.ask_for(stopping, Transition.STOP, now=NOON)
    deletion.delete_prebuilds({deleting.pk: Reason.EXTRANEOUS}, now=NOON)

    row = look()

    assert (row.ready, row.unready, row.expired) == (1, 1, 1)
    assert (row.starting, row.stopping, row.deleting) == (1, 1, 1)


def test_a_pool_that_backs_off_says_until_when(preset):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.finish_all_jobs(now=NOON, fail="bad")

    row = look(NOON + timedelta(seconds=1))

    assert row.health == "backing_off"
    assert row.next_at == NOON + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "reason"),
    [("validation_failed", "region: required"), ("hard_limited", "three failures")],
)
def test_a_status_that_stops_creation_is_the_health(preset, status, reason):
    if status == "hard_limited":
        for number in range(3):
            factories.make_pending_prebuilds(preset, 1, now=NOON + hours(number))
            factories.finish_all_jobs(now=NOON + hours(number), fail="bad")
    Preset.objects.update(prebuild_status=status, status_reason=reason)

    assert look(NOON + hours(9)).health == status


def test_a_pause_shows_only_where_something_is_missing():
    full, lacking = make_preset(desired_instances=1), make_preset(desired_instances=1)
    factories.make_ready_prebuilds(full, 1, now=NOON)
    factories.pause(now=NOON)

    overview = selectors.list_pools(now=NOON)

    words = {row.preset_id: row.health for row in overview.pools}
    assert overview.paused
    assert words == {full.pk: "healthy", lacking.pk: "paused"}


def test_an_old_version_is_shown_while_something_of_it_is_left(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    factories.promote_new_version(preset.version.template, presets=())

    row = look()
    deletion.delete_prebuilds(dict.fromkeys(ids(), Reason.INACTIVE_VERSION), now=NOON)
    deleting = look()
    factories.finish_all_jobs(now=NOON)

    assert (row.health, row.is_active_version, row.desired) == ("draining", False, 0)
    assert deleting.deleting == 1
    assert selectors.list_pools(now=NOON).pools == ()


def ids():
    from workspaces.models import Workspace

    return list(Workspace.objects.values_list("pk", flat=True))


def test_an_old_version_whose_prebuilds_are_starting_is_shown(preset):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.promote_new_version(preset.version.template, presets=())

    assert (look().starting, look().health) == (1, "draining")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"deprecation_message": "old"}, "The template is deprecated"),
        ({"deleted_at": NOON}, "The template was deleted"),
    ],
)
def test_a_draining_pool_says_why(preset, change, words):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    Template.objects.update(**change)

    assert look().reason.startswith(words)


def test_presets_without_a_pool_are_not_shown():
    factories.make_template(presets=(PresetSpec(name="Small"),))

    overview = selectors.list_pools(now=NOON)

    assert (overview.pools, overview.as_of, overview.paused) == ((), NOON, False)


def test_the_schedule_in_force_is_what_is_wanted():
    make_preset(desired_instances=1, schedules=(("* 12 * * *", 4),))

    assert look(NOON).desired == 4
    assert look(NOON + hours(1)).desired == 1


def test_thirty_pools_cost_as_many_statements_as_one(preset):
    with count() as one:
        selectors.list_pools(now=NOON)
    for _ in range(29):
        make_preset()
    with count() as thirty:
        assert len(selectors.list_pools(now=NOON).pools) == 30

    assert thirty.total == one.total


class count:  # noqa: N801  reads as a word
    def __enter__(self):
        self._all = [CaptureQueriesContext(each) for each in (connection, connections["snapshot"])]
        for each in self._all:
            each.__enter__()
        return self

    def __exit__(self, *error):
        for each in self._all:
            each.__exit__(*error)
        self.total = sum(len(each.captured_queries) for each in self._all)
