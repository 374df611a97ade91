"""A template's name, looks and lifecycle policy: changed once what changes was shown."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from prebuilds.dashboard.base.access import actor_of, signed_in
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.template.forms import (
    SettingsForm,
    focus_first_error,
    known_icon,
    say_span,
)
from prebuilds.dashboard.template.queries import foresee_dormancy
from prebuilds.dashboard.template.reach import find_changeable
from prebuilds.dashboard.template.wording import POLICY, say_value
from templates_app.errors import NameTaken, StaleTemplate, TemplateDeleted
from templates_app.models import Template
from templates_app.services import TemplateChanges, edit_template


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Edit the settings: the first POST shows what changes, the second does it."""
    template = find_changeable(request, template_id)
    if template.deleted_at is not None:
        raise Http404("a deleted template stays as it is")
    if request.method != "POST":
        return _show(request, template, SettingsForm(initial=_values(template)))
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _show(request, template, form, status=422)
    changes = _changes(template, form.cleaned_data)
    if not changes:
        messages.info(request, "Nothing was changed.")
        return redirect("dashboard:template", template.pk)
    if request.POST.get("reviewed") != _mark(changes):
        return _show(request, template, form, changes=changes)
    return _save(request, template, form, changes)


def _save(
    request: HttpRequest, template: Template, form: SettingsForm, changes: dict[str, Any]
) -> HttpResponse:
    try:
        edit_template(
            template_id=template.pk,
            updated_at=_seen_at(form),
            changes=TemplateChanges(**changes),
            actor=actor_of(request),
            now=timezone.now(),
        )
    except NameTaken as error:
        form.add_error("name", str(error))
    except (StaleTemplate, TemplateDeleted) as error:
        form.add_error(None, str(error))
    else:
        said = ", ".join(POLICY[name].lower() for name in changes)
        messages.success(request, f"Saved: {said}.")
        return redirect("dashboard:template", template.pk)
    return _show(request, template, form, status=409)


def _show(
    request: HttpRequest,
    template: Template,
    form: SettingsForm,
    *,
    changes: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    focus_first_error([form])
    context = {
        "template": template,
        "form": form,
        "differences": list(_differences(template, changes or {})),
        "effects": list(_effects(template, changes, timezone.now())) if changes else (),
        "reviewed": _mark(changes) if changes else "",
    }
    return render_page(
        request, "template/settings.html", context, section="templates", status=status
    )


def _values(template: Template) -> dict[str, Any]:
    values = {name: getattr(template, name) for name in POLICY}
    spans = {name: say_span(values[name]) for name in POLICY if name.endswith("_seconds")}
    stamp = template.updated_at.isoformat()
    return {**values, **spans, "icon": known_icon(template.icon), "updated_at": stamp}


def _changes(template: Template, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what differs; an icon that goes by another name is the same."""
    changes = {name: asked[name] for name in POLICY if asked[name] != getattr(template, name)}
    if changes.get("icon") == known_icon(template.icon):
        del changes["icon"]
    return changes


def _differences(template: Template, changes: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in changes.items():
        before = say_value(name, getattr(template, name))
        yield POLICY[name], before, say_value(name, value)


def _effects(template: Template, changes: dict[str, Any], now: datetime) -> Iterator[str]:
    """Say what a changed policy does to the workspaces there are."""
    if "default_ttl_seconds" in changes or "allow_user_autostop" in changes:
        yield "Times to stop count from each workspace's next start; what runs keeps its own."
    spans = [name for name in changes if name.startswith("time_til_dormant")]
    if not spans:
        return
    after = {name: changes.get(name, getattr(template, name)) for name in POLICY}
    plan = foresee_dormancy(
        template,
        dormant_seconds=after["time_til_dormant_seconds"],
        autodelete_seconds=after["time_til_dormant_autodelete_seconds"],
        now=now,
    )
    asleep = say_count(plan.fall_asleep, "workspace") if plan.fall_asleep else "No workspace"
    yield f"{asleep} would go dormant within a minute."
    if plan.get_a_date:
        yield (
            f"{say_count(plan.get_a_date, 'dormant workspace')} would get a date of deletion, "
            "the whole span from now."
        )


def _seen_at(form: SettingsForm) -> datetime | None:
    text = form.cleaned_data["updated_at"]
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _mark(changes: dict[str, Any]) -> str:
    """Return what tells these changes from others: what is done is what was shown."""
    return sha256(repr(sorted(changes.items())).encode()).hexdigest()[:16]
