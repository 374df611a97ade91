"""Say what a cycle would do as lines of a plan: + create, - delete, x cancel, || held. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from prebuilds.core.actions import (
    Action,
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    SetStatus,
)
from prebuilds.dashboard.base.plan import PlanLine
from prebuilds.dashboard.base.wording import say_count, say_word


def plan_lines(decisions: Sequence[Decision]) -> tuple[PlanLine, ...]:
    """Return one line per pool and kind of action, each with its reason."""
    return tuple(line for decision in decisions for line in _lines_of(decision))


def plan_sentence(decisions: Sequence[Decision], *, paused: bool) -> str:
    """Return the whole plan in a sentence."""
    counts = Counter[str]()
    for decision in decisions:
        for action in decision.actions:
            counts[_kind(action)] += _size(action)
    words = [
        f"{counts[kind]} {word}"
        for kind, word in (
            ("create", "to create"),
            ("delete", "to delete"),
            ("cancel", "to cancel"),
            ("hold", "held back"),
        )
        if counts[kind]
    ]
    looked = f"{say_count(len(decisions), 'pool')} looked at"
    if paused:
        looked += "; reconciliation is paused, so none of this happens until it is resumed"
    return f"{', '.join(words) or 'Nothing to do'}: {looked}."


def _lines_of(decision: Decision) -> Iterator[PlanLine]:
    subject = f"{decision.preset.label} ({decision.preset.version_name})"
    deletions = Counter(
        action.reason for action in decision.actions if isinstance(action, DeletePrebuild)
    )
    for reason, count in deletions.items():
        yield PlanLine(
            icon="minus",
            tone="bad",
            text=f"delete {count}",
            subject=f"{subject}: {say_word(reason)}",
        )
    for action in decision.actions:
        if not isinstance(action, DeletePrebuild):
            yield _line(action, subject)


def _line(
    action: CancelPending | CreatePrebuilds | HoldCreation | SetStatus, subject: str
) -> PlanLine:
    text = f"{subject}: {say_word(action.reason)}"
    match action:
        case CreatePrebuilds():
            return PlanLine(icon="plus", tone="good", text=f"create {action.count}", subject=text)
        case CancelPending():
            count = len(action.builds)
            return PlanLine(icon="x", tone="warn", text=f"cancel {count}", subject=text)
        case HoldCreation():
            return PlanLine(
                icon="player-pause", tone="off", text=f"held {action.count}", subject=text
            )
        case SetStatus():
            word = say_word(action.status)
            return PlanLine(icon="info-circle", tone="busy", text=f"status {word}", subject=text)
        case _:
            assert_never(action)


def _kind(action: Action) -> str:
    match action:
        case CreatePrebuilds():
            return "create"
        case DeletePrebuild():
            return "delete"
        case CancelPending():
            return "cancel"
        case HoldCreation():
            return "hold"
        case SetStatus():
            return "status"
        case _:
            assert_never(action)


def _size(action: Action) -> int:
    match action:
        case CreatePrebuilds() | HoldCreation():
            return action.count
        case CancelPending():
            return len(action.builds)
        case _:
            return 1
