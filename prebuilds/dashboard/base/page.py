"""Render a page with what the layout needs: who is signed in, where they are, what version runs."""

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user
from prebuilds.dashboard.base.navigation import navigation_of
from prebuilds.selectors import current_pause


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    section: str,
    status: int = 200,
) -> HttpResponse:
    """Render a whole page; `section` names the entry of the navigation that is lit.

    A page that knows already whether reconciliation is paused says so as `pause`.
    """
    viewer, now = current_user(request), timezone.now()
    layout = {
        "section": section,
        "viewer": viewer,
        "navigation": navigation_of(viewer),
        "may_use_admin": viewer.is_staff,
        "product_version": product_version(),
        "loaded_at": now,
        "pause": context["pause"] if "pause" in context else current_pause(now),
        "may_resume": subject_of(viewer).can_anywhere(Action.UPDATE, Resource.PREBUILDS_SETTINGS),
    }
    return _never_stored(render(request, template, {**layout, **context}, status=status))


def render_fragment(
    request: HttpRequest, template: str, context: Mapping[str, Any]
) -> HttpResponse:
    """Render a part of a page, named as "page.html#part"."""
    return _never_stored(render(request, template, dict(context)))


@cache
def product_version() -> str:
    """Return the version this checkout calls itself."""
    text = (settings.BASE_DIR / "pyproject.toml").read_text()
    return str(tomllib.loads(text)["project"]["version"])


def _never_stored(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
