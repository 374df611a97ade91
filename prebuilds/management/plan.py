"""Show a decision as lines of a diff for people."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import assert_never
from uuid import UUID

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
from prebuilds.core.snapshot import PresetSnapshot
from prebuilds.dashboard.base.wording import say_duration, say_word


def doomed_ids(decisions: Iterable[Decision]) -> list[UUID]:
    """Return the ids of the workspaces a plan would delete."""
    return [
        action.workspace_id
        for decision in decisions
        for action in decision.actions
        if isinstance(action, DeletePrebuild)
    ]


def plan_lines(decision: Decision, names: Mapping[UUID, str], now: datetime) -> list[str]:
    """Return the preset's heading and one line per action; nothing when there is none.

    `names` are those of the workspaces to delete.
    """
    if not decision.actions:
        return []
    state = decision.state
    heading = (
        f"{decision.preset.label} ({decision.preset.version_name}): "
        f"desired {state.desired}, ready {state.eligible}, running {state.actual}, "
        f"starting {state.starting}"
    )
    lines = [_line(decision.preset, action, names, now) for action in decision.actions]
    return [heading, *(f"  {line}" for line in lines)]


def _line(preset: PresetSnapshot, action: Action, names: Mapping[UUID, str], now: datetime) -> str:
    match action:
        case CreatePrebuilds():
            return f"+ create {action.count}  {say_word(action.reason)} {action.count}"
        case DeletePrebuild():
            name = names.get(action.workspace_id, str(action.workspace_id))
            return f"- delete {name}  {_why_deleted(preset, action, now)}"
        case CancelPending():
            return f"× cancel {len(action.builds)} pending  {say_word(action.reason)}"
        case HoldCreation():
            until = f" until {action.until:%H:%M:%S}" if action.until else ""
            return f"‖ held {action.count}  {say_word(action.reason)}{until}"
        case SetStatus():
            return f"! status {say_word(action.status)}  {say_word(action.reason)}"
        case _:
            assert_never(action)


def _why_deleted(preset: PresetSnapshot, action: DeletePrebuild, now: datetime) -> str:
    """Return the reason, and since when it holds where that is known."""
    prebuild = next((one for one in preset.running if one.id == action.workspace_id), None)
    if prebuild is None:
        return say_word(action.reason)
    if action.reason == Reason.EXPIRED and preset.ttl:
        return f"expired {say_duration(now - prebuild.created_at - preset.ttl)} ago"
    return f"{say_word(action.reason)}, created {say_duration(now - prebuild.created_at)} ago"
