"""How often is too often: counts per minute, of all web processes together.

Each counts in memory and tells the others through the database whenever a hundredth of the limit
has come together (docs/adr/0014). Failed sign-ins are not counted here (accounts.services.sign_in).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from django.conf import settings
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import Token
from accounts.services import request_counts

if TYPE_CHECKING:  # the settings name this module, and the views read the settings
    from rest_framework.views import APIView

WINDOW: Final = 60
"""Seconds. A count starts anew with each minute, so memory holds one minute's keys at most."""
PARTS: Final = 100
"""How many parts of a limit a process tells the others of, each when it is full."""

Tell = Callable[[str, int, int], int]
"""Tell of whom, in which minute, how many; the answer is the count of all processes."""


@dataclass(slots=True)
class _Count:
    told: int = 0
    untold: int = 0

    @property
    def total(self) -> int:
        return self.told + self.untold


class Tally:
    """Counts of the present minute, by key; what others count is known since the last telling."""

    def __init__(self, tell: Tell | None = None, clock: Callable[[], float] = time.time) -> None:
        self._tell = tell
        self._clock = clock
        self._minute = -1
        self._counts: dict[str, _Count] = {}
        self._lock = Lock()

    def add(self, key: str, *, limit: int) -> int:
        """Count one, and return the count so far.

        Each process, and in it each request that is telling, may know of up to a hundredth of the
        limit that the others do not. Whoever is beyond the limit costs no statement.
        """
        with self._lock:
            count = self._count_of(key)
            count.untold += 1
            if not self._tell or count.total > limit or count.untold < limit // PARTS:
                return count.total
            minute, number = self._minute, count.untold
            count.told, count.untold = count.total, 0
        told = self._tell(key, minute, number)
        with self._lock:
            count.told = max(count.told, told)
        return told  # what others have counted since is not this one's

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

    def _count_of(self, key: str) -> _Count:
        minute = int(self._clock() // WINDOW)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        return self._counts.setdefault(key, _Count())


def _tell(key: str, minute: int, number: int) -> int:
    return request_counts.add_requests(of=key, minute=minute, number=number)


tally: Final = Tally(_tell)


class TokenRate(BaseThrottle):
    """Requests a minute with one token; sessions and agents are not counted."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Return whether this one is within the rate; 0 is no limit."""
        limit = settings.PREBUILDS_API_RATE
        if not limit or not isinstance(request.auth, Token):
            return True
        return tally.add(f"token {request.auth.pk}", limit=limit) <= limit

    def wait(self) -> float:
        """Return when to come again."""
        return tally.seconds_left()


def count_failed_token(address: str) -> None:
    """Count a token that is none; raises Throttled beyond the rate of the address.

    Good tokens pass whatever others at the address send.
    """
    limit = settings.PREBUILDS_FAILED_TOKEN_RATE
    if limit and tally.add(f"failed token {address}", limit=limit) > limit:
        raise exceptions.Throttled(wait=tally.seconds_left())
