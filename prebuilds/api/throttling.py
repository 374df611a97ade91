"""How often is too often: counts per minute, kept in the memory of one web process.

Several processes count each for themselves, so the limits are of one process. Only failed tries
count against a name, and only together with the address they came from: who does not know the
password cannot lock out who does.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
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


def address_of(request: Request) -> str:
    """Return where a request comes from; a proxy's word counts if the server believes it."""
    return str(request.META.get("REMOTE_ADDR") or "")


def count_failed_token(address: str) -> None:
    """Count a token that is none; raises Throttled beyond the rate of the address.

    Good tokens pass whatever others at the address send.
    """
    limit = settings.PREBUILDS_FAILED_TOKEN_RATE
    if limit and tally.add(f"failed token {address}") > limit:
        raise exceptions.Throttled(wait=tally.seconds_left())


class SignInTries:
    """The tries of one address with one name: taken before the password is looked at."""

    def __init__(self, *, address: str, name: str) -> None:
        self._limits: Mapping[str, int] = {
            f"sign-in {address}": settings.PREBUILDS_FAILED_SIGN_IN_RATE,
            f"sign-in {address} {name.lower()}": settings.PREBUILDS_FAILED_SIGN_IN_RATE_PER_NAME,
        }

    def take(self) -> None:
        """Count a try; raises Throttled when there were too many, without looking further."""
        counts = [limit and tally.add(key) > limit for key, limit in self._limits.items()]
        if any(counts):
            raise exceptions.Throttled(wait=tally.seconds_left())

    def give_back(self) -> None:
        """Take a try back that was no failure."""
        for key, limit in self._limits.items():
            if limit:
                tally.add(key, -1)
