"""How pools have done: warm rates, waits, idle time, and a preset's hours. No writes.

Days are the last 24 hours, not calendar days: a number that is 0 every morning tells nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Aggregate,
    Count,
    Expression,
    F,
    FloatField,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Extract

from prebuilds.models import Claim, ClaimOutcome, PoolHour, hour_of
from templates_app.models import Preset

A_DAY: Final = timedelta(days=1)
A_WEEK: Final = timedelta(days=7)
AN_HOUR: Final = timedelta(hours=1)
SPARK_HOURS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How many requests got a ready workspace, and how many did not."""

    warm: int = 0
    cold: int = 0

    @property
    def total(self) -> int:
        """Return all requests."""
        return self.warm + self.cold

    @property
    def rate(self) -> float | None:
        """Return the share that was warm, from 0 to 1; None without requests."""
        return self.warm / self.total if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long people waited until their workspace was ready: half of them, and 19 of 20, less."""

    warm_p50: timedelta | None
    warm_p95: timedelta | None
    cold_p50: timedelta | None
    cold_p95: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Instance-hours that ready prebuilds waited for somebody, and what that cost.

    `cost` is in the unit of the versions' daily cost; None when none of them has one.
    """

    hours: float
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """The numbers on top of the dashboard."""

    day: Served
    week: Served
    week_before: Served
    waits: Waits
    idle: Idle


@dataclass(frozen=True, slots=True, kw_only=True)
class HourPoint:
    """One hour of a pool; averages are None when it was never looked at."""

    hour: datetime
    warm: int = 0
    cold: int = 0
    desired: float | None = None
    ready: float | None = None
    ready_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDay:
    """A pool's last 24 hours. `hours` are 24, oldest first; none when nothing is known of them."""

    served: Served = Served()
    hours: tuple[HourPoint, ...] = ()


class Percentile(Aggregate):
    """A continuous percentile of a column, ignoring NULL."""

    template = "percentile_cont(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()
    allow_distinct = False

    def __init__(self, expression: str, *, fraction: float, **extra: Any) -> None:
        super().__init__(expression, fraction=fraction, **extra)


class _Numbers(Func):
    """Some columns as one array of numbers: quicker to send and to read than JSON."""

    template = "ARRAY[%(expressions)s]::float8[]"
    output_field = ArrayField(FloatField())


def read_trends(*, now: datetime, organization_ids: Collection[UUID] | None = None) -> Trends:
    """Return the dashboard's numbers; one statement. None means all organizations."""
    today = Q(created_at__gt=now - A_DAY)
    numbers: dict[str, Aggregate] = {
        **_served("day", today),
        **_served("week", Q(created_at__gt=now - A_WEEK)),
        **_served("before", Q(created_at__lte=now - A_WEEK)),
        **_waits(today),
    }
    claims = _claims(organization_ids).filter(created_at__gt=now - 2 * A_WEEK, created_at__lte=now)
    rows = _one_row("claims", claims, numbers).union(
        _one_row("idle", _ready_hours(now, organization_ids), _idle(len(numbers))), all=True
    )
    found = {kind: values for kind, *values in rows}
    served = dict(zip(numbers, found.get("claims", [None] * len(numbers)), strict=True))
    return Trends(
        day=_as_served(served, "day"),
        week=_as_served(served, "week"),
        week_before=_as_served(served, "before"),
        waits=_as_waits(served),
        idle=_as_idle(*found.get("idle", (None, None))[:2]),
    )


def _one_row(
    kind: str, rows: QuerySet[Any], numbers: Mapping[str, Expression]
) -> QuerySet[Any, Any]:
    """Return the numbers of all rows together, or no row without any; columns are told by place."""
    together = rows.order_by().annotate(kind=Value(kind)).values("kind")
    row: QuerySet[Any, Any] = together.annotate(**numbers).values_list("kind", *numbers)
    return row


def read_days(*, now: datetime, preset_ids: Collection[UUID]) -> dict[UUID, PoolDay]:
    """Return the last 24 hours of each preset that was asked for; one statement."""
    since = hour_of(now) - (SPARK_HOURS - 1) * AN_HOUR
    hours = PoolHour.objects.filter(preset=OuterRef("pk"), hour__gte=since).order_by("hour")
    numbers = _Numbers(
        Extract("hour", "epoch"),
        *("warm", "cold", "samples", "desired_sum", "ready_sum"),
        Coalesce("ready_min", -1),
    )
    claims = Claim.objects.filter(preset=OuterRef("pk"), created_at__gt=now - A_DAY)
    rows = Preset.objects.filter(pk__in=preset_ids).values_list(
        "pk",
        _number_of(claims, ClaimOutcome.WARM),
        _number_of(claims, ClaimOutcome.COLD),
        ArraySubquery(hours.annotate(numbers=numbers).values("numbers")),
    )
    return {
        preset_id: PoolDay(
            served=Served(warm=warm or 0, cold=cold or 0), hours=_all_hours(since, known)
        )
        for preset_id, warm, cold, known in rows
    }


