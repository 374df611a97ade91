"""What is answered while the database is away: 503 in the shape of whoever asked, without it.

A person gets a page that tries again by itself, a program the API's one shape. A fragment or a
stream gets a line, which no page shows: it keeps what it has and says since when that is stale.
Nothing here may ask for the session, for who is signed in, or for any row.
"""

from typing import Final

from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import escape_leading_slashes

from prebuilds import outages
from prebuilds.dashboard.base import sessions
from prebuilds.dashboard.base.access import is_fragment
from workspaces.tracing import bound_fields

PAGE_RETRY_SECONDS: Final = 5
REPEATABLE: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing, so that a page may ask once more by itself."""
PLAIN: Final = "text/plain; charset=utf-8"
SOON: Final = {"Retry-After": str(outages.RETRY_SECONDS)}


class AnswerWhileAway(MiddlewareMixin):
    """Answer for the views that meet it: pages, fragments, exports, the admin."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer if this is it; any other error is left to Django (500)."""
        return answer(request, error) if outages.means_away(error) else None


class EndOldSessions(sessions.EndOldSessions):
    """Look at the session, or answer at once: no view has begun, so nothing was changed."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        """End a session that is over, as ever."""
        try:
            super().process_request(request)
        except Error as error:
            if not outages.means_away(error):
                raise
            return answer(request, error, untouched=True)
        return None


def answer(request: HttpRequest, error: BaseException, *, untouched: bool = False) -> HttpResponse:
    """Answer 503 and write one line; `untouched` when no view can have changed anything yet."""
    response = _shaped(request, untouched=untouched)
    outages.note(error, response)
    return response


def _shaped(request: HttpRequest, *, untouched: bool) -> HttpResponse:
    if request.path.startswith("/api/"):
        words = {"message": outages.WORDS, "detail": "", "validations": []}
        return JsonResponse(words, status=503, headers=SOON)
    if is_fragment(request) or "text/html" not in request.headers.get("Accept", ""):
        return HttpResponse(f"{outages.WORDS}\n", status=503, content_type=PLAIN, headers=SOON)
    return _page(request, untouched=untouched)


def _page(request: HttpRequest, *, untouched: bool) -> HttpResponse:
    repeats = request.method in REPEATABLE
    context = {
        "repeats": repeats,
        "untouched": untouched,
        "seconds": PAGE_RETRY_SECONDS,
        "again": escape_leading_slashes(request.get_full_path()),
        "request_id": str(bound_fields().get("request_id", "")),
    }
    headers = {"Retry-After": str(PAGE_RETRY_SECONDS)}
    if repeats:
        headers["Refresh"] = str(PAGE_RETRY_SECONDS)
    page = loader.get_template("503.html").render(context)
    return HttpResponse(page, status=503, headers=headers)
