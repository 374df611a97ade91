"""Show a decision as lines of a diff for people, or as stable JSON for machines."""

from typing import Any, assert_never

from prebuilds.core.actions import (
    Action,
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    SetStatus,
)
from prebuilds.reconciler import state_as_json


def plan_lines(decision: Decision) -> list[str]:
    """Return the preset's heading and one line per action; nothing when there is none."""
    if not decision.actions:
        return []
    state = decision.state
    heading = (
        f"{decision.preset.label} ({decision.preset.version_name}): "
        f"desired {state.desired}, ready {state.eligible}, running {state.actual}, "
        f"starting {state.starting}"
    )
    return [heading, *(f"  {_line(action)}" for action in decision.actions)]


def _line(action: Action) -> str:
    match action:
        case CreatePrebuilds():
            return f"+ create {action.count}  {_words(action.reason)}"
        case DeletePrebuild():
            return f"- delete {action.workspace_id}  {_words(action.reason)}"
        case CancelPending():
            return f"× cancel {len(action.builds)} pending  {_words(action.reason)}"
        case HoldCreation():
            until = f" until {action.until:%H:%M:%S}" if action.until else ""
            return f"‖ held {action.count}  {_words(action.reason)}{until}"
        case SetStatus():
            return f"! status {_words(action.status)}  {_words(action.reason)}"
        case _:
            assert_never(action)


def decision_as_json(decision: Decision) -> dict[str, Any]:
    """Return a decision with its numbers; the keys are documented in docs/commands.md."""
    preset = decision.preset
    return {
        "preset_id": str(preset.id),
        "preset": preset.name,
        "template": preset.template_name,
        "version": preset.version_name,
        "organization": preset.organization_name,
        "active": preset.is_active,
        "state": state_as_json(decision.state),
        "actions": [_action_as_json(action) for action in decision.actions],
    }


def _action_as_json(action: Action) -> dict[str, Any]:
    match action:
        case CreatePrebuilds():
            return {"action": "create", "reason": action.reason, "count": action.count}
        case DeletePrebuild():
            workspace = str(action.workspace_id)
            return {"action": "delete", "reason": action.reason, "workspace_id": workspace}
        case CancelPending():
            workspaces = [str(one.workspace_id) for one in action.builds]
            return {"action": "cancel", "reason": action.reason, "workspace_ids": workspaces}
        case HoldCreation():
            until = action.until.isoformat() if action.until else None
            return {
                "action": "hold",
                "reason": action.reason,
                "count": action.count,
                "until": until,
            }
        case SetStatus():
            return {"action": "set_status", "reason": action.reason, "status": action.status}
        case _:
            assert_never(action)


def _words(value: str) -> str:
    """Return a stored word as people write it."""
    return value.replace("_", " ")
