"""Durations as people write them: `90s`, `5m`, `1h`, `2d`, or plain seconds (semantics.md 22)."""

import re
from datetime import timedelta
from typing import Final

UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
FORM: Final = re.compile(r"([0-9]{1,9})\s*([smhd]?)")
HOW_TO: Final = "use a duration such as 90s, 5m, 1h, 2d, or plain seconds"


def parse_duration(text: str) -> timedelta:
    """Return the span a text says; raises ValueError, whose text says how to write one."""
    match = FORM.fullmatch(text.strip())
    if not match:
        raise ValueError(HOW_TO)
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])
