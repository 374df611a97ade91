"""How an organization's room is shared among presets (semantics.md 4 and 13)."""

from collections import defaultdict
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings

from prebuilds.core.actions import (
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    Reason,
    SetStatus,
)
from prebuilds.core.admission import admit_creations
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, PresetSnapshot, Snapshot, Status
from tests.unit.prebuilds.core.builders import (
    LONG_AGO,
    ORGANIZATION,
    attempt,
    created,
    decision_for,
    deletions,
    held,
    make_preset,
    pending,
    prebuild,
    statuses,
)
from tests.unit.prebuilds.core.strategies import hungry_snapshots, policies, snapshots

thorough = settings(max_examples=60, deadline=None)
OTHER = UUID(int=800)
UNLIMITED = Policy(max_in_flight=0)


def pool(number: int, desired: int, *, ready: int = 0, **changes) -> PresetSnapshot:
    """A pool with some ready prebuilds; `number` tells pools, their prebuilds and labels apart."""
    running = tuple(prebuild(100 * number + index) for index in range(ready))
    return make_preset(
        desired,
        **{"id": UUID(int=number), "name": f"pool {number}", "running": running, **changes},
    )


def admit(
    *pools: PresetSnapshot,
    policy: Policy = UNLIMITED,
    other: OrganizationSnapshot | None = None,
    **organization: int,
) -> tuple[Decision, ...]:
    """Decide for the pools and admit what their organizations have room for."""
    snapshot = Snapshot(
        presets=pools,
        organizations={
            ORGANIZATION: OrganizationSnapshot(**organization),
            OTHER: other or OrganizationSnapshot(),
        },
    )
    return admit_creations([decision_for(one, policy) for one in pools], snapshot, policy)


def granted(decisions: tuple[Decision, ...]) -> list[int]:
    return [created(one.actions) for one in decisions]


# In flight


@pytest.mark.parametrize(
    ("limit", "in_flight", "admitted"),
    [
        (3, 0, 3),
        (3, 2, 1),
        (3, 3, 0),
        (3, 9, 0),
        (4, 0, 4),
        (5, 0, 4),
        (1, 0, 1),
        (0, 0, 4),
        (0, 1000, 4),
    ],
)
def test_no_more_builds_are_in_flight_than_the_limit_and_zero_means_no_limit(
    limit, in_flight, admitted
):
    (decision,) = admit(pool(1, 4), policy=Policy(max_in_flight=limit), in_flight=in_flight)

    assert created(decision.actions) == admitted
    assert held(decision.actions) == ([(4 - admitted, "held_in_flight")] if admitted < 4 else [])


def test_what_fits_is_left_exactly_as_it_was_decided():
    before = decision_for(pool(1, 2))

    (after,) = admit(pool(1, 2), policy=Policy(max_in_flight=2))

    assert after == before


def test_the_limit_is_each_organizations_own():
    ours, theirs = pool(1, 3), pool(2, 3, organization_id=OTHER)

    decisions = admit(
        ours,
        theirs,
        policy=Policy(max_in_flight=3),
        in_flight=2,
        other=OrganizationSnapshot(in_flight=1),
    )

    assert granted(decisions) == [1, 2]


def test_an_organization_nobody_counted_has_all_the_limit_and_no_quota():
    free, costly = pool(1, 9), pool(2, 9, daily_cost=1)
    policy = Policy(max_in_flight=5)

    decisions = admit_creations(
        [decision_for(one, policy) for one in (free, costly)], Snapshot(), policy
    )

    assert granted(decisions) == [5, 0]
    assert held(decisions[1].actions) == [(9, "quota")]


# Fairness


@pytest.mark.parametrize(
    ("pools", "limit", "admitted"),
    [
        # the emptier share goes first, not the larger gap
        ([pool(1, 10, ready=5), pool(2, 2, ready=0)], 1, [0, 1]),
        ([pool(1, 10, ready=5), pool(2, 4, ready=1)], 1, [0, 1]),
        ([pool(1, 4, ready=1), pool(2, 100, ready=50)], 1, [1, 0]),
        # one at a time in turn
        ([pool(1, 5), pool(2, 5)], 4, [2, 2]),
        ([pool(1, 5), pool(2, 5)], 5, [3, 2]),
        ([pool(1, 5), pool(2, 5), pool(3, 5)], 4, [2, 1, 1]),
        ([pool(1, 4, ready=2), pool(2, 4)], 3, [1, 2]),
        # who has enough leaves its turns to others
        ([pool(1, 1), pool(2, 9)], 5, [1, 4]),
        ([pool(1, 9), pool(2, 1), pool(3, 2)], 6, [3, 1, 2]),
        # the same share goes by label
        ([pool(2, 5), pool(1, 5)], 1, [0, 1]),
        ([pool(2, 6, ready=2), pool(1, 3, ready=1)], 1, [0, 1]),
    ],
)
def test_the_emptiest_pools_go_first_one_prebuild_at_a_time_in_turn(pools, limit, admitted):
    assert granted(admit(*pools, policy=Policy(max_in_flight=limit))) == admitted


