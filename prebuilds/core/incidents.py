"""Say what people should know of: incidents that last as long as their cause (semantics.md 21).

No I/O, no clock: the same decision that the reconciler carries out says what is the matter.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from prebuilds.core.actions import (
    CreatePrebuilds,
    Decision,
    HoldCreation,
    Reason,
    SetStatus,
    is_stuck,
)
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, Snapshot, Status

WARN_AT_PERCENT: Final = 80
"""How much of the allowance may be used before people are warned (semantics.md 13)."""
MOST_NAMED: Final = 20
"""How many workspaces an incident lists by id; the rest is counted."""


class IncidentKind(StrEnum):
    """What is the matter; a closed vocabulary, the same everywhere it is shown."""

    HARD_LIMITED = "hard_limited"
    VALIDATION_FAILED = "validation_failed"
    BAD_SCHEDULE = "bad_schedule"
    QUOTA = "quota"
    QUOTA_WARNING = "quota_warning"
    STUCK_DELETION = "stuck_deletion"
    RESOURCE_REPLACED = "resource_replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that is the matter now with a preset, or with an organization (`preset_id` None).

    An empty `detail` means that the words are those of the newest failed build, which the
    snapshot does not carry. `facts` are comparable as JSON.
    """

    kind: IncidentKind
    organization_id: UUID
    preset_id: UUID | None = None
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def notices_due(decision: Decision, policy: Policy) -> tuple[Incident, ...]:
    """Return what is the matter with one preset, at most one incident of a kind."""
    return tuple(
        Incident(
            kind=kind,
            organization_id=decision.preset.organization_id,
            preset_id=decision.preset.id,
            detail=detail,
            facts=facts,
        )
        for kind, detail, facts in _troubles(decision, policy)
    )


def quota_warnings(snapshot: Snapshot, barred: Collection[UUID] = ()) -> tuple[Incident, ...]:
    """Return the organizations whose prebuilds use most of their allowance; the barred left out."""
    return tuple(
        Incident(
            kind=IncidentKind.QUOTA_WARNING,
            organization_id=organization_id,
            detail=_nearly_used_up(organization),
            facts={"used": organization.quota_used, "allowance": organization.quota_allowance},
        )
        for organization_id, organization in snapshot.organizations.items()
        if organization_id not in barred and _is_nearly_used_up(organization)
    )


def still_nearly_used_up(snapshot: Snapshot, decisions: Iterable[Decision]) -> frozenset[UUID]:
    """Return the organizations that are to be warned of once their pools are refilled.

    A claim takes its cost along, and the cycle that sees it asks for the next prebuild. So a
    warning does not end in between: every claim would be two mails.
    """
    refill = Counter[UUID]()
    for decision in decisions:
        refill[decision.preset.organization_id] += _coming(decision) * decision.preset.daily_cost
    return frozenset(
        organization_id
        for organization_id, organization in snapshot.organizations.items()
        if _is_nearly_used_up(
            replace(organization, quota_used=organization.quota_used + refill[organization_id])
        )
    )


_Trouble = tuple[IncidentKind, str, dict[str, Any]]


def _troubles(decision: Decision, policy: Policy) -> Iterator[_Trouble]:
    """Find what is wrong; an old version can only still be stuck with its deletions."""
    if decision.preset.is_active:
        yield from _status_trouble(decision)
        if problem := decision.state.schedule_problem:
            yield IncidentKind.BAD_SCHEDULE, problem, {}
        yield from _quota_trouble(decision)
    stuck = sorted(
        str(one.id) for one in decision.preset.failed_deletions if is_stuck(one.tries, policy)
    )
    if stuck:
        facts = {"count": len(stuck), "workspaces": stuck[:MOST_NAMED]}
        yield IncidentKind.STUCK_DELETION, "", facts


def _status_trouble(decision: Decision) -> Iterator[_Trouble]:
    """Look at the status the preset has once the decision is carried out."""
    status = decision.preset.status
    for action in decision.actions:
        if isinstance(action, SetStatus):
            status = action.status
    if status == Status.HARD_LIMITED:
        yield IncidentKind.HARD_LIMITED, "", {}
    if status == Status.VALIDATION_FAILED:
        words = decision.preset.status_reason or "The preset's parameters do not validate."
        yield IncidentKind.VALIDATION_FAILED, words, {}


def _quota_trouble(decision: Decision) -> Iterator[_Trouble]:
    held = sum(
        action.count
        for action in decision.actions
        if isinstance(action, HoldCreation) and action.reason == Reason.QUOTA
    )
    if held:
        cost = decision.preset.daily_cost
        yield IncidentKind.QUOTA, _held(held, cost), {"held": held, "daily_cost": cost}


def _coming(decision: Decision) -> int:
    """Count what this cycle creates, and what waits for nothing but builds under way."""
    return sum(
        action.count
        for action in decision.actions
        if isinstance(action, CreatePrebuilds)
        or (isinstance(action, HoldCreation) and action.reason == Reason.HELD_IN_FLIGHT)
    )


def _held(count: int, cost: int) -> str:
    waits = "1 prebuild waits" if count == 1 else f"{count} prebuilds wait"
    return (
        f"{waits}: at a daily cost of {cost} each, no more fit into the quota of the prebuilds "
        "group. Raise its allowance."
    )


def _is_nearly_used_up(organization: OrganizationSnapshot) -> bool:
    """Return whether something that costs uses most of what is allowed; cost 0 never counts."""
    used = organization.quota_used
    return used > 0 and used * 100 >= organization.quota_allowance * WARN_AT_PERCENT


def _nearly_used_up(organization: OrganizationSnapshot) -> str:
    return (
        f"Prebuilds use {organization.quota_used} of the {organization.quota_allowance} a day "
        "that the prebuilds group may spend. Raise its allowance before pools are held back."
    )
