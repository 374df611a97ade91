"""ACT: carry out decisions, each effect in a transaction of its own (semantics.md 12).

The snapshot is a hint; the row lock is the truth. Every effect looks again under its lock, so a
claim, an edit or another reconciler in between wins, and over-creation is impossible.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, takewhile
from typing import Any, Final, TypeVar, assert_never
from uuid import UUID

import psycopg
from django.db import OperationalError

from prebuilds.core.actions import (
    Action,
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    Reason,
    SetStatus,
)
from prebuilds.core.attempts import newest_first
from prebuilds.core.snapshot import PresetSnapshot, Status
from prebuilds.errors import PrebuildsError
from prebuilds.execution import creation, deletion
from templates_app import services as template_services
from templates_app.enums import PrebuildStatus
from templates_app.parameters import InvalidParameters
from workspaces import tracing

logger = logging.getLogger(__name__)

COUNTS: Final = ("created", "deleted", "cancelled", "held")
TRIES: Final = 3
TRY_AGAIN_SECONDS: Final = 0.05
TRANSIENT: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What really happened to one preset. `entries` tell each action's reason and result.

    `invalid` is why its parameters were refused, if they were.
    """

    created: int = 0
    deleted: int = 0
    cancelled: int = 0
    held: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    invalid: str = ""

    @property
    def did_something(self) -> bool:
        """Whether anything was changed, or could not be; what is only withheld changes nothing."""
        changed = any(entry.get("changed") for entry in self.entries)
        return bool(changed or self.created or self.deleted or self.cancelled or self.error)

    def counts(self) -> dict[str, int]:
        """Return how many of each there were."""
        return {name: getattr(self, name) for name in COUNTS}

    def note(self, action: str, reason: str, **facts: Any) -> None:
        """Add one line to what is kept of the decision."""
        self.entries.append({"action": action, "reason": reason, **facts})


class ExecutionFailed(PrebuildsError):
    """An action failed; `outcome` holds what was done before it, and `__cause__` the error."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.error)


def execute_decision(decision: Decision, *, now: datetime) -> Outcome:
    """Carry out one preset's actions in order; raises ExecutionFailed."""
    outcome = Outcome()
    try:
        _execute_all(decision, outcome, now)
    except Exception as error:
        outcome.error = f"{type(error).__name__}: {error}"
        raise ExecutionFailed(outcome) from error
    return outcome


def _execute_all(decision: Decision, outcome: Outcome, now: datetime) -> None:
    """Take the actions in their order; deletions that stand together are one transaction."""
    for _, group in groupby(decision.actions, key=type):
        actions = list(group)
        doomed = {
            one.workspace_id: one.reason for one in actions if isinstance(one, DeletePrebuild)
        }
        if doomed:
            with _action_span("delete", *doomed.values(), count=len(doomed)):
                _delete(doomed, outcome, now)
            continue
        for action in actions:
            _execute(decision.preset, action, outcome, now)


def _action_span(action: str, *reasons: Reason, count: int = 1) -> AbstractContextManager[None]:
    told = ", ".join(sorted(set(reasons)))
    return tracing.span("reconcile.action", action=action, reason=told, count=count)


def _execute(preset: PresetSnapshot, action: Action, outcome: Outcome, now: datetime) -> None:
    match action:
        case CancelPending():
            with _action_span("cancel", action.reason, count=len(action.builds)):
                _cancel(action, outcome, now)
        case CreatePrebuilds():
            with _action_span("create", action.reason, count=action.count):
                _create(preset, action, outcome, now)
        case SetStatus():
            with _action_span("set_status", action.reason):
                _set_status(preset, action, outcome, now)
        case HoldCreation():
            outcome.held += action.count
            until = action.until.isoformat() if action.until else None
            outcome.note("hold", action.reason, count=action.count, until=until)
        case DeletePrebuild():
            _delete({action.workspace_id: action.reason}, outcome, now)
        case _:
            assert_never(action)


def _create(
    preset: PresetSnapshot, action: CreatePrebuilds, outcome: Outcome, now: datetime
) -> None:
    try:
        created = _retried(lambda: creation.create_prebuilds(preset, count=action.count, now=now))
    except InvalidParameters as error:
        template_services.mark_validation_failed(preset_id=preset.id, reason=str(error), now=now)
        outcome.held += action.count
        outcome.invalid = str(error)
        outcome.note("hold", Reason.VALIDATION_FAILED, count=action.count, detail=str(error))
        return
    outcome.created += created
    outcome.note("create", action.reason, count=created, wanted=action.count)


def _delete(reasons: Mapping[UUID, Reason], outcome: Outcome, now: datetime) -> None:
    results = _retried(lambda: deletion.delete_prebuilds(reasons, now=now))
    for workspace_id, reason in reasons.items():
        result = results.get(workspace_id, "busy")
        outcome.deleted += result == "deleting"
        outcome.note("delete", reason, workspace_id=str(workspace_id), result=result)


def _cancel(action: CancelPending, outcome: Outcome, now: datetime) -> None:
    """Cancel each start on its own: one that fails does not undo the others."""
    for pending in action.builds:
        try:
            cancelled = _retried(
                lambda pending=pending: deletion.cancel_pending(  # type: ignore[misc]
                    workspace_id=pending.workspace_id, reason=action.reason, now=now
                )
            )
        except Exception as error:
            logger.exception("cancel pending failed", extra={"workspace": pending.workspace_id})
            outcome.error = f"cancel {pending.workspace_id}: {error}"
            continue
        outcome.cancelled += cancelled
        outcome.note(
            "cancel",
            action.reason,
            workspace_id=str(pending.workspace_id),
            result="cancelled" if cancelled else "busy",
        )


def _set_status(preset: PresetSnapshot, action: SetStatus, outcome: Outcome, now: datetime) -> None:
    changed = template_services.set_preset_status(
        preset_id=preset.id,
        before=PrebuildStatus(preset.status),
        after=PrebuildStatus(action.status),
        reason=_status_text(preset, action),
        now=now,
    )
    outcome.note("set_status", action.reason, status=action.status, changed=changed)


def _status_text(preset: PresetSnapshot, action: SetStatus) -> str:
    if action.status == Status.HEALTHY:
        return ""
    failures = sum(1 for _ in takewhile(lambda one: one.failed, newest_first(preset.attempts)))
    return f"The last {failures} attempts failed; no more are made until somebody presses Retry."


def _retried(effect: Callable[[], Result]) -> Result:
    """Run an effect again when the database asks for it: deadlock, serialization failure."""
    for attempt in range(1, TRIES + 1):
        try:
            return effect()
        except OperationalError as error:
            if attempt == TRIES or not isinstance(error.__cause__, TRANSIENT):
                raise
            time.sleep(TRY_AGAIN_SECONDS * attempt)
    raise AssertionError("unreachable")
