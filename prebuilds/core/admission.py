"""Share what an organization can take among its presets (semantics.md 4 and 13).

Deletions are never cut. Creations are, by the number of builds in flight and by the quota; the
presets furthest below their desired count go first, one prebuild at a time in turn.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from prebuilds.core.actions import Action, CreatePrebuilds, Decision, HoldCreation, Reason
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, Snapshot


@dataclass(slots=True)
class _Room:
    """What is left of an organization's limits; None means no limit."""

    builds: int | None
    cost: int

    def refuses(self, cost: int) -> Reason | None:
        """Return why one more prebuild of this daily cost does not fit."""
        if cost > 0 and cost > self.cost:
            return Reason.QUOTA
        if self.builds is not None and self.builds <= 0:
            return Reason.HELD_IN_FLIGHT
        return None

    def take(self, cost: int) -> None:
        self.cost -= cost
        if self.builds is not None:
            self.builds -= 1


def admit_creations(
    decisions: Sequence[Decision], snapshot: Snapshot, policy: Policy
) -> tuple[Decision, ...]:
    """Return the decisions with creations cut to what fits, and holds for what does not."""
    admitted: dict[UUID, int] = {}
    refused: dict[UUID, Reason] = {}
    for organization_id, wanting in _by_organization(decisions).items():
        organization = snapshot.organizations.get(organization_id, OrganizationSnapshot())
        _share(wanting, _room(organization, policy), admitted, refused)
    return tuple(_apply(decision, admitted, refused) for decision in decisions)


def _share(
    wanting: Iterable[Decision],
    room: _Room,
    admitted: dict[UUID, int],
    refused: dict[UUID, Reason],
) -> None:
    """Admit one prebuild per preset in turn, the emptiest pool first, until nothing fits."""
    queue = sorted(wanting, key=_emptiest_first)
    while queue:
        queue = [one for one in queue if _admit_one(one, room, admitted, refused)]


def _admit_one(
    decision: Decision, room: _Room, admitted: dict[UUID, int], refused: dict[UUID, Reason]
) -> bool:
    """Admit one prebuild and return whether the preset wants and may have another turn."""
    preset = decision.preset
    reason = room.refuses(preset.daily_cost)
    if reason:
        refused[preset.id] = reason
        return False
    room.take(preset.daily_cost)
    admitted[preset.id] = admitted.get(preset.id, 0) + 1
    return admitted[preset.id] < _wanted(decision)


def _apply(
    decision: Decision, admitted: Mapping[UUID, int], refused: Mapping[UUID, Reason]
) -> Decision:
    wanted, granted = _wanted(decision), admitted.get(decision.preset.id, 0)
    if granted == wanted:
        return decision
    actions: list[Action] = []
    for action in decision.actions:
        if not isinstance(action, CreatePrebuilds):
            actions.append(action)
            continue
        if granted:
            actions.append(replace(action, count=granted))
        actions.append(HoldCreation(count=wanted - granted, reason=refused[decision.preset.id]))
    return replace(decision, actions=tuple(actions))


def _room(organization: OrganizationSnapshot, policy: Policy) -> _Room:
    limit = policy.max_in_flight
    return _Room(
        builds=max(limit - organization.in_flight, 0) if limit else None,
        cost=organization.quota_allowance - organization.quota_used,
    )


def _by_organization(decisions: Iterable[Decision]) -> dict[UUID, list[Decision]]:
    groups: dict[UUID, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if _wanted(decision):
            groups[decision.preset.organization_id].append(decision)
    return groups


def _wanted(decision: Decision) -> int:
    return sum(one.count for one in decision.actions if isinstance(one, CreatePrebuilds))


def _emptiest_first(decision: Decision) -> tuple[float, str, UUID]:
    state = decision.state
    return state.eligible / max(state.desired, 1), decision.preset.label, decision.preset.id
