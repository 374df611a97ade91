"""What holds for every snapshot, whatever it contains (semantics.md 4, 7 to 10)."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds.core.actions import (
    Action,
    CancelPending,
    CreatePrebuilds,
    DeletePrebuild,
    HoldCreation,
    Reason,
    can_skip,
)
from prebuilds.core.decisions import decide, decide_preset
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import PresetSnapshot, Snapshot, Status
from prebuilds.core.state import calculate_state
from tests.unit.prebuilds.core.aftermath import apply, apply_all
from tests.unit.prebuilds.core.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    actions_for,
    created,
    decision_for,
    held,
    of_kind,
)
from tests.unit.prebuilds.core.strategies import attempts, policies, presets, snapshots, statuses

thorough = settings(max_examples=60, deadline=None)
ROWS = ("running", "pending", "attempts", "failed", "failed_deletions")
GIVEN_UP = {Reason.NEVER_READY, Reason.AGENT_LOST}
# Every field the failed deletions and specimens depend on stays; all that gates creating varies.
GATES = ("backoff_lookback", "max_in_flight")


def removals(actions: tuple[Action, ...]) -> list[Action]:
    return [one for one in actions if isinstance(one, CancelPending | DeletePrebuild)]


def does_something(actions: tuple[Action, ...]) -> bool:
    return any(not isinstance(one, HoldCreation) for one in actions)


def ids_of(actions: tuple[Action, ...]) -> list[int]:
    cancelled = [build for one in of_kind(actions, CancelPending) for build in one.builds]
    deleted = of_kind(actions, DeletePrebuild)
    return [one.workspace_id.int for one in (*cancelled, *deleted)]


@thorough
@given(presets(active=True), policies)
def test_never_more_than_desired(preset: PresetSnapshot, policy: Policy):
    actions = actions_for(preset, policy)
    before = calculate_state(preset, NOW)
    after = calculate_state(apply(preset, actions, NOW), NOW)

    out_of_reach = preset.starting - len(preset.pending)
    fresh = after.actual - after.expired

    assert after.expired == 0
    assert fresh <= before.desired
    assert fresh + after.starting <= max(before.desired, fresh + out_of_reach)


@thorough
@given(presets(active=True), policies)
def test_nothing_is_created_while_anything_is_cancelled_or_extraneous(
    preset: PresetSnapshot, policy: Policy
):
    actions = actions_for(preset, policy)

    too_many = bool(of_kind(actions, CancelPending)) or any(
        one.reason == Reason.EXTRANEOUS for one in of_kind(actions, DeletePrebuild)
    )

    assert not (too_many and created(actions))


@thorough
@given(presets(active=True), policies)
def test_all_that_is_missing_is_either_created_or_held_with_a_reason(
    preset: PresetSnapshot, policy: Policy
):
    decision = decision_for(preset, policy)

    withheld = sum(number for number, _ in held(decision.actions))

    assert created(decision.actions) + withheld == decision.state.missing
    assert decision.state.missing <= decision.state.desired


@thorough
@given(presets(active=False), st.sets(st.sampled_from(ROWS)), policies)
def test_a_skipped_preset_would_have_had_nothing_to_do(
    preset: PresetSnapshot, emptied: set[str], policy: Policy
):
    hollow = replace(preset, **dict.fromkeys(emptied, ()))
    bare = replace(preset, **dict.fromkeys(ROWS, ()), starting=0, stopping=0, deleting=0)

    assert not can_skip(hollow) or actions_for(hollow, policy) == ()
    assert can_skip(bare)
    assert actions_for(bare, policy) == ()


@thorough
@given(presets(), policies)
def test_deciding_again_right_away_finds_nothing_to_do(preset: PresetSnapshot, policy: Policy):
    first = actions_for(preset, policy)
    second_look = apply(preset, first, NOW)
    second = actions_for(second_look, policy)
    third = actions_for(apply(second_look, second, NOW), policy)

    gave_up = any(one.reason in GIVEN_UP for one in of_kind(first, DeletePrebuild))

    # Giving a prebuild up is news: it leaves a gap, or a failed attempt, for the next cycle.
    assert gave_up or not does_something(second)
    assert removals(second) == []
    assert not does_something(third)


@thorough
@given(snapshots(), policies)
def test_a_whole_fleet_comes_to_rest_after_two_cycles(snapshot: Snapshot, policy: Policy):
    for _ in range(2):
        snapshot = apply_all(snapshot, decide(snapshot, policy, NOW), NOW)

    restless = [one for one in decide(snapshot, policy, NOW) if not one.is_noop]

    assert restless == []


@thorough
@given(presets(), policies, st.randoms(use_true_random=False))
def test_the_order_of_a_presets_rows_does_not_matter(
    preset: PresetSnapshot, policy: Policy, random: Random
):
    shuffled = replace(preset, **{name: shuffle(getattr(preset, name), random) for name in ROWS})

    one, other = decision_for(preset, policy), decision_for(shuffled, policy)

    assert one.state == other.state
    assert one.actions == other.actions


def shuffle(rows: tuple, random: Random) -> tuple:
    return tuple(random.sample(rows, len(rows)))


@thorough
@given(snapshots(), policies, st.randoms(use_true_random=False))
def test_the_order_of_presets_does_not_matter(snapshot: Snapshot, policy: Policy, random: Random):
    shuffled = replace(snapshot, presets=shuffle(snapshot.presets, random))

    one = {decision.preset.id: decision for decision in decide(snapshot, policy, NOW)}
    other = {decision.preset.id: decision for decision in decide(shuffled, policy, NOW)}

    assert one == other


@thorough
@given(presets(), policies, policies, attempts(), statuses)
def test_what_holds_creating_back_never_changes_deletions_and_cancellations(
    preset: PresetSnapshot, policy: Policy, another: Policy, history: tuple, status: Status
):
    hindered = replace(preset, attempts=history, status=status)
    stricter = replace(policy, **{name: getattr(another, name) for name in GATES})

    assert removals(actions_for(preset, policy)) == removals(actions_for(hindered, stricter))


@thorough
@given(presets(), policies, policies)
def test_backoff_interval_and_hard_limit_move_only_the_retries_of_failed_deletions(
    preset: PresetSnapshot, policy: Policy, another: Policy
):
    moved = replace(
        policy,
        backoff_interval=another.backoff_interval,
        failure_hard_limit=another.failure_hard_limit,
    )

    before, after = (
        [
            one
            for one in removals(actions_for(preset, which))
            if one.reason != Reason.DELETION_FAILED
        ]
        for which in (policy, moved)
    )

    assert before == after


@thorough
@given(presets(), policies)
def test_no_prebuild_is_acted_on_twice_and_none_that_is_not_in_the_snapshot(
    preset: PresetSnapshot, policy: Policy
):
    acted_on = ids_of(actions_for(preset, policy))

    known = {
        *(one.id.int for one in (*preset.running, *preset.failed, *preset.failed_deletions)),
        *(one.workspace_id.int for one in preset.pending),
    }
    assert len(acted_on) == len(set(acted_on))
    assert set(acted_on) <= known


@thorough
@given(presets(), policies)
def test_cancelled_are_only_pending_starts_and_deleted_never_is_one(
    preset: PresetSnapshot, policy: Policy
):
    actions = actions_for(preset, policy)

    cancelled = {build for one in of_kind(actions, CancelPending) for build in one.builds}
    deleted = {one.workspace_id for one in of_kind(actions, DeletePrebuild)}

    assert cancelled <= set(preset.pending)
    assert deleted.isdisjoint(one.workspace_id for one in preset.pending)


@thorough
@given(presets(active=False), policies)
def test_an_inactive_preset_is_always_left_empty_and_never_filled(
    preset: PresetSnapshot, policy: Policy
):
    actions = actions_for(preset, policy)
    after = apply(preset, actions, NOW)

    assert (after.running, after.pending) == ((), ())
    assert {type(one) for one in actions} <= {CancelPending, DeletePrebuild}


@thorough
@given(presets(active=True), policies, st.integers(0, 9), st.integers(0, 9))
def test_stopping_and_deleting_never_change_what_is_done(
    preset: PresetSnapshot, policy: Policy, stopping: int, deleting: int
):
    busy = replace(preset, stopping=stopping, deleting=deleting)

    assert actions_for(busy, policy) == actions_for(preset, policy)


@thorough
@given(presets(active=True), policies)
def test_after_a_failure_no_second_creation_goes_in_flight(preset: PresetSnapshot, policy: Policy):
    newest = max(
        preset.attempts,
        key=lambda one: (one.created_at, one.finished_at, one.failed),
        default=None,
    )
    actions = decide_preset(preset, policy, NOW).actions
    failing = newest is not None and newest.failed

    creations = of_kind(actions, CreatePrebuilds)

    assert not (failing and creations) or preset.starting + created(actions) == 1


@thorough
@given(presets(active=True), st.sampled_from((MINUTE, HOUR, 10 * DAY)))
def test_extraneous_are_the_oldest_and_leave_exactly_what_is_desired(
    preset: PresetSnapshot, ready_timeout: timedelta
):
    crowded = replace(preset, ttl=None, last_invalidated_at=None)
    actions = actions_for(crowded, Policy(ready_timeout=ready_timeout))
    gone = {
        one.workspace_id
        for one in of_kind(actions, DeletePrebuild)
        if one.reason == Reason.EXTRANEOUS
    }
    left = apply(crowded, actions, NOW).running

    youngest_gone = max(
        ((one.created_at, one.id) for one in crowded.running if one.id in gone), default=None
    )

    assert youngest_gone is None or len(left) == calculate_state(crowded, NOW).desired
    assert youngest_gone is None or all(youngest_gone < (one.created_at, one.id) for one in left)
