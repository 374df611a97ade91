"""THE CYCLE: lock, paused?, membership, observe, decide, admit, act, record (semantics.md 11).

Before it records, it brings the notices in line with what it decided.
One cycle runs at a time, whoever starts it; it never waits for builds. It knows nothing of
claims: the two meet at the row lock.
"""

import gc
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts import services as account_services
from prebuilds import cycles, execution, locks, notices, observation
from prebuilds.core.actions import Decision, SetStatus
from prebuilds.core.decisions import decide
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import PresetSnapshot, Snapshot, Status
from prebuilds.cycles import Cycle, Executed, Start
from prebuilds.models import Trigger
from workspaces import tracing

__all__ = ["Cycle", "Selection", "every_preset", "plan_cycle", "run_cycle"]

logger = logging.getLogger(__name__)

MAX_WORKERS: Final = 5

Clock = Callable[[], datetime]
Selection = Callable[[PresetSnapshot], bool]


def every_preset(preset: PresetSnapshot) -> bool:
    """Select all presets."""
    return True


def run_cycle(
    *, trigger: Trigger, policy: Policy, clock: Clock, selected: Selection = every_preset
) -> Cycle:
    """Reconcile the selected presets once, and record it.

    Returns at once, having done nothing, when another cycle is on.
    """
    now = clock()
    run_id, paused = observation.begin_run(now)
    start = Start(run_id=run_id, trigger=trigger, at=now)
    with (
        tracing.bind(run_id=start.run_id),
        tracing.span("reconcile.cycle", trigger=trigger),
    ):
        try:
            cycle = _run_locked(policy, now, selected, paused=paused)
        except Exception as error:
            cycles.record_failure(error, start)
            raise
        tracing.add(presets=cycle.presets_total, paused=cycle.paused, **cycle.counts())
        cycles.record_cycle(cycle, start, clock())
    return replace(cycle, run_id=start.run_id)


def _run_locked(policy: Policy, now: datetime, selected: Selection, *, paused: bool) -> Cycle:
    with ExitStack() as held:
        with tracing.span("reconcile.lock"):
            acquired = held.enter_context(locks.try_reconcile_lock())
            tracing.add(lock_acquired=acquired)
        if not acquired or paused:
            return Cycle(lock_acquired=acquired, paused=acquired and paused)
        return _cycle(policy, now, selected)


def plan_cycle(
    *, policy: Policy, now: datetime, selected: Selection = every_preset
) -> tuple[Decision, ...]:
    """Return what a cycle would decide now, and change nothing (`--dry-run`)."""
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        decisions = decide(observation.take_snapshot(policy, now=now), policy, now)
    return tuple(one for one in decisions if selected(one.preset))


def _cycle(policy: Policy, now: datetime, selected: Selection) -> Cycle:
    with _collector_resting():
        with tracing.span("reconcile.snapshot"):
            snapshot = observation.take_snapshot(policy, now=now)
            tracing.add(presets=len(snapshot.presets))
        with tracing.span("reconcile.decide"):
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
        with tracing.span("reconcile.notices"):
            notices.sync_notices(
                decisions=[
                    _as_left(one, invalid.get(one.preset.id, "")) for one in cycle.decisions
                ],
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
        shares = [
            # The thread's spans and log lines belong to this cycle, too.
            pool.submit(copy_context().run, _execute_share, queue, lock, now)
            for _ in range(workers)
        ]
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
    if decision.is_noop:
        return _attempt(decision, now)
    preset = decision.preset
    with tracing.span(
        "reconcile.preset",
        preset_id=preset.id,
        preset=preset.name,
        template=preset.template_name,
        template_version=preset.version_name,
        organization_id=preset.organization_id,
    ):
        executed = _attempt(decision, now)
        tracing.add(**executed.outcome.counts())
        if executed.outcome.error:
            tracing.fail("ExecutionFailed")
        return executed


def _attempt(decision: Decision, now: datetime) -> Executed:
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
