"""Change a preset: type, see what it brings, look at the difference, save; and take edits back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import AuditEntry
from prebuilds.dashboard.base.access import actor_of, signed_in
from prebuilds.dashboard.base.numbers import read_whole
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.base.plan import Plan, leave, render_plan
from prebuilds.dashboard.edit_preset.draft import Draft
from prebuilds.dashboard.edit_preset.past import (
    before_edits,
    present_conflict,
    present_edit,
    settings_of,
    undo,
)
from prebuilds.dashboard.edit_preset.presentation import (
    hidden_fields,
    present_form,
    review_lines,
    review_sentence,
    say_next,
)
from prebuilds.dashboard.edit_preset.typed import (
    SETTINGS,
    Typed,
    merge,
    read_typed,
    typed_of,
)
from prebuilds.dashboard.preset.reach import find_changeable
from prebuilds.dashboard.preset.words import name_of
from prebuilds.plans import EditPreview, preview_edit
from templates_app import services
from templates_app.errors import InvalidPreset, StalePreset
from templates_app.models import Preset
from templates_app.selectors import history_of_preset
from templates_app.services import PresetChanges

HISTORY_SHOWN: Final = 20


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Show the form; what is sent is shown as a difference first, and saved when confirmed."""
    draft = _open(request, find_changeable(request, preset_id))
    if request.method != "POST":
        return _show(request, draft)
    if draft.conflict:
        return _show(request, draft, status=409)
    if "again" in request.POST or _take_theirs(request, draft):
        return _show(request, draft)
    return _review_or_save(request, draft)


