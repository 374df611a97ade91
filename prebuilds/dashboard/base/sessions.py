"""Sessions that end: after a while in which nobody did anything, and after a lifetime in any case.

What an open page asks for by itself (fragments, streams, JSON) keeps no session alive, or a
forgotten tab would stay signed in for ever. The times are written with the sign-in itself.
"""

from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as RowStore
from django.http import HttpRequest
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from prebuilds.dashboard.base.access import is_fragment

BEGAN: Final = "began"
SEEN: Final = "seen"
NOTED_EVERY: Final = 60
"""Seconds; a busy person must not become a row that is always written."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class SessionStore(RowStore):
    """Django's own rows; a session that signs somebody in says since when."""

    def save(self, must_create: bool = False) -> None:
        """Write the row, with both times if somebody has signed in just now."""
        _stamp(self._get_session(no_load=must_create))  # type: ignore[attr-defined]
        super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        """Do the same without a thread."""
        _stamp(await self._aget_session(no_load=must_create))  # type: ignore[attr-defined]
        await super().asave(must_create)


class EndOldSessions(MiddlewareMixin):
    """Look at the session's times before anybody asks who is signed in."""

    def process_request(self, request: HttpRequest) -> None:
        """End a session that is over; note a person's doing, once a minute at most."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return
        session: Any = request.session
        if SESSION_KEY not in session:
            return
        now, seen = _now(), session.get(SEEN, 0)
        if is_over(began=session.get(BEGAN, 0), seen=seen, now=now):
            session.flush()
        elif now - seen >= NOTED_EVERY and is_doing(request):
            session[SEEN] = now


def is_over(*, began: int, seen: int, now: int) -> bool:
    """Return whether a session has been idle for too long, or has lived long enough."""
    idle = settings.PREBUILDS_SESSION_IDLE.total_seconds()
    lifetime = settings.PREBUILDS_SESSION_LIFETIME.total_seconds()
    return bool(now - seen >= idle or now - began >= lifetime)


def is_doing(request: HttpRequest) -> bool:
    """Return whether a person does something: opens a page or changes something."""
    if request.method not in SAFE:
        return True
    by_itself = is_fragment(request) or "text/event-stream" in request.headers.get("Accept", "")
    return not by_itself and not request.path.startswith(("/api/", "/live/"))


def _stamp(data: dict[str, Any]) -> None:
    if SESSION_KEY in data:
        now = _now()
        data.setdefault(BEGAN, now)
        data.setdefault(SEEN, now)


def _now() -> int:
    return int(timezone.now().timestamp())
