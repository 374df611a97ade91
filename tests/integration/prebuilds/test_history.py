"""What pools were like, hour by hour: samples, claims, waits, retention."""

from datetime import timedelta

import pytest

from prebuilds import claims, history
from prebuilds.models import Claim, PoolHour
from templates_app.services import PresetSpec, set_desired_instances
from tests import factories
from tests.factories import NOON
from workspaces.models import Agent

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

MINUTES = timedelta(minutes=1)


@pytest.fixture
def preset():
    template = factories.make_template(presets=(PresetSpec(name="Small", desired_instances=3),))
    return factories.preset_of(template)


def ask(preset, *, at, owner=None, name="mine"):
    return claims.claim_or_create_workspace(
        owner=owner or factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name=name,
        parameters={},
        now=at,
    )


def hour_of(preset, at=NOON) -> PoolHour:
    return PoolHour.objects.get(preset=preset, hour=at.replace(minute=0))


def test_each_sample_adds_what_was_desired_and_ready(preset):
    factories.make_ready_prebuilds(preset, 2, now=NOON)

    history.roll_up(now=NOON)
    set_desired_instances(preset_id=preset.pk, desired_instances=1, now=NOON)
    history.roll_up(now=NOON + 5 * MINUTES)

    hour = hour_of(preset)
    assert (hour.samples, hour.desired_sum, hour.ready_sum, hour.ready_min) == (2, 4, 4, 2)


def test_the_least_ready_of_an_hour_is_kept(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    history.roll_up(now=NOON)
    ask(preset, at=NOON + MINUTES)
    history.roll_up(now=NOON + 5 * MINUTES)

    assert hour_of(preset).ready_min == 0


def test_ready_prebuilds_are_idle_from_one_sample_to_the_next(preset):
    factories.make_ready_prebuilds(preset, 2, now=NOON)

    for minute in (0, 5, 10):
        history.roll_up(now=NOON + minute * MINUTES)

    assert hour_of(preset).idle_seconds == 2 * 600


def test_idle_time_goes_on_over_the_full_hour(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    history.roll_up(now=NOON + 57 * MINUTES)
    history.roll_up(now=NOON + 62 * MINUTES)

    assert hour_of(preset, NOON + timedelta(hours=1)).idle_seconds == 300


def test_a_long_silence_counts_for_nothing(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    history.roll_up(now=NOON)
    history.roll_up(now=NOON + 16 * MINUTES)

    assert hour_of(preset).idle_seconds == 0


def test_claims_and_misses_are_counted_in_the_hour_they_came(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    ask(preset, at=NOON + MINUTES)
    ask(preset, at=NOON + 2 * MINUTES)
    ask(preset, at=NOON + timedelta(hours=1))

    history.roll_up(now=NOON + timedelta(hours=1, minutes=5))

    first, second = hour_of(preset), hour_of(preset, NOON + timedelta(hours=1))
    assert ((first.warm, first.cold), (second.warm, second.cold)) == ((1, 1), (0, 1))


def test_counting_again_changes_nothing(preset):
    ask(preset, at=NOON)

    for _ in range(3):
        history.roll_up(now=NOON + 5 * MINUTES)

    assert hour_of(preset).cold == 1


def test_the_first_time_everything_that_is_kept_is_counted(preset):
    ask(preset, at=NOON - timedelta(days=30))

    history.roll_up(now=NOON)

    assert hour_of(preset, NOON - timedelta(days=30)).cold == 1


def test_a_claim_without_a_preset_belongs_to_no_pool():
    template = factories.make_template(presets=())
    claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=template,
        preset_id=None,
        name="mine",
        parameters={},
        now=NOON,
    )

    assert history.roll_up(now=NOON).hours == 0


def test_the_wait_is_from_asking_until_ready_as_the_owners(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON - timedelta(hours=1))
    warm = ask(preset, at=NOON).workspace
    cold = ask(preset, at=NOON).workspace
    factories.finish_all_jobs(now=NOON)
    for workspace, seconds in ((warm, 0.4), (cold, 95)):
        Agent.objects.filter(resource__build=workspace.latest_build_id).update(
            lifecycle_state="ready", ready_at=NOON + timedelta(seconds=seconds)
        )

    done = history.roll_up(now=NOON + 5 * MINUTES)

    waits = dict(Claim.objects.values_list("outcome", "wait_seconds"))
    assert done.waits == 2
    assert waits == {"warm": pytest.approx(0.4), "cold": pytest.approx(95)}


def test_the_readiness_of_the_prebuild_is_not_the_claimers_wait(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON - timedelta(hours=1))
    ask(preset, at=NOON)

    history.roll_up(now=NOON + 5 * MINUTES)

    assert Claim.objects.get().wait_seconds is None


def test_old_hours_are_forgotten(preset, settings):
    settings.PREBUILDS_HISTORY_RETENTION = timedelta(days=1)
    for age in (timedelta(hours=23), timedelta(hours=26)):
        PoolHour.objects.create(preset=preset, hour=NOON - age, warm=1)

    done = history.roll_up(now=NOON)

    assert done.pruned == 1
    assert PoolHour.objects.filter(hour__lt=NOON).count() == 1


def test_the_number_of_statements_does_not_grow_with_the_pools(django_assert_max_num_queries):
    presets = tuple(PresetSpec(name=f"P{n}", desired_instances=1) for n in range(20))
    factories.make_template(presets=presets)

    with django_assert_max_num_queries(16):
        history.roll_up(now=NOON)
