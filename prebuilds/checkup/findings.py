"""What a check finds: how bad, what, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. What was not looked at is neither well nor bad."""

    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line for a person. `advice` says what to do; what is well needs none."""

    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a check is given: the clock, and who asked for a mail to try."""

    clock: Callable[[], datetime]
    mail_to: str = ""

    @property
    def now(self) -> datetime:
        """The instant of asking."""
        return self.clock()


Look = Callable[[Visit], Iterator[Finding]]


def well(text: str) -> Finding:
    """Nothing to do."""
    return Finding(level=Level.OK, text=text)


def warn(text: str, advice: str) -> Finding:
    """It works, and will not always, or not as people would want it."""
    return Finding(level=Level.WARNING, text=text, advice=advice)


def bad(text: str, advice: str) -> Finding:
    """Something does not work."""
    return Finding(level=Level.FAILING, text=text, advice=advice)


def skipped(text: str) -> Finding:
    """Nobody looked."""
    return Finding(level=Level.SKIPPED, text=text)


def say_span(span: timedelta) -> str:
    """Return a span as people say it: 40 s, 12 min, 5 h, 3 d."""
    seconds = max(int(span.total_seconds()), 0)
    for limit, size, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} d"
