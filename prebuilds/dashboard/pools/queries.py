"""What the dashboard reads beside the pools: the queue, who serves it, the last cycle."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import CharField, Count, DateTimeField, Q, QuerySet, Value
from django.db.models.functions import Cast

from accounts.system import PREBUILDS_USER_ID
from prebuilds.models import ReconcileRun
from workspaces.enums import JobStatus
from workspaces.machines import is_online
from workspaces.models import ProvisionerDaemon, ProvisionerJob

NO_TIME: Final = Cast(Value(None), DateTimeField())
NO_WORD: Final = Value("", output_field=CharField())


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCycle:
    """The newest cycle that held the lock and was completed."""

    run_id: int
    started_at: datetime
    completed_at: datetime
    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What drives the pools: who waits in the queue, how many serve it, the reconciler's pulse."""

    people_waiting: int
    prebuilds_waiting: int
    provisioners_online: int
    last_cycle: LastCycle | None


def read_engine(*, now: datetime, organization_ids: Collection[UUID] | None) -> Engine:
    """Return the queue and daemons of these organizations (None: all), and the last cycle.

    One statement. A daemon without an organization serves everybody.
    """
    pending = ProvisionerJob.objects.filter(status=JobStatus.PENDING)
    daemons = ProvisionerDaemon.objects.filter(is_online(now))
    if organization_ids is not None:
        pending = pending.filter(organization__in=organization_ids)
        serves = Q(organization__isnull=True) | Q(organization__in=organization_ids)
        daemons = daemons.filter(serves)
    rows = _counted("people", pending.exclude(initiator=PREBUILDS_USER_ID)).union(
        _counted("prebuilds", pending.filter(initiator=PREBUILDS_USER_ID)),
        _counted("daemons", daemons),
        _last_cycle(),
        all=True,
    )
    return _as_engine({row[0]: row[1:] for row in rows})


def _counted(kind: str, rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    counted = rows.order_by().annotate(kind=Value(kind)).values("kind")
    numbered: QuerySet[Any, Any] = counted.annotate(number=Count("pk"))
    return numbered.values_list("kind", "number", NO_TIME, NO_TIME, NO_WORD)


def _last_cycle() -> QuerySet[Any, Any]:
    runs = ReconcileRun.objects.filter(lock_acquired=True, completed_at__isnull=False)
    return runs.order_by("-completed_at").values_list(
        Value("cycle"), "id", "started_at", "completed_at", "trigger"
    )[:1]


def _as_engine(rows: dict[str, tuple[Any, ...]]) -> Engine:
    cycle = rows.get("cycle")
    numbers = {kind: rows[kind][0] if kind in rows else 0 for kind in ("people", "prebuilds")}
    return Engine(
        people_waiting=numbers["people"],
        prebuilds_waiting=numbers["prebuilds"],
        provisioners_online=rows["daemons"][0] if "daemons" in rows else 0,
        last_cycle=LastCycle(
            run_id=cycle[0], started_at=cycle[1], completed_at=cycle[2], trigger=cycle[3]
        )
        if cycle
        else None,
    )
