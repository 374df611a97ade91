"""How often is too often: counts per minute, kept in the memory of one web process.

Several processes count each for themselves, so the limits are of one process. Failed sign-ins are
not counted here but in the database (accounts.services.sign_in), where all doors count together.
"""

import time
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final

from django.conf import settings
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import Token

if TYPE_CHECKING:  # the settings name this module, and the views read the settings
    from rest_framework.views import APIView

WINDOW: Final = 60.0
"""Seconds. A count starts anew with each window, so memory holds one window's keys at most."""


class Tally:
    """Counts of the present window, by key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window = -1
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, key: str, number: int = 1) -> int:
        """Count, and return the count so far."""
        with self._lock:
            window = int(self._clock() // WINDOW)
            if window != self._window:
                self._window = window
                self._counts.clear()
            self._counts[key] += number
            return self._counts[key]

    def seconds_left(self) -> float:
        """Return when counts start anew."""
        return WINDOW - self._clock() % WINDOW

    def size(self) -> int:
        """Return how many keys are held in memory."""
        return len(self._counts)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._counts.clear()


tally: Final = Tally()


class TokenRate(BaseThrottle):
    """Requests a minute with one token; sessions and agents are not counted."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Return whether this one is within the rate; 0 is no limit."""
        limit = settings.PREBUILDS_API_RATE
        if not limit or not isinstance(request.auth, Token):
            return True
        return tally.add(f"token {request.auth.pk}") <= limit

    def wait(self) -> float:
        """Return when to come again."""
        return tally.seconds_left()


def count_failed_token(address: str) -> None:
    """Count a token that is none; raises Throttled beyond the rate of the address.

    Good tokens pass whatever others at the address send.
    """
    limit = settings.PREBUILDS_FAILED_TOKEN_RATE
    if limit and tally.add(f"failed token {address}") > limit:
        raise exceptions.Throttled(wait=tally.seconds_left())
