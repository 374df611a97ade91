"""What is deleted and cancelled, in which order and why (semantics.md 4 and 7)."""

import pytest

from prebuilds.core.actions import (
    CancelPending,
    CreatePrebuilds,
    DeletePrebuild,
    HoldCreation,
    Reason,
    SetStatus,
    can_skip,
    inactive_reason,
    is_unready_for_good,
)
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import Status
from tests.unit.prebuilds.core.builders import (
    DAY,
    HOUR,
    LONG_AGO,
    MINUTE,
    NOW,
    POLICY,
    TICK,
    actions_for,
    attempt,
    cancellations,
    created,
    decision_for,
    deletions,
    failed,
    failed_deletion,
    history,
    make_preset,
    of_kind,
    pending,
    prebuild,
)

INACTIVE = [
    ({"using_active_version": False}, "inactive_version"),
    ({"deprecated": True}, "template_deprecated"),
    ({"deleted": True}, "template_deleted"),
    ({"using_active_version": False, "deprecated": True}, "template_deprecated"),
    ({"deprecated": True, "deleted": True}, "template_deleted"),
    ({"using_active_version": False, "deleted": True, "deprecated": True}, "template_deleted"),
]
UNREADY_TOO_LONG = POLICY.ready_timeout + TICK


def test_a_full_pool_needs_nothing():
    preset = make_preset(2, running=(prebuild(1), prebuild(2)))

    assert actions_for(preset) == ()


# a. Expired


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"ttl": HOUR}, "expired"),
        ({"last_invalidated_at": NOW - MINUTE}, "invalidated"),
        ({"ttl": HOUR, "last_invalidated_at": NOW - MINUTE}, "invalidated"),
    ],
)
def test_every_expired_prebuild_is_deleted_oldest_first_and_replaced_at_once(settings, reason):
    preset = make_preset(
        3, running=(prebuild(1, age=2 * HOUR), prebuild(2, age=3 * HOUR), prebuild(3, age=TICK))
    )
    expired = make_preset(3, running=preset.running, **settings)

    actions = actions_for(expired)

    assert deletions(actions) == [(2, reason), (1, reason)]
    assert created(actions) == 2


def test_a_prebuild_may_be_invalidated_while_an_older_mark_lets_another_expire():
    preset = make_preset(
        0,
        ttl=HOUR,
        last_invalidated_at=NOW - 3 * HOUR,
        running=(prebuild(1, age=2 * HOUR), prebuild(2, age=3 * HOUR), prebuild(3, age=4 * HOUR)),
    )

    actions = actions_for(preset)

    assert deletions(actions) == [(3, "invalidated"), (2, "expired"), (1, "expired")]


def test_an_expired_prebuild_that_never_became_ready_is_deleted_once():
    preset = make_preset(1, ttl=HOUR, running=(prebuild(1, age=2 * HOUR, ready=False),))

    assert deletions(actions_for(preset)) == [(1, "expired")]


def test_a_pool_over_desired_by_expired_ones_loses_only_these():
    preset = make_preset(1, ttl=HOUR, running=(prebuild(1, age=DAY), prebuild(2)))

    actions = actions_for(preset)

    assert deletions(actions) == [(1, "expired")]
    assert created(actions) == 0


# b. Surplus and extraneous


@pytest.mark.parametrize(
    ("desired", "cancelled"),
    [
        (3, []),
        (2, [3]),
        (1, [3, 1]),
        (0, [3, 1, 2]),
    ],
)
def test_the_newest_pending_starts_are_cancelled_and_only_the_surplus(desired, cancelled):
    waiting = (pending(1, age=2 * MINUTE), pending(2, age=3 * MINUTE), pending(3, age=MINUTE))
    preset = make_preset(desired, starting=3, pending=waiting)

    actions = actions_for(preset)

    assert cancellations(actions) == [(number, "surplus") for number in cancelled]
    assert deletions(actions) == []


def test_of_pending_starts_made_together_the_higher_id_is_cancelled():
    preset = make_preset(1, starting=3, pending=(pending(2), pending(3), pending(1)))

    assert cancellations(actions_for(preset)) == [(3, "surplus"), (2, "surplus")]


