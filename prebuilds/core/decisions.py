"""Put the steps together: a snapshot in, one decision per preset out."""

from datetime import datetime

from prebuilds.core.actions import Decision, calculate_actions, can_skip
from prebuilds.core.admission import admit_creations
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import PresetSnapshot, Snapshot
from prebuilds.core.state import calculate_state


def decide(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[Decision, ...]:
    """Return the decision for every preset that is not skipped, creations admitted.

    Reconciler, dry run, dashboard and metrics all use this one, so they cannot disagree.
    """
    decisions = [
        decide_preset(preset, policy, now) for preset in snapshot.presets if not can_skip(preset)
    ]
    return admit_creations(decisions, snapshot, policy)


def decide_preset(preset: PresetSnapshot, policy: Policy, now: datetime) -> Decision:
    """Return what to do for one preset, before admission shares out what all may take."""
    state = calculate_state(preset, now)
    return Decision(
        preset=preset, state=state, actions=calculate_actions(preset, state, policy, now)
    )
