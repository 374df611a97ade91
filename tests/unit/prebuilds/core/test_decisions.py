"""The steps put together: one decision for every preset that is not skipped."""

from uuid import UUID

from prebuilds.core.actions import CreatePrebuilds, HoldCreation, Reason
from prebuilds.core.decisions import decide, decide_preset
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, Snapshot
from prebuilds.core.state import calculate_state
from tests.unit.prebuilds.core.builders import (
    NOW,
    ORGANIZATION,
    POLICY,
    actions_for,
    deletions,
    make_preset,
    prebuild,
)


def test_nothing_observed_nothing_decided():
    assert decide(Snapshot(), POLICY, NOW) == ()


def test_presets_that_can_be_skipped_get_no_decision():
    gone = make_preset(2, id=UUID(int=1), deleted=True)
    draining = make_preset(2, id=UUID(int=2), deleted=True, running=(prebuild(9),))
    full = make_preset(0, id=UUID(int=3))

    decisions = decide(Snapshot(presets=(gone, draining, full)), POLICY, NOW)

    assert [one.preset.id.int for one in decisions] == [2, 3]
    assert deletions(decisions[0].actions) == [(9, "template_deleted")]
    assert decisions[1].actions == ()


def test_a_decision_carries_the_preset_and_the_numbers_it_was_made_from():
    preset = make_preset(2, running=(prebuild(1),))

    decision = decide_preset(preset, POLICY, NOW)

    assert decision.preset is preset
    assert decision.state == calculate_state(preset, NOW)
    assert decision.actions == actions_for(preset)


def test_creations_are_admitted_before_they_leave_the_core():
    busy = OrganizationSnapshot(in_flight=49)
    snapshot = Snapshot(presets=(make_preset(3),), organizations={ORGANIZATION: busy})

    (decision,) = decide(snapshot, Policy(max_in_flight=50), NOW)

    assert decision.actions == (
        CreatePrebuilds(count=1),
        HoldCreation(count=2, reason=Reason.HELD_IN_FLIGHT),
    )


def test_the_policy_decides_as_the_environment_names_its_defaults():
    assert (
        POLICY.backoff_interval.total_seconds(),
        POLICY.backoff_lookback.total_seconds(),
        POLICY.failure_hard_limit,
        POLICY.max_in_flight,
        POLICY.ready_timeout.total_seconds(),
        POLICY.failed_retention.total_seconds(),
    ) == (60, 3600, 3, 50, 1800, 86400)
