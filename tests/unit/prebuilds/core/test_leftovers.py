"""What is cleared away after failures: specimens, half-made prebuilds, deletions (4 e and f)."""

from itertools import permutations

import pytest

from prebuilds.core.actions import is_stuck
from prebuilds.core.policy import Policy
from tests.unit.prebuilds.core.builders import (
    DAY,
    HOUR,
    MINUTE,
    NONE,
    POLICY,
    SECOND,
    TICK,
    actions_for,
    created,
    deletions,
    failed,
    failed_deletion,
    make_preset,
    prebuild,
)

ACTIVE_OR_NOT = pytest.mark.parametrize(
    "pool", [{}, {"using_active_version": False}, {"deprecated": True}, {"deleted": True}]
)


# f. Failed prebuilds


@ACTIVE_OR_NOT
@pytest.mark.parametrize(
    ("ago", "doomed"),
    [
        (NONE, []),
        (POLICY.failed_retention - TICK, []),
        (POLICY.failed_retention, []),
        (POLICY.failed_retention + TICK, [(1, "failed")]),
    ],
)
def test_the_newest_failed_prebuild_is_kept_as_a_specimen_until_its_retention_ends(
    ago, doomed, pool
):
    preset = make_preset(0, failed=(failed(1, ago=ago),), **pool)

    assert deletions(actions_for(preset)) == doomed


@ACTIVE_OR_NOT
def test_older_failed_prebuilds_are_deleted_at_once(pool):
    preset = make_preset(
        0,
        failed=(
            failed(1, ago=2 * MINUTE),
            failed(2, ago=SECOND),
            failed(3, ago=MINUTE),
        ),
        **pool,
    )

    assert sorted(deletions(actions_for(preset))) == [(1, "failed"), (3, "failed")]


def test_after_the_retention_the_specimen_goes_with_all_others():
    preset = make_preset(0, failed=(failed(1, ago=2 * DAY), failed(2, ago=3 * DAY)))

    assert sorted(deletions(actions_for(preset))) == [(1, "failed"), (2, "failed")]


def test_of_failures_of_the_same_instant_one_is_kept():
    preset = make_preset(0, failed=(failed(1), failed(3), failed(2)))

    assert sorted(deletions(actions_for(preset))) == [(1, "failed"), (2, "failed")]


@pytest.mark.parametrize("ago", [NONE, SECOND, 2 * DAY])
@ACTIVE_OR_NOT
def test_a_prebuild_canceled_half_way_is_always_deleted(ago, pool):
    preset = make_preset(0, failed=(failed(1, ago=ago, canceled=True),), **pool)

    assert deletions(actions_for(preset)) == [(1, "canceled")]


def test_a_canceled_prebuild_is_no_specimen_even_when_it_is_the_newest():
    preset = make_preset(0, failed=(failed(1, ago=SECOND, canceled=True), failed(2, ago=HOUR)))

    assert deletions(actions_for(preset)) == [(1, "canceled")]


def test_the_retention_is_a_matter_of_policy():
    preset = make_preset(0, failed=(failed(1, ago=HOUR),))

    assert deletions(actions_for(preset, Policy(failed_retention=NONE))) == [(1, "failed")]
    assert deletions(actions_for(preset, Policy(failed_retention=HOUR))) == []


def test_failed_prebuilds_are_replaced_because_they_do_not_count_as_running():
    preset = make_preset(2, failed=(failed(1), failed(2, ago=2 * HOUR)))

    actions = actions_for(preset)

    assert created(actions) == 2
    assert deletions(actions) == [(2, "failed")]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_failed_and_canceled_prebuilds_go_in_the_order_they_ended_whatever_the_order_of_rows(order):
    rows = (
        failed(4, ago=4 * HOUR),
        failed(2, ago=3 * HOUR, canceled=True),
        failed(3, ago=3 * HOUR, canceled=True),
        failed(1, ago=HOUR),
    )
    preset = make_preset(0, failed=tuple(rows[index] for index in order))

    assert deletions(actions_for(preset)) == [(4, "failed"), (2, "canceled"), (3, "canceled")]


# e. Failed deletions


@ACTIVE_OR_NOT
@pytest.mark.parametrize(
    ("tries", "ago", "again"),
    [
        (1, MINUTE - TICK, False),
        (1, MINUTE, True),
        (1, MINUTE + TICK, True),
        (2, MINUTE + TICK, False),
        (2, 2 * MINUTE - TICK, False),
        (2, 2 * MINUTE, True),
        (2, 2 * MINUTE + TICK, True),
        (3, 3 * MINUTE - TICK, False),
        (3, 400 * DAY, False),  # stuck: a notice instead
        (4, 400 * DAY, False),
    ],
)
def test_a_failed_deletion_is_tried_again_after_as_many_intervals_as_tries(tries, ago, again, pool):
    preset = make_preset(0, failed_deletions=(failed_deletion(1, tries=tries, ago=ago),), **pool)

    assert deletions(actions_for(preset)) == ([(1, "deletion_failed")] if again else [])


@pytest.mark.parametrize(
    ("limit", "tries", "stuck"),
    [
        (3, 1, False),
        (3, 2, False),
        (3, 3, True),
        (3, 4, True),
        (1, 1, True),
        (0, 1, False),
        (0, 100, False),
    ],
)
def test_a_deletion_is_stuck_after_as_many_tries_as_the_limit_unless_it_is_off(limit, tries, stuck):
    policy = Policy(failure_hard_limit=limit)
    preset = make_preset(0, failed_deletions=(failed_deletion(1, tries=tries, ago=DAY),))

    assert is_stuck(tries, policy) is stuck
    assert deletions(actions_for(preset, policy)) == ([] if stuck else [(1, "deletion_failed")])


def test_every_failed_deletion_waits_for_its_own_time():
    preset = make_preset(
        0,
        failed_deletions=(
            failed_deletion(1, tries=1, ago=90 * SECOND),
            failed_deletion(2, tries=2, ago=90 * SECOND),
            failed_deletion(3, tries=3, ago=90 * SECOND),
        ),
    )

    assert deletions(actions_for(preset)) == [(1, "deletion_failed")]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_failed_deletions_are_tried_again_in_the_order_they_failed(order):
    rows = (
        failed_deletion(3, tries=1, ago=DAY),
        failed_deletion(1, tries=1, ago=HOUR),
        failed_deletion(2, tries=2, ago=HOUR),
    )
    preset = make_preset(0, failed_deletions=tuple(rows[index] for index in order))

    assert [number for number, _ in deletions(actions_for(preset))] == [3, 1, 2]


def test_a_failed_deletion_holds_no_place_in_the_pool():
    preset = make_preset(
        1, running=(prebuild(1),), failed_deletions=(failed_deletion(2, tries=1, ago=SECOND),)
    )

    assert actions_for(preset) == ()
