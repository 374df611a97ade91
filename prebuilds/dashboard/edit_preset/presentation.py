"""The form's inputs, and what an edit would bring, in words. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

from prebuilds.dashboard.base.icons import TEMPLATE_ICONS
from prebuilds.dashboard.base.plan import PlanLine
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.create_workspace.presentation import ParameterField, parameter_fields
from prebuilds.dashboard.edit_preset.past import Change, say_difference
from prebuilds.dashboard.edit_preset.schedule_rows import (
    ScheduleRows,
    present_rows,
    rows_as_json,
)
from prebuilds.dashboard.edit_preset.typed import SETS, UNITS, Typed
from prebuilds.dashboard.preset.foresight import plan_lines, say_plan
from prebuilds.dashboard.preset.heat import Week, draw_week
from prebuilds.dashboard.preset.words import name_of
from prebuilds.plans import EditPreview
from templates_app.models import ParameterDefinition

PLAIN_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
"""What an input of numbers shows; it would empty itself of anything else."""
EMPTY_ROWS: Final = 2
"""Rows to type into where no script adds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterInput:
    """An input, and the box that says whether the preset sets it."""

    field: ParameterField
    key: str
    box_name: str
    is_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FormView:
    """Everything the form shows; `errors` by the names of the settings."""

    typed: Typed
    ttl: str
    ttl_unit: str
    units: Sequence[str]
    icons: Sequence[str]
    zones: Sequence[str]
    schedule: ScheduleRows
    parameters: Sequence[ParameterInput]
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewView:
    """What stands beside the form. `errors` and `rows` go to the browser as JSON."""

    problems: Sequence[tuple[str, str]]
    errors: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    changes: tuple[Change, ...]
    next_cycle: str
    lines: tuple[PlanLine, ...]
    week: Week | None


def present_form(
    typed: Typed,
    definitions: Sequence[ParameterDefinition],
    problems: Iterable[tuple[str, str]],
) -> FormView:
    """Return the form with what was typed and what is wrong with it."""
    errors = by_field(problems)
    return FormView(
        typed=typed,
        ttl=typed.ttl_seconds[0],
        ttl_unit=typed.ttl_seconds[1],
        units=list(UNITS),
        icons=sorted(TEMPLATE_ICONS | ({typed.icon} if typed.icon else set())),
        zones=sorted(available_timezones()),
        schedule=present_rows(typed.schedules, spare=EMPTY_ROWS),
        parameters=_parameters(typed, definitions, errors),
        errors=errors,
    )


def by_field(problems: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return everything that is wrong with each setting."""
    errors: dict[str, str] = {}
    for field, detail in problems:
        errors[field] = f"{errors[field]} {detail}" if field in errors else detail
    return errors


def present_preview(
    preview: EditPreview, problems: Sequence[tuple[str, str]], *, typed: Typed, now: datetime
) -> PreviewView:
    """Return what saving would bring, or what forbids it."""
    week = None
    if preview.forecast is not None:
        week = draw_week(preview.forecast, zone=typed.scheduling_timezone, now=now)
    return PreviewView(
        problems=[(name_of(field), detail) for field, detail in problems],
        errors=by_field(problems),
        rows=rows_as_json(typed.schedules),
        changes=say_difference(preview.difference),
        next_cycle="" if problems else say_next(preview),
        lines=plan_lines(preview.plan),
        week=week,
    )


def review_lines(preview: EditPreview) -> tuple[PlanLine, ...]:
    """Return the difference and what the next cycle does, as lines of a plan."""
    changes = (
        PlanLine(icon="edit", tone="busy", text=one.name, subject=f"{one.before} → {one.after}")
        for one in say_difference(preview.difference)
    )
    return (*changes, *plan_lines(preview.plan))


def review_sentence(preview: EditPreview) -> str:
    """Return what saving does."""
    count = len(say_difference(preview.difference))
    anew = ""
    if "parameters" in preview.difference.after:
        anew = " Prebuilds made with the old parameter values expire at once."
    return f"{say_count(count, 'setting')} will change.{anew} {say_next(preview)}"


def say_next(preview: EditPreview) -> str:
    """Return what the next cycle does after saving."""
    if preview.plan is None:
        return "The preset keeps no pool: no prebuild is made, and what runs is left running."
    return say_plan(preview.plan, paused=preview.paused)


def _parameters(
    typed: Typed, definitions: Sequence[ParameterDefinition], errors: Mapping[str, str]
) -> list[ParameterInput]:
    found = {
        name.removeprefix("parameters."): detail
        for name, detail in errors.items()
        if name.startswith("parameters.")
    }
    drawn = parameter_fields(
        definitions, fixed={}, given=_shown(typed, definitions), problems=found
    )
    return [
        ParameterInput(
            field=_with_own_value(field),
            key=f"parameters.{field.name}",
            box_name=SETS + field.name,
            is_set=field.name in typed.parameters,
        )
        for field in drawn
    ]


def _shown(typed: Typed, definitions: Sequence[ParameterDefinition]) -> dict[str, str]:
    """Return what the inputs hold: the preset's values, then what was typed, then the defaults."""
    return {
        each.name: typed.values[each.name]
        for each in definitions
        if each.name in typed.values and (typed.values[each.name] or each.name in typed.parameters)
    }


def _with_own_value(field: ParameterField) -> ParameterField:
    """Give an input that can hold the value there is: showing a form must change nothing."""
    match field.control:
        case "select" if field.value and field.value not in field.options:
            return replace(field, options=[field.value, *field.options])
        case "number" if field.value and not PLAIN_NUMBER.fullmatch(field.value):
            return replace(field, control="text")
        case "text" if "\n" in field.value:
            return replace(field, control="lines")
    return field


def hidden_fields(sent: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was sent as hidden inputs, for the page that asks once more."""
    left_out = {"csrfmiddlewaretoken", "confirmed", "again", "take", "back", "revision"}
    lists = sent.lists() if hasattr(sent, "lists") else []
    return [(name, value) for name, values in lists if name not in left_out for value in values]
