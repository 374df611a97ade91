"""How a preset's settings are called, and how their values are said. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from prebuilds.dashboard.base.wording import say_duration

NAMES: Final = {
    "description": "Description",
    "icon": "Icon",
    "is_default": "Default preset",
    "parameters": "Parameters",
    "desired_instances": "Desired instances",
    "ttl_seconds": "Time to live",
    "scheduling_timezone": "Time zone",
    "schedules": "Schedule",
}


def name_of(field: str) -> str:
    """Return what people call a setting; a parameter goes by its own name."""
    return NAMES.get(field, field.removeprefix("parameters."))


def say_value(field: str, value: Any) -> str:
    """Return a setting's value, stored as JSON, in words."""
    match field:
        case "is_default":
            return "yes" if value else "no"
        case "desired_instances":
            return "no pool" if value is None else str(value)
        case "ttl_seconds":
            return say_duration(timedelta(seconds=value)) if value else "never expires"
        case "schedules":
            return "; ".join(map(_say_row, value or ())) or "none"
        case "parameters":
            return ", ".join(f"{name} = {text}" for name, text in (value or {}).items()) or "none"
    return str(value) if value not in (None, "") else "empty"


def _say_row(row: Mapping[str, Any]) -> str:
    return f"{row['desired_instances']} at {row['cron_expression']}"