def test_emptiness_counts_what_is_ready_not_what_runs():
    unready = pool(1, 4, running=(prebuild(1, ready=False), prebuild(2, ready=False)))
    ready = pool(2, 4, ready=1)

    assert granted(admit(unready, ready, policy=Policy(max_in_flight=1))) == [1, 0]


def test_pools_of_the_same_label_go_by_id():
    twins = (pool(2, 5, name="twin"), pool(1, 5, name="twin"))

    assert granted(admit(*twins, policy=Policy(max_in_flight=1))) == [0, 1]


def test_decisions_come_back_in_the_order_they_went_in():
    pools = (pool(3, 1, ready=1), pool(1, 5), pool(2, 2))

    decisions = admit(*pools, policy=Policy(max_in_flight=1))

    assert [one.preset for one in decisions] == list(pools)


# Quota


@pytest.mark.parametrize(
    ("allowance", "used", "cost", "admitted"),
    [
        (10, 0, 5, 2),
        (10, 0, 4, 2),
        (10, 0, 10, 1),
        (10, 1, 10, 0),
        (10, 9, 1, 1),
        (10, 10, 1, 0),
        (10, 12, 1, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 3),
        (10, 12, 0, 3),
        (100, 0, 5, 3),
    ],
)
def test_creations_stay_within_the_quota_and_what_costs_nothing_never_counts(
    allowance, used, cost, admitted
):
    (decision,) = admit(pool(1, 3, daily_cost=cost), quota_allowance=allowance, quota_used=used)

    assert created(decision.actions) == admitted
    assert held(decision.actions) == ([(3 - admitted, "quota")] if admitted < 3 else [])


def test_pools_share_the_quota_in_turn():
    decisions = admit(pool(1, 5, daily_cost=2), pool(2, 5, daily_cost=1), quota_allowance=5)

    assert granted(decisions) == [2, 1]
    assert [held(one.actions) for one in decisions] == [[(3, "quota")], [(4, "quota")]]


def test_a_pool_too_dear_leaves_its_turn_to_a_cheaper_one():
    decisions = admit(pool(1, 2, daily_cost=9), pool(2, 2, daily_cost=1), quota_allowance=2)

    assert granted(decisions) == [0, 2]


def test_a_pool_refused_by_quota_takes_no_room_in_flight():
    dear, free = pool(1, 2, daily_cost=9), pool(2, 2)

    decisions = admit(dear, free, policy=Policy(max_in_flight=2), quota_allowance=2)

    assert granted(decisions) == [0, 2]


def test_a_pool_refused_in_flight_spends_no_quota():
    decisions = admit(pool(1, 3, daily_cost=1), policy=Policy(max_in_flight=1), quota_allowance=3)

    assert granted(decisions) == [1]
    assert held(decisions[0].actions) == [(2, "held_in_flight")]


# What admission leaves alone


def test_deletions_cancellations_and_statuses_are_never_cut():
    full = make_preset(
        1,
        status=Status.HARD_LIMITED,
        last_invalidated_at=prebuild(1).created_at + LONG_AGO,
        running=(prebuild(1), prebuild(2)),
    )
    over = pool(2, 1, ready=2, starting=1, pending=(pending(9),))

    decisions = admit(full, over, policy=Policy(max_in_flight=1), in_flight=50)

    assert deletions(decisions[0].actions) == [(1, "invalidated"), (2, "invalidated")]
    assert statuses(decisions[0].actions) == [("healthy", "recovered")]
    assert held(decisions[0].actions) == [(1, "held_in_flight")]
    assert [type(one) for one in decisions[1].actions] == [CancelPending, DeletePrebuild]


def test_a_probe_that_does_not_fit_is_held_beside_what_already_was():
    probing = pool(1, 3, attempts=(attempt("F", ago=LONG_AGO),))

    (decision,) = admit(probing, policy=Policy(max_in_flight=1), in_flight=1)

    assert held(decision.actions) == [(1, "held_in_flight"), (2, "probing")]


def test_what_is_cut_keeps_its_reason_and_its_place_among_the_actions():
    retried = pool(1, 3, status=Status.HARD_LIMITED)

    (decision,) = admit(retried, policy=Policy(max_in_flight=2))

    assert decision.actions == (
        SetStatus(status=Status.HEALTHY, reason=Reason.RECOVERED),
        CreatePrebuilds(count=2, reason=Reason.MISSING),
        HoldCreation(count=1, reason=Reason.HELD_IN_FLIGHT),
    )


