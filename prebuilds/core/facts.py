"""A decision as facts for JSON: the same for the plan of a command, the API and what is kept."""

from dataclasses import asdict
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
from prebuilds.core.state import State


def state_as_json(state: State) -> dict[str, Any]:
    """Return a state's numbers by their names, and the schedule that gave the desired one."""
    facts = asdict(state)
    facts["schedule"] = state.schedule.expression if state.schedule else None
    return facts


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
