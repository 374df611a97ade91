"""How pools have done: rates, waits, idle time, hours."""

from datetime import timedelta

import pytest

from prebuilds import trends
from prebuilds.models import Claim, PoolHour
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def preset():
    return make_preset()


def make_preset(**fields):
    spec = PresetSpec(name="Small", desired_instances=3)
    return factories.preset_of(factories.make_template(presets=(spec,), **fields))


def add_claim(preset, *, ago=HOUR, warm=True, wait=None):
    workspace = factories.make_workspace(template=preset.version.template)
    Claim.objects.filter(workspace=workspace).delete()
    return Claim.objects.create(
        workspace=workspace,
        template=preset.version.template,
        preset=preset,
        user=workspace.owner,
        outcome="warm" if warm else "cold",
        reason="warm" if warm else "pool_empty",
        created_at=NOON - ago,
        wait_seconds=wait,
    )


def test_a_rate_is_the_share_that_was_warm(preset):
    for warm in (True, True, True, False):
        add_claim(preset, warm=warm)

    day = trends.read_trends(now=NOON).day

    assert (day.warm, day.cold, day.rate) == (3, 1, 0.75)


def test_without_requests_there_is_no_rate():
    assert trends.read_trends(now=NOON).day.rate is None


def test_a_week_holds_its_day_and_the_week_before_is_apart(preset):
    for ago in (HOUR, 2 * DAY, 8 * DAY, 15 * DAY):
        add_claim(preset, ago=ago)

    found = trends.read_trends(now=NOON)

    assert (found.day.total, found.week.total, found.week_before.total) == (1, 2, 1)


def test_waits_are_told_apart_and_unknown_ones_left_out(preset):
    for wait in (1, 2, 3, None):
        add_claim(preset, wait=wait)
    add_claim(preset, warm=False, wait=100)

    waits = trends.read_trends(now=NOON).waits

    assert waits.warm_p50 == timedelta(seconds=2)
    assert waits.warm_p95 == timedelta(seconds=2.9)
    assert waits.cold_p95 == timedelta(seconds=100)


def test_waits_nobody_had_are_unknown():
    waits = trends.read_trends(now=NOON).waits

    assert waits.warm_p50 is waits.cold_p95 is None


def test_only_the_organizations_asked_for_count(preset):
    add_claim(preset)
    PoolHour.objects.create(preset=preset, hour=NOON - HOUR, idle_seconds=3600)

    mine = trends.read_trends(now=NOON, organization_ids=[preset.version.template.organization_id])
    others = trends.read_trends(now=NOON, organization_ids=[])

    assert (mine.day.total, mine.idle.hours) == (1, 1)
    assert (others.day.total, others.idle.hours) == (0, 0)


def test_idle_time_costs_what_the_version_costs_a_day():
    preset = make_preset(daily_cost=48)
    PoolHour.objects.create(preset=preset, hour=NOON - HOUR, idle_seconds=2 * 3600)

    idle = trends.read_trends(now=NOON).idle

    assert (idle.hours, idle.cost) == (2, pytest.approx(4))


def test_idle_time_of_what_costs_nothing_has_no_cost(preset):
    PoolHour.objects.create(preset=preset, hour=NOON - HOUR, idle_seconds=3600)

    assert trends.read_trends(now=NOON).idle.cost is None


def test_each_presets_day_is_its_own(preset):
    other = make_preset()
    add_claim(preset)
    add_claim(other, warm=False)
    add_claim(other, ago=2 * DAY)

    found = trends.read_days(now=NOON, preset_ids=[preset.pk, other.pk])

    assert (found[preset.pk].served.rate, found[other.pk].served.rate) == (1, 0)
    assert found[other.pk].served.total == 1


def test_a_sparkline_has_24_hours_with_gaps_filled(preset):
    PoolHour.objects.create(
        preset=preset, hour=NOON, warm=2, samples=2, ready_sum=3, desired_sum=6, ready_min=1
    )
    PoolHour.objects.create(preset=preset, hour=NOON - 24 * HOUR, warm=9)

    (day,) = trends.read_days(now=NOON + HOUR / 2, preset_ids=[preset.pk]).values()

    points = day.hours
    assert len(points) == 24
    assert points[0].hour == NOON - 23 * HOUR
    assert (points[0].warm, points[0].ready) == (0, None)
    assert (points[-1].warm, points[-1].ready, points[-1].desired) == (2, 1.5, 3)


def test_of_a_preset_that_was_never_looked_at_no_hour_is_known(preset):
    (day,) = trends.read_days(now=NOON, preset_ids=[preset.pk]).values()

    assert (day.served.total, day.hours) == (0, ())


def test_the_days_of_many_presets_take_one_statement(preset, django_assert_num_queries):
    others = [make_preset().pk for _ in range(3)]

    with django_assert_num_queries(1):
        trends.read_days(now=NOON, preset_ids=[preset.pk, *others])


def test_hours_of_a_span_come_oldest_first(preset):
    for number in (3, 1, 2, 5):
        PoolHour.objects.create(preset=preset, hour=NOON - number * HOUR, warm=number)

    points = trends.read_hours(preset_id=preset.pk, since=NOON - 3 * HOUR, until=NOON)

    assert [point.warm for point in points] == [3, 2, 1]


def test_the_dashboards_numbers_take_one_statement(preset, django_assert_num_queries):
    add_claim(preset)

    with django_assert_num_queries(1):
        trends.read_trends(now=NOON)
