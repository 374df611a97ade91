"""OBSERVE: read everything a cycle decides from (semantics.md 2).

A constant number of statements on the alias `snapshot`, whatever the number of presets; the
caller holds its transaction. Storage words become the core's words here and nowhere else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, connections

from accounts.system import PREBUILDS_USER_ID
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import (
    Attempt,
    FailedDeletion,
    FailedPrebuild,
    OrganizationSnapshot,
    PendingStart,
    PresetSnapshot,
    RunningPrebuild,
    Snapshot,
    Status,
)
from prebuilds.locks import SNAPSHOT_ALIAS
from prebuilds.models import PrebuildsSettings
from prebuilds.observation import statements
from templates_app.schedules import Schedule
from workspaces.machines import OFFLINE_AFTER

Row = tuple[Any, ...]
ENDED, READY, LOST = 6, 7, 8
_TIMES = psycopg.adapters.get_loader(
    psycopg.adapters.types["timestamptz"].oid, psycopg.pq.Format.TEXT
)


class _Members:
    """The prebuilds of one preset, sorted by what is happening to them."""

    __slots__ = (
        "deleting",
        "failed",
        "failed_deletions",
        "pending",
        "running",
        "starting",
        "stopping",
    )

    def __init__(self) -> None:
        self.running: list[RunningPrebuild] = []
        self.pending: list[PendingStart] = []
        self.failed: list[FailedPrebuild] = []
        self.failed_deletions: list[FailedDeletion] = []
        self.starting = self.stopping = self.deleting = 0


def take_snapshot(
    policy: Policy,
    *,
    now: datetime,
    using: str = SNAPSHOT_ALIAS,
    only: UUID | None = None,
    poolless: bool = False,
) -> Snapshot:
    """Read the snapshot; only two statements when no preset has a pool.

    `only` narrows it to one preset and leaves out the organizations' numbers. `poolless` shows
    presets whose pool was taken away, too, while prebuilds of it live; no cycle looks at those.
    """
    fetch = partial(_fetch, using, only=only)
    members = _sort_members(_one_row_each(fetch(statements.PREBUILDS)))
    presets = fetch(statements.PRESETS, occupied=list(members), poolless=poolless)
    if not presets:
        return Snapshot()
    schedules = _schedules(fetch(statements.SCHEDULES))
    attempts = _attempts(
        fetch(
            statements.ATTEMPTS,
            hard_limit=policy.failure_hard_limit,
            since=now - policy.backoff_lookback,
        )
    )
    nobody = _Members()
    return Snapshot(
        presets=tuple(
            _preset(row, schedules[row[0]], members.get(str(row[0]), nobody), attempts[row[0]])
            for row in presets
        ),
        organizations={}
        if only
        else {
            row[0]: _organization(row)
            for row in fetch(statements.ORGANIZATIONS, heard_since=now - OFFLINE_AFTER)
        },
    )


def is_paused(now: datetime) -> bool:
    """Return whether people have paused reconciliation at this instant (semantics.md 19)."""
    row = PrebuildsSettings.objects.filter(reconciliation_paused=True).first()
    return row is not None and row.is_paused(now)


def begin_run(now: datetime) -> tuple[int, bool]:
    """Return the id that the record of a cycle will have, and whether people have paused.

    Spans and log lines name the id before the record is written.
    """
    with connection.cursor() as cursor:
        cursor.execute(statements.BEGIN_RUN)
        ((run_id, until, paused),) = cursor.fetchall()
    said = PrebuildsSettings(reconciliation_paused=paused, paused_until=until)
    return int(run_id), said.is_paused(now)


def _fetch(
    using: str, sql: str, **parameters: int | datetime | UUID | list[str] | None
) -> list[Row]:
    with connections[using].cursor() as cursor:
        # Django reads times by a loader in Python; its sessions are in UTC, so psycopg's own in C
        # says the same, and a large snapshot takes half as long.
        cursor.adapters.register_loader("timestamptz", _TIMES)
        cursor.execute(sql, {"prebuilds": PREBUILDS_USER_ID, **parameters})
        rows: list[Row] = cursor.fetchall()
    return rows


def _one_row_each(rows: Sequence[Row]) -> Iterable[Row]:
    """Merge the rows of a prebuild that has several agents: ready when all of them are."""
    if len({row[0].int for row in rows}) == len(rows):
        return rows
    merged: dict[UUID, Row] = {}
    for row in rows:
        other = merged.setdefault(row[0], row)
        lost = max((at for at in (other[LOST], row[LOST]) if at), default=None)
        told = (other[ENDED] or row[ENDED], other[READY] and row[READY], lost)
        merged[row[0]] = (*row[:ENDED], *told, *row[LOST + 1 :])
    return merged.values()


def _sort_members(rows: Iterable[Row]) -> dict[str, _Members]:
    members: dict[str, _Members] = defaultdict(_Members)
    for row in rows:
        _sort_member(members[row[2]], row)
    return members


def _sort_member(group: _Members, row: Row) -> None:
    """Put one prebuild where it counts; a stopped one is parked by a human and counts nowhere."""
    workspace_id, created_at, _, transition, status, pending_job_id = row[:6]
    ended_at, ready, lost_ready_at, tries = row[6:]
    match transition, status:
        case "start", "succeeded":
            group.running.append(
                RunningPrebuild(
                    id=workspace_id,
                    created_at=created_at,
                    started_at=ended_at,
                    ready=ready,
                    lost_ready_at=lost_ready_at,
                )
            )
        case "start", "pending" | "running":
            group.starting += 1
            if pending_job_id:
                group.pending.append(
                    PendingStart(
                        workspace_id=workspace_id, job_id=pending_job_id, created_at=created_at
                    )
                )
        case "start", "failed" | "canceled":
            group.failed.append(
                FailedPrebuild(id=workspace_id, ended_at=ended_at, canceled=status == "canceled")
            )
        case "stop", "pending" | "running":
            group.stopping += 1
        case "delete", "pending" | "running":
            group.deleting += 1
        case "delete", "failed" | "canceled":
            group.failed_deletions.append(
                FailedDeletion(id=workspace_id, tries=max(tries, 1), ended_at=ended_at)
            )


def _preset(
    row: Row, schedules: Sequence[Schedule], members: _Members, attempts: Sequence[Attempt]
) -> PresetSnapshot:
    return PresetSnapshot(
        id=row[0],
        name=row[1],
        template_id=row[2],
        template_name=row[3],
        version_id=row[4],
        version_name=row[5],
        organization_id=row[6],
        organization_name=row[7],
        using_active_version=row[8],
        deleted=row[9],
        deprecated=row[10],
        desired_instances=row[11],
        ttl=timedelta(seconds=row[12]) if row[12] else None,
        scheduling_timezone=row[13],
        last_invalidated_at=row[14],
        status=Status(row[15]),
        status_reason=row[16],
        daily_cost=row[17],
        icon=row[18],
        template_display_name=row[19] or row[3],
        template_icon=row[20],
        schedules=tuple(schedules),
        running=tuple(members.running),
        starting=members.starting,
        stopping=members.stopping,
        deleting=members.deleting,
        pending=tuple(members.pending),
        attempts=tuple(attempts),
        failed=tuple(members.failed),
        failed_deletions=tuple(members.failed_deletions),
    )


def _schedules(rows: Iterable[Row]) -> dict[UUID, list[Schedule]]:
    found: dict[UUID, list[Schedule]] = defaultdict(list)
    for preset_id, expression, instances in rows:
        found[preset_id].append(Schedule(expression=expression, desired_instances=instances))
    return found


def _attempts(rows: Iterable[Row]) -> dict[UUID, list[Attempt]]:
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    for preset_id, created_at, finished_at, failed in rows:
        found[preset_id].append(
            Attempt(created_at=created_at, finished_at=finished_at, failed=failed)
        )
    return found


def _organization(row: Row) -> OrganizationSnapshot:
    return OrganizationSnapshot(
        quota_allowance=int(row[1]), in_flight=row[2], quota_used=int(row[3])
    )