def test_a_partly_admitted_creation_keeps_its_own_reason():
    odd = replace(
        decision_for(pool(1, 3)), actions=(CreatePrebuilds(count=3, reason=Reason.PROBING),)
    )

    (decision,) = admit_creations([odd], Snapshot(), Policy(max_in_flight=1))

    assert decision.actions[0] == CreatePrebuilds(count=1, reason=Reason.PROBING)


# Properties


def wanted_and_admitted(
    snapshot: Snapshot, policy: Policy
) -> list[tuple[PresetSnapshot, Decision, Decision]]:
    before = [decision_for(one, policy) for one in snapshot.presets]
    after = admit_creations(before, snapshot, policy)
    return [(old.preset, old, new) for old, new in zip(before, after, strict=True)]


@thorough
@given(hungry_snapshots(), policies)
def test_what_is_admitted_never_exceeds_the_room_in_flight(snapshot: Snapshot, policy: Policy):
    admitted: dict[UUID, int] = defaultdict(int)
    for preset, _, after in wanted_and_admitted(snapshot, policy):
        admitted[preset.organization_id] += created(after.actions)

    for organization_id, number in admitted.items():
        room = max(policy.max_in_flight - snapshot.organizations[organization_id].in_flight, 0)
        assert policy.max_in_flight == 0 or number <= room


@thorough
@given(hungry_snapshots(), policies)
def test_what_is_admitted_never_costs_more_than_the_quota_leaves(
    snapshot: Snapshot, policy: Policy
):
    spent: dict[UUID, int] = defaultdict(int)
    for preset, _, after in wanted_and_admitted(snapshot, policy):
        spent[preset.organization_id] += created(after.actions) * preset.daily_cost

    for organization_id, cost in spent.items():
        organization = snapshot.organizations[organization_id]
        assert cost <= max(organization.quota_allowance - organization.quota_used, 0)


@thorough
@given(hungry_snapshots(), policies)
def test_nothing_is_refused_while_there_is_room_for_it(snapshot: Snapshot, policy: Policy):
    rows = wanted_and_admitted(snapshot, policy)

    for preset, before, after in rows:
        organization = snapshot.organizations[preset.organization_id]
        mates = [row for row in rows if row[0].organization_id == preset.organization_id]
        built = sum(created(mate.actions) for _, _, mate in mates)
        spent = sum(created(mate.actions) * one.daily_cost for one, _, mate in mates)
        quota_left = organization.quota_allowance - organization.quota_used - spent
        for _, reason in held(after.actions)[len(held(before.actions)) :]:
            assert (reason == "quota") <= (preset.daily_cost > quota_left)
            assert (reason == "held_in_flight") <= (
                0 < policy.max_in_flight <= organization.in_flight + built
            )


@thorough
@given(hungry_snapshots(), policies)
def test_no_pool_gets_a_second_prebuild_before_every_emptier_or_equal_one_had_its_turn(
    snapshot: Snapshot, policy: Policy
):
    free = replace(snapshot, presets=tuple(replace(one, daily_cost=0) for one in snapshot.presets))
    rows = wanted_and_admitted(free, policy)

    for preset, before, after in rows:
        for mate, mates_before, mates_after in rows:
            if mate.organization_id != preset.organization_id:
                continue
            mine, wanted = created(after.actions), created(before.actions)
            theirs, they_wanted = created(mates_after.actions), created(mates_before.actions)
            share = before.state.eligible * max(mates_before.state.desired, 1)
            their_share = mates_before.state.eligible * max(before.state.desired, 1)
            assert mine >= min(wanted, theirs - 1)
            assert share >= their_share or mine >= min(wanted, theirs)
            assert theirs <= they_wanted


@thorough
@given(snapshots(), policies)
def test_admission_changes_nothing_but_creations(snapshot: Snapshot, policy: Policy):
    for _, before, after in wanted_and_admitted(snapshot, policy):
        assert others(before) == others(after)
        assert before.state == after.state


@thorough
@given(snapshots(), policies)
def test_what_is_admitted_and_what_is_held_are_what_was_wanted(snapshot: Snapshot, policy: Policy):
    for _, before, after in wanted_and_admitted(snapshot, policy):
        newly_held = sum(
            number
            for number, reason in held(after.actions)
            if reason in {"held_in_flight", "quota"}
        )
        assert created(after.actions) + newly_held == created(before.actions)
        assert all(one.count > 0 for one in creations_and_holds(after))


def others(decision: Decision) -> list:
    return [
        one
        for one in decision.actions
        if not isinstance(one, CreatePrebuilds)
        and not (
            isinstance(one, HoldCreation) and one.reason in {Reason.HELD_IN_FLIGHT, Reason.QUOTA}
        )
    ]


def creations_and_holds(decision: Decision) -> list[CreatePrebuilds | HoldCreation]:
    return [one for one in decision.actions if isinstance(one, CreatePrebuilds | HoldCreation)]