def test_a_start_that_a_daemon_took_is_not_cancelled():
    preset = make_preset(1, starting=3, pending=(pending(1),))

    assert cancellations(actions_for(preset)) == [(1, "surplus")]


def test_expired_prebuilds_leave_their_place_to_what_is_pending():
    preset = make_preset(
        1, ttl=HOUR, running=(prebuild(1, age=DAY),), starting=1, pending=(pending(2),)
    )

    actions = actions_for(preset)

    assert cancellations(actions) == []
    assert deletions(actions) == [(1, "expired")]
    assert created(actions) == 0


@pytest.mark.parametrize(
    ("desired", "doomed"),
    [(3, []), (2, [2]), (1, [2, 3]), (0, [2, 3, 1])],
)
def test_the_oldest_beyond_desired_are_deleted(desired, doomed):
    preset = make_preset(
        desired,
        running=(
            prebuild(1, age=MINUTE),
            prebuild(2, age=3 * MINUTE),
            prebuild(3, age=2 * MINUTE),
        ),
    )

    assert deletions(actions_for(preset)) == [(number, "extraneous") for number in doomed]


def test_of_prebuilds_made_together_the_lower_id_is_deleted():
    preset = make_preset(1, running=(prebuild(2), prebuild(3), prebuild(1)))

    assert deletions(actions_for(preset)) == [(1, "extraneous"), (2, "extraneous")]


def test_the_oldest_is_deleted_even_when_it_is_ready_and_a_younger_one_is_not():
    preset = make_preset(
        1, running=(prebuild(1, age=2 * MINUTE, ready=True), prebuild(2, age=MINUTE, ready=False))
    )

    assert deletions(actions_for(preset)) == [(1, "extraneous")]


def test_oldest_means_created_first_not_started_first():
    preset = make_preset(
        1, running=(prebuild(1, age=MINUTE, up=MINUTE), prebuild(2, age=HOUR, up=TICK))
    )

    assert deletions(actions_for(preset)) == [(2, "extraneous")]


def test_surplus_is_cancelled_before_anything_extraneous_is_deleted():
    preset = make_preset(
        1, running=(prebuild(1), prebuild(2)), starting=2, pending=(pending(3), pending(4))
    )

    actions = actions_for(preset)

    assert [type(action) for action in actions] == [CancelPending, DeletePrebuild]
    assert cancellations(actions) == [(4, "surplus"), (3, "surplus")]
    assert deletions(actions) == [(1, "extraneous")]


def test_expired_ones_are_deleted_before_the_surplus_is_cancelled():
    preset = make_preset(
        0, ttl=HOUR, running=(prebuild(1, age=DAY),), starting=1, pending=(pending(2),)
    )

    assert [type(action) for action in actions_for(preset)] == [DeletePrebuild, CancelPending]


def test_only_running_prebuilds_beyond_desired_are_deleted_not_those_that_starts_displace():
    preset = make_preset(2, running=(prebuild(1), prebuild(2)), starting=1)

    assert actions_for(preset) == ()


# c. Missing


@pytest.mark.parametrize(
    ("desired", "ready", "starting", "count"),
    [
        (3, 0, 0, 3),
        (3, 1, 0, 2),
        (3, 1, 1, 1),
        (3, 1, 2, 0),
        (3, 0, 4, 0),
        (3, 3, 0, 0),
        (0, 0, 0, 0),
    ],
)
def test_what_is_neither_running_nor_starting_is_created(desired, ready, starting, count):
    running = tuple(prebuild(number) for number in range(ready))

    actions = actions_for(make_preset(desired, running=running, starting=starting))

    assert created(actions) == count
    assert len(actions) == (1 if count else 0)


def test_a_creation_says_that_prebuilds_are_missing():
    assert actions_for(make_preset(2)) == (CreatePrebuilds(count=2, reason=Reason.MISSING),)


@pytest.mark.parametrize("busy", [{"stopping": 5}, {"deleting": 5}])
def test_what_is_being_stopped_or_deleted_never_changes_what_is_created(busy):
    preset = make_preset(3, running=(prebuild(1),), **busy)

    assert actions_for(preset) == (CreatePrebuilds(count=2),)


