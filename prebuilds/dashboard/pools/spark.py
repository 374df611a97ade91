"""A pool's last day as a small picture: claims over what was ready, hour by hour. Pure.

Three paths a pool, as SVG attributes: the security policy allows no inline style.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prebuilds.dashboard.base.wording import say_count
from prebuilds.trends import PoolDay

HOUR_WIDTH: Final = 4
HEIGHT: Final = 24
BAR_INSET: Final = 1
"""Bars of claims are narrower than the hour, so that what was ready shows beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """Paths of what was ready, of claims, and of misses on top of them; the same in words."""

    ready: str
    warm: str
    cold: str
    text: str


def draw_spark(day: PoolDay) -> Spark | None:
    """Return the picture of a day; None when nothing is known of it."""
    if not day.hours:
        return None
    top = max(max(hour.ready or 0, hour.warm + hour.cold) for hour in day.hours)
    scale = HEIGHT / max(top, 1)
    return Spark(
        ready=_bars(((0, hour.ready or 0) for hour in day.hours), scale, inset=0),
        warm=_bars(((0, hour.warm) for hour in day.hours), scale, inset=BAR_INSET),
        cold=_bars(((hour.warm, hour.cold) for hour in day.hours), scale, inset=BAR_INSET),
        text=_text(day),
    )


def _bars(heights: Iterable[tuple[float, float]], scale: float, *, inset: int) -> str:
    """Return one path of a bar an hour, each from its foot upwards; no bar of no height."""
    width = HOUR_WIDTH - 2 * inset
    return "".join(
        f"M{number * HOUR_WIDTH + inset} {HEIGHT - foot * scale:.4g}"
        f"h{width}v{-height * scale:.4g}h-{width}z"
        for number, (foot, height) in enumerate(heights)
        if height
    )


def _text(day: PoolDay) -> str:
    ready = [hour.ready for hour in day.hours if hour.ready is not None]
    asked = f"{say_count(day.served.warm, 'claim')}, {say_count(day.served.cold, 'miss', 'misses')}"
    if not ready:
        return f"Last 24 hours: {asked}"
    least, most = min(ready), max(ready)
    span = f"{least:.3g}" if least == most else f"{least:.3g} to {most:.3g}"
    return f"Last 24 hours: {asked}; {span} ready on average in an hour"
