"""Roll up what happened, hour by hour, so that a page over a month stays quick.

Called by housekeeping every few minutes, under a lock of its own: two at once count once. What
was counted from claims is counted anew for the last hours, so a tick that failed costs nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Extract, TruncHour

from prebuilds import locks, observation
from prebuilds.conf import current_policy
from prebuilds.core.state import State, calculate_state
from prebuilds.models import Claim, ClaimOutcome, PoolHour, hour_of
from workspaces.enums import Transition
from workspaces.models import Agent

AN_HOUR: Final = timedelta(hours=1)
RECOUNT: Final = timedelta(hours=3)
"""How far back claims are counted anew each time."""
LONGEST_GAP: Final = timedelta(minutes=15)
"""A longer time between two samples says nothing of how long prebuilds were idle in it."""
WAIT_LIMIT: Final = timedelta(days=1)
"""A workspace that is not ready after a day is not waited for any longer."""
BATCH_SIZE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """What one roll-up did; all zero when another one was at it."""

    pools: int = 0
    hours: int = 0
    waits: int = 0
    pruned: int = 0


def roll_up(*, now: datetime) -> RollUp:
    """Sample all pools, count claims by the hour, note how long people waited, forget old hours."""
    with transaction.atomic():
        if not locks.try_history_lock():
            return RollUp()
        return RollUp(
            pools=_sample_pools(now),
            hours=_count_claims(now),
            waits=_note_waits(now),
            pruned=_prune(now),
        )


def _sample_pools(now: datetime) -> int:
    """Add a look at every active pool to its hour."""
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        snapshot = observation.take_snapshot(current_policy(), now=now)
    states = {
        preset.id: calculate_state(preset, now) for preset in snapshot.presets if preset.is_active
    }
    hour = hour_of(now)
    known = {row.preset_id: row for row in PoolHour.objects.filter(hour=hour)}
    last = _last_samples(now)
    rows = [
        _sampled(known.get(key) or PoolHour(preset_id=key, hour=hour), state, last.get(key), now)
        for key, state in states.items()
    ]
    _store(rows, ["samples", "desired_sum", "ready_sum", "ready_min", "idle_seconds", "sampled_at"])
    return len(rows)


def _last_samples(now: datetime) -> dict[UUID, datetime]:
    recent = PoolHour.objects.filter(hour__gte=hour_of(now - LONGEST_GAP))
    latest = recent.values("preset_id").annotate(at=Max("sampled_at"))
    return {row["preset_id"]: row["at"] for row in latest if row["at"]}


def _sampled(row: PoolHour, state: State, last: datetime | None, now: datetime) -> PoolHour:
    gap = now - last if last else timedelta()
    row.samples += 1
    row.desired_sum += state.desired
    row.ready_sum += state.eligible
    row.ready_min = min(
        state.eligible, row.ready_min if row.ready_min is not None else state.eligible
    )
    if timedelta() < gap <= LONGEST_GAP:
        row.idle_seconds += round(state.eligible * gap.total_seconds())
    row.sampled_at = now
    return row


def _count_claims(now: datetime) -> int:
    """Count the claims of the last hours anew; of all hours the first time."""
    claims = Claim.objects.filter(preset__isnull=False)
    if PoolHour.objects.filter(Q(warm__gt=0) | Q(cold__gt=0)).exists():
        claims = claims.filter(created_at__gte=hour_of(now - RECOUNT))
    else:
        claims = claims.filter(created_at__gte=_oldest(now))
    rows = [PoolHour(**counts) for counts in count_by_hour(claims)]
    _store(rows, ["warm", "cold"])
    return len(rows)


def count_by_hour(claims: QuerySet[Claim]) -> Iterable[Mapping[str, Any]]:
    """Return preset_id, hour, warm and cold of each hour that has a claim."""
    return (
        claims.annotate(hour=TruncHour("created_at"))
        .values("preset_id", "hour")
        .annotate(
            warm=Count("pk", filter=Q(outcome=ClaimOutcome.WARM)),
            cold=Count("pk", filter=Q(outcome=ClaimOutcome.COLD)),
        )
        .order_by()
    )


def _note_waits(now: datetime) -> int:
    """Note how long people waited from asking until their workspace was ready as theirs."""
    ready = (
        Agent.objects.filter(
            resource__build__workspace=OuterRef("workspace"),
            resource__build__initiator=OuterRef("user"),
            resource__build__transition=Transition.START,
            ready_at__gte=OuterRef("created_at"),
        )
        .order_by("resource__build__build_number", "-ready_at")
        .annotate(wait=Extract(F("ready_at") - OuterRef("created_at"), "epoch"))
    )
    waiting = Claim.objects.filter(
        wait_seconds__isnull=True, workspace__isnull=False, created_at__gte=now - WAIT_LIMIT
    )
    known = waiting.annotate(wait=Subquery(ready.values("wait")[:1])).filter(wait__isnull=False)
    return known.update(wait_seconds=Subquery(ready.values("wait")[:1]))


def _prune(now: datetime) -> int:
    deleted, _ = PoolHour.objects.filter(hour__lt=_oldest(now)).delete()
    return deleted


def _store(rows: list[PoolHour], fields: list[str]) -> None:
    PoolHour.objects.bulk_create(
        rows,
        batch_size=BATCH_SIZE,
        update_conflicts=True,
        unique_fields=["preset", "hour"],
        update_fields=fields,
    )


def _oldest(now: datetime) -> datetime:
    kept: timedelta = settings.PREBUILDS_HISTORY_RETENTION
    return hour_of(now - kept)