def test_an_unready_prebuild_is_waited_for_and_not_replaced():
    preset = make_preset(1, running=(prebuild(1, ready=False),))

    assert actions_for(preset) == ()


# d. Never ready


@pytest.mark.parametrize(
    ("up", "ready", "given_up"),
    [
        (POLICY.ready_timeout - TICK, False, False),
        (POLICY.ready_timeout, False, False),
        (UNREADY_TOO_LONG, False, True),
        (UNREADY_TOO_LONG, True, False),
    ],
)
def test_a_prebuild_is_given_up_when_unready_for_strictly_longer_than_the_timeout(
    up, ready, given_up
):
    one = prebuild(1, age=DAY, up=up, ready=ready)

    assert is_unready_for_good(one, POLICY, NOW) is given_up
    assert deletions(actions_for(make_preset(1, running=(one,)))) == (
        [(1, "never_ready")] if given_up else []
    )


def test_the_time_to_become_ready_counts_from_the_start_not_from_the_creation():
    restarted = prebuild(1, age=10 * HOUR, up=MINUTE, ready=False)

    assert is_unready_for_good(restarted, POLICY, NOW) is False


def test_the_ready_timeout_is_a_matter_of_policy():
    one = prebuild(1, age=HOUR, ready=False)

    assert is_unready_for_good(one, Policy(ready_timeout=2 * HOUR), NOW) is False
    assert is_unready_for_good(one, Policy(ready_timeout=HOUR - TICK), NOW) is True


def test_a_prebuild_that_is_given_up_counts_toward_the_extraneous():
    preset = make_preset(
        1,
        running=(
            prebuild(1, age=3 * HOUR),
            prebuild(2, age=2 * HOUR, ready=False),
            prebuild(3, age=HOUR),
        ),
    )

    assert deletions(actions_for(preset)) == [(2, "never_ready"), (1, "extraneous")]


def test_more_given_up_than_extraneous_spare_all_others():
    preset = make_preset(
        2,
        running=(
            prebuild(1, age=3 * HOUR),
            prebuild(2, age=HOUR, ready=False),
            prebuild(3, age=2 * HOUR, ready=False),
        ),
    )

    actions = actions_for(preset)

    assert deletions(actions) == [(3, "never_ready"), (2, "never_ready")]


def test_the_oldest_is_not_deleted_again_as_extraneous_when_it_is_given_up():
    preset = make_preset(
        1,
        running=(prebuild(1, age=3 * HOUR, ready=False), prebuild(2, age=HOUR), prebuild(3)),
    )

    assert deletions(actions_for(preset)) == [(1, "never_ready"), (2, "extraneous")]


def test_a_prebuild_given_up_in_a_full_pool_takes_no_other_with_it():
    ready = tuple(prebuild(number) for number in (1, 2, 3))
    preset = make_preset(4, running=(*ready, prebuild(4, age=HOUR, ready=False)))

    assert deletions(actions_for(preset)) == [(4, "never_ready")]


def test_a_prebuild_that_is_given_up_is_replaced_only_once_it_is_gone():
    preset = make_preset(1, running=(prebuild(1, age=HOUR, ready=False),))

    assert actions_for(preset) == (
        DeletePrebuild(workspace_id=preset.running[0].id, reason=Reason.NEVER_READY),
    )


@pytest.mark.parametrize(
    ("lost", "ready", "given_up"),
    [
        (POLICY.ready_timeout - TICK, False, False),
        (POLICY.ready_timeout, False, False),
        (UNREADY_TOO_LONG, False, True),
        (UNREADY_TOO_LONG, True, False),
    ],
)
def test_a_prebuild_that_lost_its_agent_is_given_up_as_late_after_the_loss(lost, ready, given_up):
    one = prebuild(1, age=DAY, ready=ready, lost=lost)

    assert is_unready_for_good(one, POLICY, NOW) is given_up
    assert deletions(actions_for(make_preset(1, running=(one,)))) == (
        [(1, "agent_lost")] if given_up else []
    )


def test_lost_agents_and_those_never_ready_count_toward_the_extraneous_alike():
    preset = make_preset(
        1,
        running=(
            prebuild(1, age=4 * HOUR),
            prebuild(2, age=3 * HOUR, ready=False),
            prebuild(3, age=2 * HOUR, ready=False, lost=HOUR),
            prebuild(4),
        ),
    )

    assert deletions(actions_for(preset)) == [
        (2, "never_ready"),
        (3, "agent_lost"),
        (1, "extraneous"),
    ]


