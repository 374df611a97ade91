"""Who may come in. What somebody may do once inside, each view asks of accounts.policy.

A fragment must never be answered with the sign-in page: htmx would put it into the table.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts import audit
from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import User

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]


def current_user(request: HttpRequest) -> User:
    """Return who is signed in; only for views behind `signed_in`."""
    return cast("User", request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Return who is signed in as the audit log names them."""
    return audit.actor_at(request.META, user=current_user(request), source=AuditSource.PAGE)


def signed_in(view: View[Arguments]) -> View[Arguments]:
    """Send strangers to the sign-in page, and back to where they were afterwards."""

    @wraps(view)
    def guarded(
        request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if is_fragment(request):
            return _redirect_whole_page(request)
        return redirect_to_login(request.get_full_path())

    return guarded


def is_fragment(request: HttpRequest) -> bool:
    """Return whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def _redirect_whole_page(request: HttpRequest) -> HttpResponse:
    back = _page_of(request)
    location = f"{settings.LOGIN_URL}?{urlencode({'next': back})}"
    return HttpResponse(status=401, headers={"HX-Redirect": location})


def _page_of(request: HttpRequest) -> str:
    """Return the page that asks for a fragment; the first one when it says none."""
    try:
        page = urlsplit(request.headers.get("HX-Current-URL", "/"))
    except ValueError:
        return "/"
    return page.path + (f"?{page.query}" if page.query else "")