@signed_in
@require_POST
def preview(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Show what the form would bring, as it stands; nothing is saved."""
    draft = _open(request, find_changeable(request, preset_id))
    return render_fragment(request, "edit_preset/preview.html", draft.preview_context())


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def revert(request: HttpRequest, preset_id: UUID, entry_id: int) -> HttpResponse:
    """Set what one edit changed back to what it was before: a new edit."""
    preset, now = find_changeable(request, preset_id), timezone.now()
    entry = history_of_preset(preset_id).filter(pk=entry_id, action="edit").first()
    if entry is None:
        raise Http404("no such edit")
    changes = PresetChanges(**settings_of(undo(services.spec_of(preset), entry)))
    if request.method == "POST":
        return _revert(request, preset, changes, now)
    edit = present_edit(entry)
    found = preview_edit(preset=preset, changes=changes, now=now)
    shown = Plan(
        title=f"Revert an edit of {services.label_of(preset)}",
        sentence=f"What {edit.who} changed goes back to what it was. {review_sentence(found)}",
        verb="Revert",
        lines=review_lines(found),
        form="edit_preset/revision.html",
        impossible=_why_not(found),
    )
    context = {"revision": preset.revision}
    return render_plan(request, shown, section="pools", back=_edit(preset), context=context)


def _open(request: HttpRequest, preset: Preset) -> Draft:
    """Return the form as sent, or as the preset stands; what others saved meanwhile is merged."""
    definitions = list(preset.version.parameter_definitions.all())
    spec = services.spec_of(preset)
    draft = Draft(
        preset=preset,
        definitions=definitions,
        typed=typed_of(spec, preset.revision),
        now=timezone.now(),
    )
    if request.method == "POST":
        mine = read_typed(request.POST, definitions, spec.parameters)
        draft.typed = mine
        if mine.revision != preset.revision:
            _meet(draft, mine)
    return draft


def _meet(draft: Draft, mine: Typed) -> None:
    """Put what was typed on what others saved, and keep both to be shown."""
    entries = _edits_since(draft.preset, mine.revision)
    theirs = services.spec_of(draft.preset)
    base = before_edits(theirs, entries)
    draft.conflict = present_conflict(mine, base=base, theirs=theirs, entries=entries)
    draft.typed = merge(
        mine, typed_of(base, mine.revision), typed_of(theirs, draft.preset.revision)
    )


def _edits_since(preset: Preset, revision: int) -> list[AuditEntry]:
    """Return the edits since a revision, newest first: each edit is one revision."""
    number = max(preset.revision - revision, 0)
    return list(history_of_preset(preset.pk).filter(action="edit")[:number])


def _take_theirs(request: HttpRequest, draft: Draft) -> bool:
    """Put one setting back to what is saved, when that was asked for."""
    name = request.POST.get("take", "")
    if name not in SETTINGS:
        return False
    saved = typed_of(services.spec_of(draft.preset), draft.preset.revision)
    values = {each: getattr(draft.typed, each) for each in (*SETTINGS, "revision", "values")}
    values[name] = getattr(saved, name)
    if name == "parameters":
        values["values"] = {**draft.typed.values, **saved.values}
    draft.typed = Typed(**values)
    return True


def _review_or_save(request: HttpRequest, draft: Draft) -> HttpResponse:
    changes, found, problems = draft.preview()
    if problems:
        return _show(request, draft, problems=problems, status=422)
    if not found.difference:
        messages.info(request, "Nothing was changed: the settings are as they were.")
        return leave(request, _page(draft.preset))
    if "confirmed" not in request.POST:
        return _review(request, draft, found)
    try:
        _save(request, draft.preset, changes, draft.typed.revision, draft.now)
    except StalePreset:  # somebody was quicker, between our look and our lock
        draft = _open(request, find_changeable(request, draft.preset.pk))
        return _show(request, draft, status=409)
    except InvalidPreset as error:
        return _show(request, draft, problems=list(error.problems), status=422)
    names = ", ".join(name_of(name) for name in found.difference.after)
    messages.success(request, f"Saved: {names}. {say_next(found)}")
    return leave(request, _page(draft.preset))


def _review(request: HttpRequest, draft: Draft, found: EditPreview) -> HttpResponse:
    shown = Plan(
        title=f"Save changes of {services.label_of(draft.preset)}",
        sentence=review_sentence(found),
        verb="Save",
        lines=review_lines(found),
        form="edit_preset/review_form.html",
    )
    context = {"hidden": hidden_fields(request.POST), "revision": draft.typed.revision}
    return render_plan(request, shown, section="pools", back=_page(draft.preset), context=context)


def _save(
    request: HttpRequest, preset: Preset, changes: PresetChanges, revision: int, now: datetime
) -> None:
    services.edit_preset(
        preset_id=preset.pk, revision=revision, changes=changes, actor=actor_of(request), now=now
    )


def _revert(
    request: HttpRequest, preset: Preset, changes: PresetChanges, now: datetime
) -> HttpResponse:
    text = request.POST.get("revision", "")
    try:
        _save(request, preset, changes, read_whole(text) or 0, now)
    except StalePreset as error:
        messages.error(request, f"Nothing was reverted. {error}")
    except InvalidPreset as error:
        messages.error(request, f"Nothing was reverted. {error}")
    else:
        messages.success(request, "Reverted. The next cycle goes by these settings.")
    return leave(request, _edit(preset))


def _why_not(found: EditPreview) -> str:
    if found.problems:
        return " ".join(f"{name_of(field)}: {detail}" for field, detail in found.problems)
    return "" if found.difference else "The settings are already as they were before that edit."


def _show(
    request: HttpRequest,
    draft: Draft,
    *,
    problems: Sequence[tuple[str, str]] = (),
    status: int = 200,
) -> HttpResponse:
    entries = history_of_preset(draft.preset.pk)[:HISTORY_SHOWN]
    context = {
        **draft.preview_context(),
        "template": draft.preset.version.template,
        "form": present_form(draft.typed, draft.definitions, problems),
        "history": list(map(present_edit, entries)),
    }
    return render_page(request, "edit_preset/page.html", context, section="pools", status=status)


def _page(preset: Preset) -> str:
    return reverse("dashboard:preset", args=[preset.pk])


def _edit(preset: Preset) -> str:
    return reverse("dashboard:preset_edit", args=[preset.pk])
