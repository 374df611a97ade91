"""What one cycle saw and did, and how that is kept: a row for people, a line for the log."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import Error, transaction

from prebuilds import execution
from prebuilds.core.actions import Decision, HoldCreation
from prebuilds.core.facts import state_as_json
from prebuilds.models import ReconcileDecision, ReconcileRun, Trigger

logger = logging.getLogger(__name__)

KEEP_RUNS: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a cycle began. `run_id` is that of its record, which is written at its end."""

    run_id: int
    trigger: Trigger
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A decision and what became of it."""

    decision: Decision
    outcome: execution.Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What one cycle saw and did. Without the lock, or paused, it did nothing."""

    lock_acquired: bool
    paused: bool = False
    presets_total: int = 0
    decisions: tuple[Decision, ...] = ()
    executed: tuple[Executed, ...] = ()
    barred: Mapping[UUID, str] = field(default_factory=dict)
    """Organizations that were skipped, each with the error that did it."""
    run_id: int | None = None
    """The record of it."""

    @property
    def failed(self) -> list[Executed]:
        """The presets whose execution met an error."""
        return [one for one in self.executed if one.outcome.error]

    @property
    def did_something(self) -> bool:
        """Whether it changed anything, or could not; what is only withheld changes nothing."""
        return bool(self.barred) or any(one.outcome.did_something for one in self.executed)

    @property
    def wake_at(self) -> datetime | None:
        """When the first backoff ends, so that the loop need not wait for its next interval."""
        ends = [
            action.until
            for decision in self.decisions
            for action in decision.actions
            if isinstance(action, HoldCreation) and action.until
        ]
        return min(ends, default=None)

    def total(self, count: str) -> int:
        """Return the sum of one of the outcomes' counts."""
        return sum(getattr(one.outcome, count) for one in self.executed)

    def counts(self) -> dict[str, int]:
        """Return all sums, and how many presets failed."""
        sums = {count: self.total(count) for count in execution.COUNTS}
        return sums | {"failed": len(self.failed)}


def record_cycle(cycle: Cycle, start: Start, completed_at: datetime) -> None:
    """Keep the run, and the decision of every preset where something was done or withheld.

    A cycle that did something is a line in the log, too.
    """
    with transaction.atomic() if cycle.executed else nullcontext():
        run = ReconcileRun.objects.create(
            pk=start.run_id,
            trigger=start.trigger,
            started_at=start.at,
            completed_at=completed_at,
            lock_acquired=cycle.lock_acquired,
            paused=cycle.paused,
            presets_total=cycle.presets_total,
            presets_reconciled=len(cycle.executed) - len(cycle.failed),
            presets_failed=len(cycle.failed),
            created=cycle.total("created"),
            deleted=cycle.total("deleted"),
            cancelled=cycle.total("cancelled"),
            held=cycle.total("held"),
            error="; ".join(f"organization {key}: {text}" for key, text in cycle.barred.items()),
        )
        ReconcileDecision.objects.bulk_create(
            [_decision_row(run, one) for one in cycle.executed], batch_size=1_000
        )
    if cycle.did_something:
        _log(cycle, start, completed_at)


def _log(cycle: Cycle, start: Start, completed_at: datetime) -> None:
    logger.info(
        "cycle done",
        extra={
            "trigger": str(start.trigger),
            "seconds": round((completed_at - start.at).total_seconds(), 3),
            "presets": cycle.presets_total,
            "presets_failed": len(cycle.failed),
            "skipped_organizations": len(cycle.barred),
            # Not `created`: a log record calls its own time so.
            **{f"prebuilds_{count}": cycle.total(count) for count in execution.COUNTS},
        },
    )


def record_failure(error: Exception, start: Start) -> None:
    """Keep a run that was cut off, if the database still listens; it is no heartbeat."""
    with suppress(Error):
        ReconcileRun.objects.create(
            pk=start.run_id,
            trigger=start.trigger,
            started_at=start.at,
            error=f"{type(error).__name__}: {error}",
        )


def _decision_row(run: ReconcileRun, executed: Executed) -> ReconcileDecision:
    return ReconcileDecision(
        run=run,
        preset_id=executed.decision.preset.id,
        state=state_as_json(executed.decision.state),
        actions=executed.outcome.entries,
        error=executed.outcome.error,
    )


def prune_runs(*, now: datetime) -> int:
    """Delete runs older than KEEP_RUNS, with their decisions; return how many rows went."""
    deleted, _ = ReconcileRun.objects.filter(started_at__lt=now - KEEP_RUNS).delete()
    return deleted
