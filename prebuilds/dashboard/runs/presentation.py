"""Say a recorded decision as a person would. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prebuilds.dashboard.base.wording import say_word
from prebuilds.models import ReconcileDecision

SIGNS: Final = {
    "create": ("plus", "good", "Create"),
    "delete": ("minus", "bad", "Delete"),
    "cancel": ("x", "warn", "Cancel"),
    "hold": ("player-pause", "off", "Held"),
    "set_status": ("info-circle", "busy", "Status"),
}
UNKNOWN_SIGN: Final = ("info-circle", "off", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionView:
    """Things done or withheld for one reason; `result` says what became of them."""

    icon: str
    tone: str
    text: str
    reason: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What one cycle did for one preset, and the numbers it saw."""

    decision: ReconcileDecision
    numbers: str
    actions: tuple[ActionView, ...]


def say_decision(decision: ReconcileDecision) -> DecisionView:
    """Return the decision in words."""
    return DecisionView(
        decision=decision,
        numbers=_numbers(decision.state),
        actions=tuple(_actions(decision.actions)),
    )


def _numbers(state: Mapping[str, Any]) -> str:
    names = (
        ("desired", "desired"),
        ("eligible", "ready"),
        ("actual", "running"),
        ("starting", "starting"),
        ("expired", "expired"),
        ("deleting", "deleting"),
    )
    shown = [f"{state[key]} {word}" for key, word in names if state.get(key)]
    return ", ".join(shown) or "nothing there, nothing desired"


def _actions(entries: Sequence[Mapping[str, Any]]) -> Iterator[ActionView]:
    """Say together what was done alike: fifty deletions are one line."""
    alike = Counter[tuple[str, str, str]]()
    for entry in entries:
        alike[entry["action"], entry["reason"], _result(entry)] += entry.get("count", 1)
    for (action, reason, result), count in alike.items():
        icon, tone, verb = SIGNS.get(action, UNKNOWN_SIGN)
        text = verb or say_word(action)
        yield ActionView(
            icon=icon,
            tone=tone,
            text=text if action == "set_status" else f"{text} {count}",
            reason=say_word(reason),
            result=result,
        )


def _result(entry: Mapping[str, Any]) -> str:
    """Return what is worth saying of the outcome beyond the action itself."""
    match entry["action"]:
        case "create" if entry["count"] != entry["wanted"]:
            return f"{entry['wanted']} were wanted; the recount found the rest in place"
        case "delete" | "cancel":
            return say_word(entry["result"])
        case "set_status":
            return f"now {say_word(entry['status'])}" if entry["changed"] else "changed meanwhile"
        case "hold":
            return str(entry.get("detail") or "")
    return ""
