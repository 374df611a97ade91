"""Count what is made from templates: prebuilds by what they are doing, and people's workspaces.

One grouped statement for one template or for all; `ready` and `desired` mean what a cycle means
by them (semantics.md 3), and a test holds the two against each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import JSONObject

from templates_app.models import Preset, Template
from templates_app.schedules import Schedule, ScheduleError, desired_at
from workspaces.enums import JobStatus, LifecycleState, Transition
from workspaces.models import Agent, Workspace
from workspaces.models.workspace import IS_LIVE, IS_PREBUILD

UNFINISHED: Final = (JobStatus.PENDING, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are; `ready` are those that could be claimed were their version active."""

    prebuilds: int = 0
    ready: int = 0
    starting: int = 0
    deleting: int = 0
    people: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            **{
                each.name: getattr(self, each.name) + getattr(other, each.name)
                for each in fields(self)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """What is there of one preset, or of none, on one version."""

    template_id: UUID
    version_id: UUID | None
    preset_id: UUID | None
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A preset of an active version and how many prebuilds it wants now; None: no pool."""

    preset: Preset
    desired: int | None


def count_workspaces(templates: QuerySet[Template], *, now: datetime) -> list[CountRow]:
    """Return what is made from the templates, by template, version and preset; one statement."""
    rows = (
        Workspace.objects.filter(IS_LIVE, template__in=templates.order_by().values("pk"))
        .values("template_id", "latest_build__template_version_id", "latest_build__preset_id")
        .order_by()
        .annotate(
            prebuilds=Count("pk", filter=IS_PREBUILD),
            people=Count("pk", filter=~IS_PREBUILD),
            ready_at_all=Count("pk", filter=IS_PREBUILD & _is_ready()),
            ready_expired=Count("pk", filter=IS_PREBUILD & _is_ready() & _is_expired(now)),
            starting=Count("pk", filter=IS_PREBUILD & _is_doing(Transition.START)),
            deleting=Count("pk", filter=IS_PREBUILD & _is_doing(Transition.DELETE)),
        )
    )
    return [_row(row) for row in rows]


def total(rows: Iterable[CountRow]) -> Counts:
    """Return the sum."""
    return sum((row.counts for row in rows), Counts())


def active_pools(templates: QuerySet[Template], *, now: datetime) -> list[Pool]:
    """Return the presets of the templates' active versions, by name; one statement.

    A deprecated or deleted template wants nothing.
    """
    presets = (
        Preset.objects.filter(
            version__template__in=templates.order_by().values("pk"),
            version=F("version__template__active_version"),
        )
        .select_related("version__template")
        .annotate(
            schedule_rows=JSONBAgg(
                JSONObject(
                    expression="schedules__cron_expression",
                    desired_instances="schedules__desired_instances",
                ),
                filter=Q(schedules__isnull=False),
                order_by=("schedules__position", "schedules__id"),
                default=Value([]),
            )
        )
        .order_by("name")
    )
    return [Pool(preset=preset, desired=_desired(preset, now)) for preset in presets]


def _desired(preset: Preset, now: datetime) -> int | None:
    wanted = wanted_by(preset, now)
    return wanted if wanted is None or preset.version.template.is_usable else 0


def wanted_by(preset: Preset, now: datetime) -> int | None:
    """Return what a preset of `active_pools` wants now in a template that is in use."""
    if preset.desired_instances is None:
        return None
    rows: list[dict[str, object]] = preset.__dict__["schedule_rows"]
    try:
        return desired_at(
            base=preset.desired_instances,
            zone=preset.scheduling_timezone,
            schedules=[Schedule(**row) for row in rows],  # type: ignore[arg-type]
            now=now,
        ).instances
    except ScheduleError:
        return preset.desired_instances


def _row(row: Mapping[str, Any]) -> CountRow:
    counted = {name: row[name] for name in _COUNTED}
    ready = counted.pop("ready_at_all") - counted.pop("ready_expired")
    return CountRow(
        template_id=row["template_id"],
        version_id=row["latest_build__template_version_id"],
        preset_id=row["latest_build__preset_id"],
        counts=Counts(ready=ready, **counted),
    )


def _is_ready() -> Q:
    """Running, and every agent says that it is ready."""
    agents = Agent.objects.filter(resource__build=OuterRef("latest_build"))
    not_ready = agents.exclude(lifecycle_state=LifecycleState.READY)
    running = Q(
        latest_build__transition=Transition.START, latest_build__job__status=JobStatus.SUCCEEDED
    )
    return running & Q(Exists(agents)) & ~Q(Exists(not_ready))


def _is_expired(now: datetime) -> Q:
    """Invalidated, or older than its preset's TTL; unknown, never true, where there is neither."""
    span = ExpressionWrapper(
        F("latest_build__preset__ttl_seconds") * Value(timedelta(seconds=1)),
        output_field=DurationField(),
    )
    oldest = ExpressionWrapper(Value(now) - span, output_field=DateTimeField())
    outlived = Q(latest_build__preset__ttl_seconds__gt=0, created_at__lt=oldest)
    return outlived | Q(created_at__lt=F("latest_build__preset__last_invalidated_at"))


def _is_doing(transition: Transition) -> Q:
    return Q(latest_build__transition=transition, latest_build__job__status__in=UNFINISHED)


_COUNTED: Final = ("prebuilds", "people", "ready_at_all", "ready_expired", "starting", "deleting")
