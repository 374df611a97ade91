"""What can be done to a pool: retry, invalidate, another number, delete; each shows its plan."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from prebuilds import observation
from prebuilds import services as prebuild_services
from prebuilds.dashboard.base.access import actor_of, signed_in
from prebuilds.dashboard.base.numbers import read_whole
from prebuilds.dashboard.base.page import render_fragment
from prebuilds.dashboard.base.plan import Plan, leave, render_plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.preset import queries
from prebuilds.dashboard.preset.foresight import (
    foresee_invalidation,
    foresee_retry,
    plan_lines,
    say_plan,
)
from prebuilds.dashboard.preset.reach import find_changeable
from prebuilds.plans import plan_edit
from templates_app import services
from templates_app.enums import PrebuildStatus
from templates_app.errors import InvalidPreset, PresetInUse, StalePreset
from templates_app.models import Preset

MOST: Final = 2_147_483_647
"""What the database's number can hold."""
IN_USE: Final = (
    "Workspaces were built from it or asked for by it, and their history stays. Take its pool away "
    "instead: set desired instances to 0, and once it is empty clear the number in Edit. A new "
    "version can do without the preset."
)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Forget the pool's failures, so that the next cycle builds again."""
    preset, now = find_changeable(request, preset_id), timezone.now()
    if request.method == "POST":
        services.retry_preset(preset_id=preset.pk, now=now, actor=actor_of(request))
        messages.success(request, f"{_name(preset)}: its failures are forgotten.")
        return leave(request, _page(preset))
    plan, paused = foresee_retry(preset, now), observation.is_paused(now)
    shown = Plan(
        title=f"Retry {_name(preset)}",
        sentence=f"{_past(preset)} are forgotten. {say_plan(plan, paused=paused)}",
        verb="Retry",
        lines=plan_lines(plan),
    )
    return _show(request, preset, shown)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def invalidate(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Expire every prebuild there is, so that the pool is built anew."""
    preset, now = find_changeable(request, preset_id), timezone.now()
    if request.method == "POST":
        services.invalidate_presets(preset_ids=[preset.pk], now=now, actor=actor_of(request))
        messages.success(
            request, f"{_name(preset)}: every prebuild made before now is expired and is replaced."
        )
        return leave(request, _page(preset))
    plan, paused = foresee_invalidation(preset, now), observation.is_paused(now)
    shown = Plan(
        title=f"Invalidate {_name(preset)}",
        sentence="Nobody gets a prebuild made before now any more, at once. Until new ones are "
        f"ready, people wait for a build. {say_plan(plan, paused=paused)}",
        verb="Invalidate",
        lines=plan_lines(plan),
        danger=True,
    )
    return _show(request, preset, shown)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def set_desired(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Change how many prebuilds are desired when no schedule says otherwise."""
    preset, now = find_changeable(request, preset_id), timezone.now()
    asked = request.POST if request.method == "POST" else request.GET
    text = asked.get("desired_instances", "").strip()
    problem = _number_problem(text) if asked is request.POST or text else ""
    if request.method != "POST" and text:
        return _preview_number(request, preset, text, problem, now)
    if request.method == "POST" and not problem:
        wanted = int(text)
        try:
            services.set_desired_instances(
                preset_id=preset.pk, desired_instances=wanted, now=now, actor=actor_of(request)
            )
        except InvalidPreset as error:
            problem = "; ".join(detail for _, detail in error.problems)
        else:
            said = f"{_name(preset)}: {say_count(wanted, 'prebuild')} desired."
            messages.success(request, f"{said} {_foresee_number(preset, wanted, now)}")
            return leave(request, _page(preset))
    return _ask_number(request, preset, text, problem)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Delete a preset that nothing was ever built from."""
    preset = find_changeable(request, preset_id)
    version = preset.version
    home = reverse("dashboard:template_version", args=[version.template_id, version.pk])
    if request.method == "POST":
        return _delete(request, preset, home)
    shown = Plan(
        title=f"Delete {_name(preset)}",
        sentence="Nobody can choose it any more, and its settings are gone; the audit log keeps "
        "them. Nothing was built from it, so no workspace is touched.",
        verb="Delete",
        danger=True,
        form="edit_preset/revision.html",
        impossible="" if queries.is_unused(preset) else IN_USE,
    )
    return _show(request, preset, shown, context={"revision": preset.revision})


def _delete(request: HttpRequest, preset: Preset, home: str) -> HttpResponse:
    text = request.POST.get("revision", "")
    try:
        prebuild_services.delete_preset(
            preset_id=preset.pk,
            revision=read_whole(text) or 0,
            actor=actor_of(request),
            now=timezone.now(),
        )
    except PresetInUse:
        messages.error(request, f"Nothing was deleted. {IN_USE}")
        return leave(request, _page(preset))
    except StalePreset as error:
        messages.error(request, f"Nothing was deleted. {error}")
        return leave(request, _page(preset))
    messages.success(request, f"{_name(preset)} is deleted.")
    return redirect(home)


def _preview_number(
    request: HttpRequest, preset: Preset, text: str, problem: str, now: datetime
) -> HttpResponse:
    said = problem or _foresee_number(preset, int(text), now)
    return render_fragment(request, "preset/desired_plan.html", {"said": said})


def _ask_number(request: HttpRequest, preset: Preset, text: str, problem: str) -> HttpResponse:
    before = preset.desired_instances
    says = "It keeps no pool yet" if before is None else f"It is {before} now"
    also = " In the hours of a schedule, that schedule's number holds." if _rows(preset) else ""
    shown = Plan(
        title=f"Set desired instances of {_name(preset)}",
        sentence=f"How many prebuilds the pool wants. {says}.{also}",
        verb="Set",
        form="preset/desired_form.html",
    )
    value = text or ("" if before is None else str(before))
    context = {"value": value, "problem": problem}
    return _show(request, preset, shown, context=context, status=422 if problem else 200)


def _foresee_number(preset: Preset, wanted: int, now: datetime) -> str:
    """Return what the number brings, with the other settings as they are."""
    after = replace(services.spec_of(preset), desired_instances=wanted)
    plan = plan_edit(preset=preset, after=after, now=now)
    return say_plan(plan, paused=observation.is_paused(now))


def _number_problem(text: str) -> str:
    number = read_whole(text)
    if number is None or number > MOST:
        return f'"{text[:40]}" is not a whole number from 0 on. Write digits, such as 3.'
    return ""


def _past(preset: Preset) -> str:
    match preset.prebuild_status:
        case PrebuildStatus.VALIDATION_FAILED:
            return "Its failed validation and its failures"
        case _:
            return "Its failures"


def _show(
    request: HttpRequest,
    preset: Preset,
    plan: Plan,
    *,
    context: Mapping[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    return render_plan(
        request, plan, section="pools", back=_page(preset), context=context, status=status
    )


def _name(preset: Preset) -> str:
    return services.label_of(preset)


def _rows(preset: Preset) -> int:
    return len(preset.schedules.all())


def _page(preset: Preset) -> str:
    return reverse("dashboard:preset", args=[preset.pk])
