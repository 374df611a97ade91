"""Ask before doing: by showing what will happen, never by "are you sure" (ui.md, Look).

GET shows the plan: as a dialog when htmx asks for it, as a page of its own otherwise, so that a
link to it works too. POST does it, and a message says what really happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from prebuilds.dashboard.base.access import is_fragment
from prebuilds.dashboard.base.page import render_fragment, render_page

LINES_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One thing that will happen. `subject` is what it happens to."""

    icon: str
    tone: str
    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an action will do. `verb` is the button; `danger` when something is taken away.

    `form` names a template with more fields to fill in; `impossible` is why it cannot be done.
    """

    title: str
    sentence: str
    verb: str
    lines: tuple[PlanLine, ...] = ()
    danger: bool = False
    form: str = ""
    impossible: str = ""

    @property
    def shown(self) -> tuple[PlanLine, ...]:
        """Return as many lines as a person reads."""
        return self.lines[:LINES_SHOWN]

    @property
    def hidden(self) -> int:
        """Return how many lines are left out."""
        return max(len(self.lines) - LINES_SHOWN, 0)


def render_plan(
    request: HttpRequest,
    plan: Plan,
    *,
    section: str,
    back: str,
    context: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the plan. `back` is where one goes when it is done or left."""
    values = {
        "plan": plan,
        "back": back_to(request, back),
        "action": request.path,
        **(context or {}),
    }
    if is_fragment(request):
        return render_fragment(request, "base/plan.html#dialog", values)
    return render_page(request, "base/plan.html", values, section=section, status=status)


def leave(request: HttpRequest, back: str) -> HttpResponse:
    """Go where the person came from, once it is done."""
    return redirect(back_to(request, back))


def back_to(request: HttpRequest, fallback: str) -> str:
    """Return the page of ours the request names in `back`; the fallback for anything else."""
    wanted = request.POST.get("back") or request.GET.get("back") or ""
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return fallback