def read_hours(*, preset_id: UUID, since: datetime, until: datetime) -> list[HourPoint]:
    """Return what is known of a preset's hours in a span, oldest first; one statement."""
    rows = PoolHour.objects.filter(
        preset_id=preset_id, hour__gte=hour_of(since), hour__lt=until
    ).order_by("hour")
    return [_point(row) for row in rows]


def _all_hours(since: datetime, known: Collection[Sequence[float]]) -> tuple[HourPoint, ...]:
    """Return every hour of the span, those of which nothing is known too."""
    if not known:
        return ()
    found = {int(hour): rest for hour, *rest in known}
    first = int(since.timestamp())
    return tuple(
        _hour_point(since + number * AN_HOUR, found.get(first + number * 3600))
        for number in range(SPARK_HOURS)
    )


def _hour_point(hour: datetime, values: Sequence[float] | None) -> HourPoint:
    if values is None:
        return HourPoint(hour=hour)
    warm, cold, samples, desired_sum, ready_sum, ready_min = values
    return HourPoint(
        hour=hour,
        warm=int(warm),
        cold=int(cold),
        desired=desired_sum / samples if samples else None,
        ready=ready_sum / samples if samples else None,
        ready_min=None if ready_min < 0 else int(ready_min),
    )


def _number_of(claims: QuerySet[Claim], outcome: ClaimOutcome) -> Subquery:
    counted = claims.filter(outcome=outcome).order_by().values("preset")
    return Subquery(counted.annotate(number=Count("pk")).values("number"))


def _point(row: PoolHour) -> HourPoint:
    return HourPoint(
        hour=row.hour,
        warm=row.warm,
        cold=row.cold,
        desired=row.desired_sum / row.samples if row.samples else None,
        ready=row.ready_sum / row.samples if row.samples else None,
        ready_min=row.ready_min,
    )


def _ready_hours(now: datetime, organization_ids: Collection[UUID] | None) -> QuerySet[PoolHour]:
    hours = PoolHour.objects.filter(hour__gt=now - A_DAY, idle_seconds__gt=0)
    if organization_ids is None:
        return hours
    return hours.filter(preset__version__template__organization_id__in=organization_ids)


def _idle(width: int) -> dict[str, Expression]:
    """Return seconds and cost, filled up to as many columns as the claims have."""
    daily_cost = F("preset__version__daily_cost")
    return {
        "seconds": Sum("idle_seconds", output_field=FloatField()),
        "cost": Sum(F("idle_seconds") * daily_cost / (24 * 3600.0), output_field=FloatField()),
        **{f"no_{number}": Cast(Value(None), FloatField()) for number in range(2, width)},
    }


def _as_idle(seconds: float | None, cost: float | None) -> Idle:
    return Idle(hours=(seconds or 0) / 3600, cost=cost or None)


def _claims(organization_ids: Collection[UUID] | None) -> QuerySet[Claim]:
    claims = Claim.objects.all()
    if organization_ids is None:
        return claims
    return claims.filter(template__organization_id__in=organization_ids)


def _served(name: str, condition: Q) -> dict[str, Count]:
    return {f"{name}_{outcome}": _count(outcome, condition) for outcome in ClaimOutcome}


def _waits(condition: Q) -> dict[str, Percentile]:
    return {
        f"{outcome}_p{percent}": Percentile(
            "wait_seconds", fraction=percent / 100, filter=condition & Q(outcome=outcome)
        )
        for outcome in ClaimOutcome.values
        for percent in (50, 95)
    }


def _as_served(found: Mapping[str, float | None], name: str) -> Served:
    return Served(
        **{outcome: int(found[f"{name}_{outcome}"] or 0) for outcome in ClaimOutcome.values}
    )


def _as_waits(found: Mapping[str, float | None]) -> Waits:
    names = (field.name for field in fields(Waits))
    return Waits(**{name: _span(found[name]) for name in names})


def _count(outcome: ClaimOutcome, condition: Q) -> Count:
    return Count("pk", filter=condition & Q(outcome=outcome))


def _span(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None
