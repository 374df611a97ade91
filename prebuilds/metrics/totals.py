"""Count what happened: totals up to a mark, and the rows since then (semantics.md 20).

The mark stays MARGIN behind the clock, because a row's time is when its transaction began: what
is older than that is committed. A reader takes both parts from one snapshot, so that a mark that
moves meanwhile makes no counter fall. What ended before it began, by a clock that was set back or
by that of another machine, took no time: a sum never falls, either.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connections, transaction

from accounts.system import PREBUILDS_USER_ID
from prebuilds import locks
from prebuilds.models import MetricMark, MetricTotal

MARGIN: Final = timedelta(minutes=10)
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
BATCH_SIZE: Final = 1_000

CYCLE_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CLAIM_BOUNDS: Final = (1, 5, 10, 20, 30, 60, 120, 180, 240, 300)
CREATION_BOUNDS: Final = (1, 10, 30, 60, 300, 600, 1800, 3600)
BOUNDS: Final[Mapping[str, tuple[float, ...]]] = {
    "cycle_seconds": CYCLE_BOUNDS,
    "claim_seconds": CLAIM_BOUNDS,
    "creation_seconds": CREATION_BOUNDS,
}
"""The metrics that are histograms, each with its buckets' upper bounds."""

COUNT_SINCE: Final = """
WITH ended AS (
    SELECT build.preset_id, version.template_id, build.stage, build.build_number,
           build.transition, build.initiator_id, build.replacements, job.error, job.canceled_at,
           greatest(extract(epoch FROM job.completed_at - build.created_at), 0) AS seconds
      FROM workspaces_provisionerjob AS job
      JOIN workspaces_workspacebuild AS build ON build.job_id = job.id
      JOIN templates_app_templateversion AS version ON version.id = build.template_version_id
     WHERE job.completed_at > %(since)s AND job.completed_at <= %(until)s
),
happened AS (
    SELECT 'created' AS metric, version.template_id, build.preset_id, '' AS kind,
           NULL::float8 AS seconds
      FROM workspaces_workspacebuild AS build
      JOIN templates_app_templateversion AS version ON version.id = build.template_version_id
     WHERE build.created_at > %(since)s AND build.created_at <= %(until)s
       AND build.build_number = 1 AND build.transition = 'start'
       AND build.initiator_id = %(prebuilds)s AND build.preset_id IS NOT NULL
     UNION ALL
    SELECT 'failed', template_id, preset_id, '', NULL FROM ended
     WHERE build_number = 1 AND transition = 'start' AND initiator_id = %(prebuilds)s
       AND preset_id IS NOT NULL AND error <> ''
     UNION ALL
    SELECT 'replaced', template_id, preset_id, '', NULL FROM ended
     WHERE stage = 'prebuild_claim' AND error = '' AND replacements <> '[]'::jsonb
     UNION ALL
    SELECT 'claim_seconds', template_id, preset_id, '', seconds FROM ended
     WHERE stage = 'prebuild_claim' AND error = '' AND canceled_at IS NULL
     UNION ALL
    SELECT 'creation_seconds', template_id, preset_id,
           CASE WHEN initiator_id = %(prebuilds)s THEN 'prebuild' ELSE 'regular' END, seconds
      FROM ended
     WHERE build_number = 1 AND transition = 'start' AND error = '' AND canceled_at IS NULL
     UNION ALL
    SELECT 'claims', template_id, preset_id, outcome || ' ' || reason, NULL
      FROM prebuilds_claim
     WHERE created_at > %(since)s AND created_at <= %(until)s
     UNION ALL
    SELECT 'cycle_seconds', NULL, NULL, '',
           greatest(extract(epoch FROM completed_at - started_at), 0)
      FROM prebuilds_reconcilerun
     WHERE completed_at > %(since)s AND completed_at <= %(until)s AND lock_acquired
)
SELECT metric, template_id, preset_id, kind,
       CASE metric WHEN 'cycle_seconds' THEN
                (SELECT count(*) FROM unnest(%(cycle_seconds)s::float8[]) AS bound
                  WHERE bound < seconds)
            WHEN 'claim_seconds' THEN
                (SELECT count(*) FROM unnest(%(claim_seconds)s::float8[]) AS bound
                  WHERE bound < seconds)
            WHEN 'creation_seconds' THEN
                (SELECT count(*) FROM unnest(%(creation_seconds)s::float8[]) AS bound
                  WHERE bound < seconds)
            ELSE 0 END AS bucket,
       count(*), coalesce(sum(seconds), 0)
  FROM happened
 GROUP BY 1, 2, 3, 4, 5
"""

