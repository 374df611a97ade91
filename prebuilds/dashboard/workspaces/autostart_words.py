"""An autostart schedule in days, a time and a zone, and back again. Pure.

What the API stored may say more than that (every two hours); it is shown as it is written.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import time
from typing import Final

DAYS: Final = (
    ("1", "Monday"),
    ("2", "Tuesday"),
    ("3", "Wednesday"),
    ("4", "Thursday"),
    ("5", "Friday"),
    ("6", "Saturday"),
    ("0", "Sunday"),
)
_ORDER: Final = [number for number, _ in DAYS]
_SHORT: Final = {number: name[:3] for number, name in DAYS}
_WORDS: Final = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_PLAIN: Final = re.compile(r"(?:CRON_TZ=(\S+) )?(\d{1,2}) (\d{1,2}) \* \* (\S+)")
_RANGE: Final = re.compile(r"([0-6])(?:-([0-6]))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSchedule:
    """The days of the week, as cron numbers from Monday on, a time, and whose clock."""

    days: tuple[str, ...]
    at: time
    zone: str


def write_schedule(plain: PlainSchedule) -> str:
    """Return the schedule as it is stored."""
    days = "*" if len(set(plain.days)) == len(DAYS) else ",".join(sorted(set(plain.days)))
    return f"CRON_TZ={plain.zone} {plain.at.minute} {plain.at.hour} * * {days}"


def read_plain(schedule: str) -> PlainSchedule | None:
    """Return a stored schedule in plain form; None for one that says more."""
    match = _PLAIN.fullmatch(" ".join(schedule.split()))
    if match is None or int(match[3]) > 23 or int(match[2]) > 59:
        return None
    days = _days(match[4].lower())
    if days is None:
        return None
    at = time(int(match[3]), int(match[2]))
    return PlainSchedule(days=days, at=at, zone=match[1] or "UTC")


def say_schedule(schedule: str) -> str:
    """Return "Mon to Fri at 09:30, Europe/Berlin"; as it is written when it says more."""
    plain = read_plain(schedule)
    if plain is None:
        return schedule
    return f"{_say_days(plain.days)} at {plain.at:%H:%M}, {plain.zone}"


def _say_days(days: tuple[str, ...]) -> str:
    places = [_ORDER.index(day) for day in days]
    if len(days) == len(DAYS):
        return "Every day"
    if len(days) > 2 and places == list(range(places[0], places[-1] + 1)):
        return f"{_SHORT[days[0]]} to {_SHORT[days[-1]]}"
    return ", ".join(_SHORT[day] for day in days)


def _days(text: str) -> tuple[str, ...] | None:
    """Return the days of a cron field from Monday on; None for steps and the like."""
    if text == "*":
        return tuple(_ORDER)
    for word, number in _WORDS.items():
        text = text.replace(word, str(number))
    found: set[str] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        found |= set(_span(int(match[1]), int(match[2] or match[1])))
    return _sorted(found) or None


def _span(first: int, last: int) -> list[str]:
    return [str(day) for day in range(first, last + 1)]


def _sorted(days: Collection[str]) -> tuple[str, ...]:
    return tuple(day for day in _ORDER if day in days)
