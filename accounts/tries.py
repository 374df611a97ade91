"""PURE: how long somebody waits who keeps failing to sign in. No Django, no clock, no I/O.

A count is of one place: an address, a name from one address, a name in one known browser, or a
name from everywhere. The last never makes anybody wait, so nobody can keep a name's owner out;
it only leaves every stranger's place one try instead of several (semantics.md 18).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(minutes=15)
FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""Without a failure for so long, a count starts anew."""
UNDER_ATTACK: Final = 10
"""So many times the tries of one place, from all places together, and the name is under attack."""


class Place(StrEnum):
    """What failures are counted by."""

    ADDRESS = "address"
    NAME_AT_ADDRESS = "name at address"
    NAME_IN_BROWSER = "name in browser"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many failures are free; 0 = no limit."""

    tries: int
    tries_per_address: int

    def is_counted(self, place: Place) -> bool:
        """Return whether there is a limit at all."""
        return bool(self.tries_per_address if place == Place.ADDRESS else self.tries)

    def free(self, place: Place, *, under_attack: bool) -> int:
        """Return after how many failures a place waits; 0 for never."""
        if place == Place.NAME:
            return 0
        if place == Place.ADDRESS:
            return self.tries_per_address
        return min(self.tries, 1) if under_attack else self.tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What is known of one place."""

    failures: int = 0
    last_failed_at: datetime | None = None
    waits_until: datetime | None = None

    def at(self, now: datetime) -> "Count":
        """Return the count as it is now: an old one is none."""
        old = self.last_failed_at is None or now - self.last_failed_at >= FORGOTTEN_AFTER
        return Count() if old else self

    def failed(self, *, free: int, now: datetime) -> "Count":
        """Return the count with one failure more."""
        failures = self.failures + 1
        wait = wait_after(failures, free)
        return Count(
            failures=failures, last_failed_at=now, waits_until=now + wait if wait else None
        )

    def taken_back(self, before: "Count", after: "Count") -> "Count":
        """Return the count without the try that led from `before` to `after`.

        What others failed meanwhile stays, and so does the wait they brought about.
        """
        if self == after:
            return before
        return replace(self, failures=max(self.failures - 1, 0))


Counts = Mapping[Place, Count]


def places_of(*, known_browser: bool) -> tuple[Place, ...]:
    """Return what a try counts in: a known browser has a count of its own and no other."""
    if known_browser:
        return (Place.NAME_IN_BROWSER,)
    return (Place.ADDRESS, Place.NAME_AT_ADDRESS, Place.NAME)


def wait_after(failures: int, free: int) -> timedelta:
    """Return how long to wait after so many failures: 1, 2, 4, 8, then always 15 minutes."""
    if not free or failures < free:
        return timedelta(0)
    return min(FIRST_WAIT * (1 << min(failures - free, 10)), LONGEST_WAIT)


def wait_of(counts: Counts, now: datetime) -> timedelta:
    """Return how long these places still wait; zero when a try may be made."""
    ends = [each.waits_until for each in counts.values() if each.waits_until is not None]
    return max((end - now for end in ends if end > now), default=timedelta(0))


def count_failure(counts: Counts, limits: Limits, now: datetime) -> dict[Place, Count]:
    """Return the counts with one failure more in each place."""
    attacked = is_under_attack(counts, limits)
    return {
        place: count.failed(free=limits.free(place, under_attack=attacked), now=now)
        for place, count in counts.items()
    }


def is_under_attack(counts: Counts, limits: Limits) -> bool:
    """Return whether a name has failed so often, from anywhere, that strangers get one try."""
    failures = counts[Place.NAME].failures if Place.NAME in counts else 0
    return 0 < limits.tries * UNDER_ATTACK <= failures


def crossed(before: Counts, after: Counts, limits: Limits) -> list[Place]:
    """Return the places that reach their limit by this failure: each once, for the audit log."""
    lines = {
        Place.ADDRESS: limits.tries_per_address,
        Place.NAME: limits.tries * UNDER_ATTACK,
    }
    return [
        place
        for place, count in after.items()
        if before[place].failures < lines.get(place, limits.tries) <= count.failures
    ]