Key = tuple[str, UUID | None, UUID | None, str]


@dataclass(slots=True)
class Total:
    """One series: how often, and for a histogram how much and in which buckets."""

    count: int = 0
    total: float = 0.0
    buckets: list[int] | None = None

    def add(self, count: int, total: float, buckets: list[int] | None) -> None:
        """Add another part of the same series."""
        self.count += count
        self.total += total
        if buckets:
            mine = self.buckets or [0] * len(buckets)
            self.buckets = [a + b for a, b in zip(mine, buckets, strict=True)]


def accumulate(*, now: datetime) -> int:
    """Move the mark on and add what it passes to the totals; return how many series changed.

    One transaction under a lock of its own: 0 when another process is at it.
    """
    until = now - MARGIN
    with transaction.atomic():
        if not locks.try_metrics_lock():
            return 0
        mark = MetricMark.objects.filter(pk=MetricMark.SINGLETON_ID).first()
        since = mark.counted_until if mark else BEGINNING
        if until <= since:
            return 0
        happened = _count(connections["default"], since, until)
        _add_to_totals(happened)
        MetricMark.objects.update_or_create(
            pk=MetricMark.SINGLETON_ID, defaults={"counted_until": until}
        )
    return len(happened)


def read_totals(*, now: datetime) -> dict[Key, Total]:
    """Return every series up to now; three statements on the alias `snapshot`."""
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        mark = MetricMark.objects.using(locks.SNAPSHOT_ALIAS).first()
        found = {_key(row): _total(row) for row in _stored(MetricTotal.objects.all())}
        since = mark.counted_until if mark else BEGINNING
        for key, part in _count(connections[locks.SNAPSHOT_ALIAS], since, now).items():
            found.setdefault(key, Total()).add(part.count, part.total, part.buckets)
    return found


def _stored(rows: Any) -> Iterable[MetricTotal]:
    stored: Iterable[MetricTotal] = rows.using(locks.SNAPSHOT_ALIAS)
    return stored


def _count(connection: Any, since: datetime, until: datetime) -> dict[Key, Total]:
    parameters = {
        "since": since,
        "until": until,
        "prebuilds": PREBUILDS_USER_ID,
        **{metric: [float(bound) for bound in bounds] for metric, bounds in BOUNDS.items()},
    }
    found: dict[Key, Total] = {}
    with connection.cursor() as cursor:
        cursor.execute(COUNT_SINCE, parameters)
        for metric, template_id, preset_id, kind, bucket, count, total in cursor.fetchall():
            buckets = _one_bucket(metric, bucket, count)
            key = (metric, template_id, preset_id, kind)
            found.setdefault(key, Total()).add(count, total, buckets)
    return found


def _one_bucket(metric: str, bucket: int, count: int) -> list[int] | None:
    bounds = BOUNDS.get(metric)
    if bounds is None:
        return None
    buckets = [0] * (len(bounds) + 1)
    buckets[bucket] = count
    return buckets


def _add_to_totals(happened: Mapping[Key, Total]) -> None:
    """Add to the rows there are, insert the others; three statements."""
    stored = {_key(row): row for row in MetricTotal.objects.all()} if happened else {}
    changed, new = [], []
    for key, part in happened.items():
        row = stored.get(key)
        if row is None:
            metric, template_id, preset_id, kind = key
            row = MetricTotal(
                metric=metric, template_id=template_id, preset_id=preset_id, kind=kind
            )
            new.append(row)
        else:
            changed.append(row)
        total = _total(row)
        total.add(part.count, part.total, part.buckets)
        row.count, row.total, row.buckets = total.count, total.total, total.buckets or []
    MetricTotal.objects.bulk_create(new, batch_size=BATCH_SIZE)
    MetricTotal.objects.bulk_update(changed, ["count", "total", "buckets"], batch_size=BATCH_SIZE)


def _key(row: MetricTotal) -> Key:
    return (row.metric, row.template_id, row.preset_id, row.kind)


def _total(row: MetricTotal) -> Total:
    return Total(count=row.count, total=row.total, buckets=list(row.buckets) or None)