# Inactive presets


@pytest.mark.parametrize(("why", "reason"), INACTIVE)
def test_an_inactive_preset_is_emptied_of_pending_and_of_all_that_runs_oldest_first(why, reason):
    preset = make_preset(
        3,
        ttl=2 * HOUR,
        running=(
            prebuild(1, age=MINUTE),
            prebuild(2, age=DAY),
            prebuild(3, age=HOUR, ready=False),
            prebuild(4, age=HOUR),
        ),
        starting=3,
        pending=(pending(5), pending(6, age=TICK)),
        **why,
    )

    actions = actions_for(preset)

    assert [type(action) for action in actions] == [CancelPending] + 4 * [DeletePrebuild]
    assert cancellations(actions) == [(6, reason), (5, reason)]
    assert deletions(actions) == [(2, reason), (3, reason), (4, reason), (1, reason)]


@pytest.mark.parametrize(("why", "reason"), INACTIVE)
def test_the_reason_of_an_inactive_preset_is_the_gravest_one(why, reason):
    assert inactive_reason(make_preset(**why)) == reason


def test_an_inactive_preset_without_pending_starts_cancels_nothing():
    preset = make_preset(using_active_version=False, running=(prebuild(1),), starting=2)

    assert of_kind(actions_for(preset), CancelPending) == []


@pytest.mark.parametrize("status", list(Status))
def test_an_inactive_preset_neither_creates_nor_holds_nor_changes_status(status):
    preset = make_preset(
        5, deprecated=True, status=status, attempts=history("FFF", newest=LONG_AGO)
    )

    assert actions_for(preset) == ()


# Skip (section 7)


def test_an_inactive_preset_with_nothing_left_is_skipped():
    assert can_skip(make_preset(using_active_version=False)) is True


def test_an_active_preset_is_never_skipped():
    assert can_skip(make_preset(0)) is False


@pytest.mark.parametrize(
    "left",
    [
        {"running": (prebuild(1),)},
        {"running": (prebuild(1, age=DAY),), "ttl": HOUR},
        {"pending": (pending(1),), "starting": 1},
        {"starting": 1},
        {"stopping": 1},
        {"deleting": 1},
        {"failed": (failed(1),)},
        {"failed_deletions": (failed_deletion(1, tries=1, ago=HOUR),)},
        {"attempts": (attempt("F", ago=MINUTE),)},
    ],
)
def test_an_inactive_preset_with_anything_left_is_not_skipped(left):
    assert can_skip(make_preset(deprecated=True, **left)) is False


# Decisions that do nothing


def test_a_decision_that_only_holds_is_a_noop():
    preset = make_preset(2, attempts=(attempt("F", ago=MINUTE),))

    decision = decision_for(preset)

    assert [type(action) for action in decision.actions] == [HoldCreation]
    assert decision.is_noop is True


@pytest.mark.parametrize(
    ("preset", "kind"),
    [
        (make_preset(1), CreatePrebuilds),
        (make_preset(0, running=(prebuild(1),)), DeletePrebuild),
        (make_preset(0, starting=1, pending=(pending(1),)), CancelPending),
        (make_preset(0, status=Status.HARD_LIMITED), SetStatus),
    ],
)
def test_a_decision_with_anything_to_carry_out_is_no_noop(preset, kind):
    decision = decision_for(preset)

    assert [type(action) for action in decision.actions] == [kind]
    assert decision.is_noop is False


def test_the_reasons_are_a_closed_vocabulary():
    assert {reason.value for reason in Reason} == {
        "missing",
        "surplus",
        "extraneous",
        "expired",
        "invalidated",
        "inactive_version",
        "template_deprecated",
        "template_deleted",
        "never_ready",
        "agent_lost",
        "failed",
        "canceled",
        "deletion_failed",
        "too_many_failures",
        "recovered",
        "backing_off",
        "probing",
        "hard_limited",
        "validation_failed",
        "held_in_flight",
        "quota",
    }
