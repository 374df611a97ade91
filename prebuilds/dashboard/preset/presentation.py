"""Turn a look at one pool into what its page says. Pure; the clock arrives as an argument."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from prebuilds.core.health import describe_health
from prebuilds.core.snapshot import RunningPrebuild
from prebuilds.core.state import State, is_invalidated, outlived
from prebuilds.dashboard.base.wording import say_duration, say_list
from prebuilds.dashboard.pools.bar import PoolBar, draw_bar
from prebuilds.dashboard.pools.healths import HEALTHS, Health
from prebuilds.dashboard.pools.searches import members_query
from prebuilds.dashboard.preset.queries import Look
from prebuilds.dashboard.runs.presentation import DecisionView, say_decision
from prebuilds.dashboard.workspaces.status import Status, status_of
from prebuilds.models import ReconcileDecision
from templates_app.forecast import Forecast
from workspaces.enums import JobStatus, Transition
from workspaces.models import Workspace

NO_POOL: Final = Health(
    key="no_pool", word="No pool", icon="circle-dashed", tone="off", meaning="Keeps no prebuilds"
)
GONE: Final = Health(
    key="gone", word="Not in use", icon="archive", tone="off", meaning="Not the active version"
)
UNDER_WAY: Final = frozenset({JobStatus.PENDING, JobStatus.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the bar draws."""

    desired: int = 0
    ready: int = 0
    unready: int = 0
    starting: int = 0
    expired: int = 0
    deleting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What explains the number: who asks for it, until when, and what is there."""

    desired: int
    by: str
    until: datetime | None
    following: int | None
    there: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One prebuild. `left` is empty when it never expires."""

    workspace: Workspace
    status: Status
    version: str
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """The live part of the page."""

    health: Health
    reason: str
    next_at: datetime | None
    counts: Counts
    bar: PoolBar
    sentence: Sentence | None
    members: tuple[Member, ...]
    members_query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionGroup:
    """Cycles in a row that decided alike: the latest, and how many more."""

    latest: DecisionView
    others: int


def present_pool(
    look: Look, *, forecast: Forecast | None, usual: timedelta | None, now: datetime
) -> PoolView:
    """Return how the pool is, why, and what is in it."""
    health, reason, next_at = _health(look)
    state = look.decision.state if look.decision else None
    counts = _counts(state) if state else Counts()
    running = {one.id: one for one in look.decision.preset.running} if look.decision else {}
    return PoolView(
        health=health,
        reason=reason,
        next_at=next_at,
        counts=counts,
        bar=draw_bar(counts),
        sentence=_sentence(look, state, forecast, usual, now) if state and has_pool(look) else None,
        members=tuple(_member(one, look, running, now) for one in look.members),
        members_query=members_query(look.preset.version.template.name, look.preset.name),
    )


def has_pool(look: Look) -> bool:
    """Return whether the preset keeps a pool that cycles look at."""
    snapshot = look.decision.preset if look.decision else None
    return look.preset.desired_instances is not None and bool(snapshot and snapshot.is_active)


def group_decisions(decisions: Iterable[ReconcileDecision]) -> list[DecisionGroup]:
    """Return decisions, newest first, with those said once that are alike in a row."""
    said = [say_decision(one) for one in decisions]
    groups = groupby(said, key=lambda one: (one.actions, one.numbers, one.decision.error))
    return [
        DecisionGroup(latest=latest, others=len(list(others)))
        for latest, *others in (list(group) for _, group in groups)
    ]


def _health(look: Look) -> tuple[Health, str, datetime | None]:
    if look.preset.desired_instances is None:
        left = len(look.members)
        more = f" {left} made before go on running; nobody looks after them." if left else ""
        return NO_POOL, f"This preset keeps no prebuilds: people wait for a build.{more}", None
    if look.decision is None:
        return GONE, "It belongs to a version that is not in use, and nothing of it is left.", None
    found = describe_health(look.decision, paused=look.paused)
    return HEALTHS[found.word], found.reason, found.next_at


def _counts(state: State) -> Counts:
    return Counts(
        desired=state.desired,
        ready=state.eligible,
        unready=max(state.actual - state.expired - state.eligible, 0),
        starting=state.starting,
        expired=state.expired,
        deleting=state.deleting,
    )


def _sentence(
    look: Look, state: State, forecast: Forecast | None, usual: timedelta | None, now: datetime
) -> Sentence:
    step = next((one for one in forecast.steps[1:]), None) if forecast else None
    return Sentence(
        desired=state.desired,
        by=state.schedule.expression if state.schedule else "",
        until=step.at if step else None,
        following=step.instances if step else None,
        there=_there(look, state, usual, now),
    )


def _there(look: Look, state: State, usual: timedelta | None, now: datetime) -> str:
    counts = _counts(state)
    parts = [f"{counts.ready} ready"]
    if counts.starting:
        since = _since(look.members)
        parts.append(
            f"{counts.starting} starting" + (f" since {say_duration(now - since)}" if since else "")
        )
    for number, word in ((counts.unready, "not ready yet"), (counts.expired, "expired")):
        if number:
            parts.append(f"{number} {word}")
    if counts.deleting:
        parts.append(f"{counts.deleting} being deleted")
    said = say_list(parts)
    return f"{said}; usually ready after {say_duration(usual)}" if usual else said


def _since(members: Sequence[Workspace]) -> datetime | None:
    """Return when the oldest of those that are starting was asked for."""
    return min((one.created_at for one in members if _is_starting(one)), default=None)


def _is_starting(workspace: Workspace) -> bool:
    build = workspace.latest_build
    return bool(build and build.transition == Transition.START and build.job.status in UNDER_WAY)


def _member(
    workspace: Any, look: Look, running: Mapping[UUID, RunningPrebuild], now: datetime
) -> Member:
    build = workspace.latest_build
    status = status_of(build.transition, build.job.status, workspace.agent_states)
    ttl = timedelta(seconds=look.preset.ttl_seconds or 0)
    found = running.get(workspace.pk)
    if found and look.decision and (why := _expiry(found, look, now)):
        status = Status(word=why, icon="clock", tone="warn")
    left = workspace.created_at + ttl - now if ttl else None
    return Member(
        workspace=workspace,
        status=status,
        version=build.template_version.name,
        left=_say_left(left),
    )


def _expiry(found: RunningPrebuild, look: Look, now: datetime) -> str:
    assert look.decision is not None
    snapshot = look.decision.preset
    if is_invalidated(found, snapshot):
        return "Invalidated"
    return "Expired" if outlived(found, snapshot, now) else ""


def _say_left(left: timedelta | None) -> str:
    if left is None:
        return ""
    return say_duration(left) if left > timedelta(0) else "none"
