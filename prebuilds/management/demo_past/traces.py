"""What the invented past left behind: hours of pools, cycles, an incident, what people did."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from accounts import audit
from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import User
from prebuilds.core.facts import state_as_json
from prebuilds.core.state import State
from prebuilds.management.demo_past.requests import FAILURES
from prebuilds.management.demo_past.story import (
    AN_HOUR,
    WHAT_BROKE,
    Asking,
    Past,
    Pool,
    desired_at,
    exists_at,
)
from prebuilds.models import (
    Notice,
    NoticeKind,
    PoolHour,
    ReconcileDecision,
    ReconcileRun,
    Trigger,
    hour_of,
)
from templates_app import services as template_services
from templates_app.models import Preset, TemplateVersion
from templates_app.services import label_of

Presets = Mapping[Pool, Preset]
Counts = Mapping[tuple[Pool, datetime, bool], int]
SAMPLES: Final = 12
"""Looks at a pool in an hour, one every five minutes."""
CYCLES_KEPT: Final = timedelta(days=6)
CYCLE: Final = timedelta(milliseconds=40)
PRESETS_THERE: Final = 8


def write_hours(presets: Presets, past: Past) -> None:
    """Write what the roll-up would have: claims as they were, and pools full but for those."""
    counts = Counter((one.pool, hour_of(one.at), one.is_warm) for one in past.asked)
    hours = [
        past.start + number * AN_HOUR for number in range(int((past.end - past.start) / AN_HOUR))
    ]
    PoolHour.objects.bulk_create(
        _hour(pool, preset, at, counts, past)
        for pool, preset in presets.items()
        for at in hours
        if exists_at(pool, at, past) or counts[pool, at, True] or counts[pool, at, False]
    )


def write_cycles(presets: Presets, past: Past) -> None:
    """Write the cycles that filled a gap after a claim, as long ago as cycles are kept."""
    since = past.end - CYCLES_KEPT
    asked = [one for one in past.asked if one.is_warm and one.at >= since]
    runs = ReconcileRun.objects.bulk_create(_run(one) for one in asked)
    ReconcileDecision.objects.bulk_create(
        ReconcileDecision(
            run=run,
            preset=presets[one.pool],
            state=_state_after(one, past),
            actions=[{"action": "create", "reason": "missing", "count": 1, "wanted": 1}],
        )
        for run, one in zip(runs, asked, strict=True)
    )


def write_incident(preset: Preset, past: Past) -> None:
    """Write the notice of the morning on which a pool was stopped, with what it cost."""
    incident = past.incident
    Notice.objects.create(
        kind=NoticeKind.HARD_LIMITED,
        organization_id=preset.version.template.organization_id,
        preset=preset,
        detail=WHAT_BROKE,
        details={"failures": FAILURES},
        opened_at=incident.stopped_at,
        closed_at=incident.mended_at,
        cold_starts=sum(
            not one.is_warm and incident.stopped_at <= one.at < incident.mended_at
            for one in past.asked
            if one.pool is incident.pool
        ),
    )


def write_deeds(presets: Presets, earlier: TemplateVersion, admin: User, past: Past) -> None:
    """Write what a template admin did: a promotion, an edit, and the retry after the incident."""
    preset = presets[past.incident.pool]
    actor = Actor(user=admin, source=AuditSource.PAGE)
    audit.record(
        actor=actor,
        action="promote",
        target=earlier.template,
        now=past.promoted_at,
        before={"active_version": earlier.name},
        after={"active_version": preset.version.name},
    )
    audit.record(
        actor=actor,
        action="edit",
        target=preset,
        now=past.edited_at,
        before={"desired_instances": 1},
        after={"desired_instances": preset.desired_instances},
        label=label_of(preset),
    )
    template_services.retry_preset(preset_id=preset.pk, now=past.incident.mended_at, actor=actor)


def _hour(pool: Pool, preset: Preset, at: datetime, counts: Counts, past: Past) -> PoolHour:
    warm, cold = counts[pool, at, True], counts[pool, at, False]
    desired = _desired(pool, at, past)
    ready = max(SAMPLES * desired - 2 * warm - 3 * cold, 0) if _is_full(pool, at, past) else 0
    return PoolHour(
        preset=preset,
        hour=at,
        warm=warm,
        cold=cold,
        samples=SAMPLES,
        desired_sum=SAMPLES * desired,
        ready_sum=ready,
        ready_min=max(min(desired - min(warm, 1) - cold, ready // SAMPLES), 0),
        idle_seconds=round(ready * AN_HOUR.total_seconds() / SAMPLES),
    )


def _desired(pool: Pool, at: datetime, past: Past) -> int:
    return 1 if pool.breaks and at < past.edited_at else desired_at(pool, at)


def _is_full(pool: Pool, at: datetime, past: Past) -> bool:
    incident = past.incident
    broken = pool.breaks and incident.broken_at <= at + AN_HOUR / 2 < incident.mended_at
    return pool.is_ever_ready and not broken


def _run(one: Asking) -> ReconcileRun:
    began_at = one.at + timedelta(seconds=0.3)
    return ReconcileRun(
        trigger=Trigger.BELL,
        started_at=began_at,
        completed_at=began_at + CYCLE,
        presets_total=PRESETS_THERE,
        presets_reconciled=PRESETS_THERE,
        created=1,
    )


def _state_after(one: Asking, past: Past) -> dict[str, object]:
    """Return the numbers a cycle saw: one less than desired."""
    desired = _desired(one.pool, one.at, past)
    left = desired - 1
    return state_as_json(
        State(
            actual=left,
            expired=0,
            desired=desired,
            eligible=left,
            extraneous=0,
            starting=0,
            stopping=0,
            deleting=0,
        )
    )
