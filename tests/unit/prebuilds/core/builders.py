"""Words for tables of cases: a preset and the rows that count for it, said briefly.

All ages count back from `NOW`, a Wednesday noon. Numbers stand for ids.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from prebuilds.core.actions import (
    Action,
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    SetStatus,
)
from prebuilds.core.decisions import decide_preset
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import (
    Attempt,
    FailedDeletion,
    FailedPrebuild,
    PendingStart,
    PresetSnapshot,
    RunningPrebuild,
)

Kind = TypeVar("Kind")

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
NONE = timedelta(0)
TICK = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLICY = Policy()
ORGANIZATION = UUID(int=900)


def make_preset(desired: int = 2, **changes) -> PresetSnapshot:
    preset = PresetSnapshot(
        id=UUID(int=901),
        name="large",
        template_id=UUID(int=902),
        template_name="django",
        version_id=UUID(int=903),
        version_name="v1",
        organization_id=ORGANIZATION,
        organization_name="acme",
        using_active_version=True,
        deleted=False,
        deprecated=False,
        desired_instances=desired,
    )
    return replace(preset, **changes)


def prebuild(
    number: int,
    *,
    age: timedelta = 10 * MINUTE,
    up: timedelta | None = None,
    ready: bool = True,
    lost: timedelta | None = None,
) -> RunningPrebuild:
    """A running prebuild, created `age` ago, running since `up` ago, its agent `lost` ago."""
    return RunningPrebuild(
        id=UUID(int=number),
        created_at=NOW - age,
        started_at=NOW - (age if up is None else up),
        ready=ready,
        lost_ready_at=None if lost is None else NOW - lost,
    )


def pending(number: int, *, age: timedelta = MINUTE) -> PendingStart:
    return PendingStart(
        workspace_id=UUID(int=number), job_id=UUID(int=1_000 + number), created_at=NOW - age
    )


def failed(number: int, *, ago: timedelta = HOUR, canceled: bool = False) -> FailedPrebuild:
    return FailedPrebuild(id=UUID(int=number), ended_at=NOW - ago, canceled=canceled)


def failed_deletion(number: int, *, tries: int, ago: timedelta) -> FailedDeletion:
    return FailedDeletion(id=UUID(int=number), tries=tries, ended_at=NOW - ago)


def attempt(outcome: str, *, ago: timedelta, took: timedelta = 30 * SECOND) -> Attempt:
    """An attempt that finished `ago`: "F" failed, "S" succeeded."""
    finished_at = NOW - ago
    return Attempt(
        created_at=finished_at - took,
        finished_at=finished_at,
        failed={"F": True, "S": False}[outcome],
    )


def history(outcomes: str, *, newest: timedelta, apart: timedelta = MINUTE) -> tuple[Attempt, ...]:
    """Attempts newest first, such as "FFS"; the newest finished `newest` ago."""
    return tuple(
        attempt(outcome, ago=newest + rank * apart) for rank, outcome in enumerate(outcomes)
    )


LONG_AGO = 2 * POLICY.backoff_lookback


def decision_for(preset: PresetSnapshot, policy: Policy = POLICY, now: datetime = NOW) -> Decision:
    return decide_preset(preset, policy, now)


def actions_for(
    preset: PresetSnapshot, policy: Policy = POLICY, now: datetime = NOW
) -> tuple[Action, ...]:
    return decide_preset(preset, policy, now).actions


def deletions(actions: Iterable[Action]) -> list[tuple[int, str]]:
    """Id numbers and reasons of what is deleted, in order."""
    return [(one.workspace_id.int, one.reason.value) for one in of_kind(actions, DeletePrebuild)]


def cancellations(actions: Iterable[Action]) -> list[tuple[int, str]]:
    """Id numbers and reasons of what is cancelled, in order."""
    return [
        (build.workspace_id.int, one.reason.value)
        for one in of_kind(actions, CancelPending)
        for build in one.builds
    ]


def created(actions: Iterable[Action]) -> int:
    return sum(one.count for one in of_kind(actions, CreatePrebuilds))


def held(actions: Iterable[Action]) -> list[tuple[int, str]]:
    """Counts and reasons of what is withheld, in order."""
    return [(one.count, one.reason.value) for one in of_kind(actions, HoldCreation)]


def statuses(actions: Iterable[Action]) -> list[tuple[str, str]]:
    """New statuses and their reasons, in order."""
    return [(one.status.value, one.reason.value) for one in of_kind(actions, SetStatus)]


def of_kind(actions: Iterable[Action], kind: type[Kind]) -> list[Kind]:
    return [one for one in actions if isinstance(one, kind)]
