"""Add a preset to a version that is there: the form of an edit, from nothing or from another."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from prebuilds.dashboard.base.access import actor_of, signed_in
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.base.plan import leave
from prebuilds.dashboard.edit_preset.draft import Draft
from prebuilds.dashboard.edit_preset.presentation import present_form, say_next
from prebuilds.dashboard.edit_preset.typed import read_typed, typed_of
from prebuilds.dashboard.template.reach import find_changeable, find_version
from templates_app import services
from templates_app.errors import InvalidPreset, NameTaken, TemplateDeleted
from templates_app.models import Preset, TemplateVersion
from templates_app.services import PresetChanges, PresetSpec

LONGEST_NAME: Final = 64
Problems = Sequence[tuple[str, str]]


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, template_id: UUID, version_id: UUID) -> HttpResponse:
    """Show the form; what is sent becomes a preset when nothing is wrong with it."""
    version = find_version(find_changeable(request, template_id), version_id)
    source = _source(request, version)
    draft = _open(request, version, source)
    if request.method != "POST":
        return _show(request, draft, source)
    changes, found, problems = draft.preview()
    problems = [*_name_problems(draft.preset.name), *problems]
    if not problems:
        try:
            added = _add(request, draft, changes)
        except TemplateDeleted as error:
            messages.error(request, f"Nothing was added. {error}")
            return leave(request, reverse("dashboard:template", args=[template_id]))
        except NameTaken:
            problems = [("name", f"{version.name} has a preset called {draft.preset.name}.")]
        except InvalidPreset as error:
            problems = list(error.problems)
        else:
            messages.success(request, f"Added: {services.label_of(added)}. {say_next(found)}")
            return leave(request, reverse("dashboard:preset", args=[added.pk]))
    return _show(request, draft, source, problems=problems, status=422)


@signed_in
@require_POST
def preview(request: HttpRequest, template_id: UUID, version_id: UUID) -> HttpResponse:
    """Show what the preset would bring, as the form stands; nothing is saved."""
    version = find_version(find_changeable(request, template_id), version_id)
    draft = _open(request, version, None)
    return render_fragment(request, "edit_preset/preview.html", draft.preview_context())


def _open(request: HttpRequest, version: TemplateVersion, source: Preset | None) -> Draft:
    """Return the form as sent, or as it starts: empty, or with the settings of another preset."""
    definitions = list(version.parameter_definitions.all())
    preset = Preset(version=version, name=request.POST.get("name", "").strip())
    start = services.spec_of(source) if source else PresetSpec(name="")
    typed = typed_of(_as_new(start), preset.revision)
    if request.method == "POST":
        typed = read_typed(request.POST, definitions, {})
    return Draft(preset=preset, definitions=definitions, typed=typed, now=timezone.now())


def _as_new(spec: PresetSpec) -> PresetSpec:
    """Return the settings for a second preset: only one of a version is its default."""
    return PresetSpec(
        name="",
        description=spec.description,
        icon=spec.icon,
        parameters=spec.parameters,
        desired_instances=spec.desired_instances,
        ttl_seconds=spec.ttl_seconds,
        scheduling_timezone=spec.scheduling_timezone,
        schedules=spec.schedules,
    )


def _source(request: HttpRequest, version: TemplateVersion) -> Preset | None:
    """Return the preset to start from, when the address names one of this version."""
    named = request.GET.get("from", "")
    return next((one for one in version.presets.all() if str(one.pk) == named), None)


def _add(request: HttpRequest, draft: Draft, changes: PresetChanges) -> Preset:
    return services.add_preset(
        version=draft.preset.version,
        spec=changes.applied_to(PresetSpec(name=draft.preset.name)),
        actor=actor_of(request),
        now=draft.now,
    )


def _name_problems(name: str) -> list[tuple[str, str]]:
    if not name:
        return [("name", "Give the preset a name.")]
    if len(name) > LONGEST_NAME:
        return [("name", f"Its {len(name)} characters are too many; use {LONGEST_NAME} at most.")]
    return []


def _show(
    request: HttpRequest,
    draft: Draft,
    source: Preset | None,
    *,
    problems: Problems = (),
    status: int = 200,
) -> HttpResponse:
    version = draft.preset.version
    context = {
        **draft.preview_context(),
        "template": version.template,
        "version": version,
        "source": source,
        "form": present_form(draft.typed, draft.definitions, problems),
    }
    return render_page(request, "edit_preset/new.html", context, section="templates", status=status)
