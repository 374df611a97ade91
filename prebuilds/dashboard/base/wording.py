"""How pages say times and counts: as people do. Pure; the clock arrives as an argument."""

from datetime import datetime, timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def say_duration(span: timedelta) -> str:
    """Return the span in its two largest units: "2 h 10 min", "40 s", "0.4 s", "30 ms"."""
    seconds = max(span.total_seconds(), 0)
    if 0 < seconds < 0.1:
        return f"{max(round(seconds * 1000), 1)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    left = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
        elif parts:
            break
        left %= size
    return " ".join(parts)


def say_about(span: timedelta) -> str:
    """Return the span in one unit, as an estimate is said: "2 min", "40 s"."""
    seconds = max(span.total_seconds(), 1)
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{round(seconds / size)} {unit}"
    return "1 s"


def say_count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 pool", "2 pools"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def say_list(parts: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def seconds_between(earlier: datetime | None, later: datetime | None) -> timedelta | None:
    """Return the span between two instants, or None when one of them is missing."""
    return later - earlier if earlier and later else None


def say_word(stored: object) -> str:
    """Return a stored word as people write it: "hard limited"."""
    return str(stored).replace("_", " ")
