"""THE CYCLE: lock, paused?, membership, observe, decide, admit, act, record (semantics.md 11).

Before it records, it brings the notices in line with what it decided.
One cycle runs at a time, whoever starts it; it never waits for builds. It knows nothing of
claims: the two meet at the row lock.
"""

import gc
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction

from accounts import services as account_services
from prebuilds import execution, locks, notices, observation
from prebuilds.core.actions import Decision, HoldCreation, SetStatus
from prebuilds.core.decisions import decide
from prebuilds.core.facts import state_as_json
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import PresetSnapshot, Snapshot, Status
from prebuilds.models import ReconcileDecision, ReconcileRun, Trigger

logger = logging.getLogger(__name__)

MAX_WORKERS: Final = 5
KEEP_RUNS: Final = timedelta(days=7)

Clock = Callable[[], datetime]
Selection = Callable[[PresetSnapshot], bool]


def every_preset(preset: PresetSnapshot) -> bool:
    """Select all presets."""
    return True


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


def run_cycle(
    *, trigger: Trigger, policy: Policy, clock: Clock, selected: Selection = every_preset
) -> Cycle:
    """Reconcile the selected presets once, and record it.

    Returns at once, having done nothing, when another cycle is on.
    """
    started_at = clock()
    try:
        with locks.try_reconcile_lock() as acquired:
            cycle = _cycle(policy, started_at, selected) if acquired else Cycle(lock_acquired=False)
    except Exception as error:
        _record_failure(error, trigger, started_at)
        raise
    return replace(cycle, run_id=_record(cycle, trigger, started_at, clock()))


def plan_cycle(
    *, policy: Policy, now: datetime, selected: Selection = every_preset
) -> tuple[Decision, ...]:
    """Return what a cycle would decide now, and change nothing (`--dry-run`)."""
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        decisions = decide(observation.take_snapshot(policy, now=now), policy, now)
    return tuple(one for one in decisions if selected(one.preset))


def _cycle(policy: Policy, now: datetime, selected: Selection) -> Cycle:
    if observation.is_paused(now):
        return Cycle(lock_acquired=True, paused=True)
    with _collector_resting():
        snapshot = observation.take_snapshot(policy, now=now)
        decided = decide(snapshot, policy, now)
    barred = account_services.ensure_prebuilds_membership(
        {preset.organization_id for preset in snapshot.presets}
    )
    decisions = tuple(
        one for one in decided if selected(one.preset) and one.preset.organization_id not in barred
    )
    cycle = Cycle(
        lock_acquired=True,
        presets_total=len(snapshot.presets),
        decisions=decisions,
        executed=tuple(_execute_all([one for one in decisions if one.actions], now)),
        barred=barred,
    )
    not_looked_at = {one.preset.id for one in decided} - {one.preset.id for one in decisions}
    _tell(cycle, snapshot, policy, {*not_looked_at, *barred}, now)
    return cycle


def _tell(
    cycle: Cycle, snapshot: Snapshot, policy: Policy, left_alone: set[UUID], now: datetime
) -> None:
    """Bring the notices in line with the decisions; an error here costs nothing but them."""
    invalid = {one.decision.preset.id: one.outcome.invalid for one in cycle.executed}
    try:
        notices.sync_notices(
            decisions=[_as_left(one, invalid.get(one.preset.id, "")) for one in cycle.decisions],
            snapshot=snapshot,
            policy=policy,
            left_alone=left_alone,
            now=now,
        )
    except Exception:
        logger.exception("sync notices failed")


def _as_left(decision: Decision, invalid: str) -> Decision:
    """Return the decision with the status its preset was left with."""
    if not invalid:
        return decision
    preset = replace(decision.preset, status=Status.VALIDATION_FAILED, status_reason=invalid)
    actions = tuple(one for one in decision.actions if not isinstance(one, SetStatus))
    return replace(decision, preset=preset, actions=actions)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Keep Python's cycle collector from walking a growing snapshot over and over.

    There are no reference cycles in it to find; a snapshot of 100 000 prebuilds took a third
    longer with it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _execute_all(work: Sequence[Decision], now: datetime) -> Iterable[Executed]:
    """Carry out all decisions, in threads when there is enough to do."""
    workers = min(_worker_limit(), sum(not one.is_noop for one in work))
    if workers <= 1:
        return [_execute_one(decision, now) for decision in work]
    queue, lock = iter(work), threading.Lock()
    with ThreadPoolExecutor(workers, thread_name_prefix="reconcile") as pool:
        shares = [pool.submit(_execute_share, queue, lock, now) for _ in range(workers)]
        return [one for share in shares for one in share.result()]


def _execute_share(
    queue: Iterator[Decision], lock: threading.Lock, now: datetime
) -> list[Executed]:
    """Work off decisions until none is left, on one connection of this thread."""
    done: list[Executed] = []
    try:
        while (decision := _next(queue, lock)) is not None:
            done.append(_execute_one(decision, now))
    finally:
        connection.close()
    return done


def _next(queue: Iterator[Decision], lock: threading.Lock) -> Decision | None:
    with lock:
        return next(queue, None)


def _execute_one(decision: Decision, now: datetime) -> Executed:
    """Carry out one preset's decision; its error is kept and never stops another."""
    try:
        outcome = execution.execute_decision(decision, now=now)
    except Exception as error:
        logger.exception(
            "reconcile preset failed",
            extra={"preset": str(decision.preset.id), "name_of_preset": decision.preset.label},
        )
        outcome = _outcome_of(error)
    return Executed(decision=decision, outcome=outcome)


def _outcome_of(error: Exception) -> execution.Outcome:
    """Return what was done before the error, and the error in words."""
    if isinstance(error, execution.ExecutionFailed):
        return error.outcome
    return execution.Outcome(error=f"{type(error).__name__}: {error}")


def _worker_limit() -> int:
    pool_size: int = settings.PREBUILDS_DATABASE_POOL_SIZE
    return min(max(pool_size // 2, 1), MAX_WORKERS)


def _record(cycle: Cycle, trigger: Trigger, started_at: datetime, completed_at: datetime) -> int:
    """Keep the run, and the decision of every preset where something was done or withheld.

    Returns its id.
    """
    with transaction.atomic() if cycle.executed else nullcontext():
        run = ReconcileRun.objects.create(
            trigger=trigger,
            started_at=started_at,
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
    return run.pk


def _record_failure(error: Exception, trigger: Trigger, started_at: datetime) -> None:
    """Keep a run that was cut off, if the database still listens; it is no heartbeat."""
    with suppress(Error):
        ReconcileRun.objects.create(
            trigger=trigger, started_at=started_at, error=f"{type(error).__name__}: {error}"
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
