"""The pool bar: how full a pool is, as numbers an SVG can draw. Pure.

Widths are SVG attributes and colours are classes: the security policy allows no inline style.
"""

from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final, Protocol

from prebuilds.dashboard.base.wording import say_list

WIDTH: Final = 240
HEIGHT: Final = 14
GAP: Final = 3
BLOCKS_UP_TO: Final = 20
"""Up to this many prebuilds each one is a block of its own; beyond, a segment per state."""


class Counts(Protocol):
    """What a bar needs to know of a pool."""

    @property
    def desired(self) -> int: ...
    @property
    def ready(self) -> int: ...
    @property
    def unready(self) -> int: ...
    @property
    def starting(self) -> int: ...
    @property
    def expired(self) -> int: ...
    @property
    def deleting(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One rectangle of the bar."""

    state: str
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBar:
    """A bar ready to be drawn, with the same said in words."""

    segments: tuple[Segment, ...]
    tick_x: float | None
    text: str
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def paths(self) -> list[tuple[str, str]]:
        """Return each state with one path of all its rectangles: quicker to write in a table."""
        return [
            (state, "".join(f"M{one.x} 0h{one.width}v{HEIGHT}h-{one.width}z" for one in alike))
            for state, alike in groupby(self.segments, key=lambda one: one.state)
        ]


def draw_bar(pool: Counts) -> PoolBar:
    """Return the bar: what is there from the left, then what is missing, a tick at desired."""
    states = _states(pool)
    missing = max(pool.desired - pool.ready - pool.unready - pool.starting, 0)
    drawn = [*states, ("missing", missing)]
    total = sum(count for _, count in drawn)
    return PoolBar(
        segments=tuple(_segments(drawn, total)),
        tick_x=_place(pool.desired, total) - GAP if 0 < pool.desired < total else None,
        text=_text(pool, states),
    )


def _states(pool: Counts) -> list[tuple[str, int]]:
    return [
        ("ready", pool.ready),
        ("unready", pool.unready),
        ("starting", pool.starting),
        ("expired", pool.expired),
        ("deleting", pool.deleting),
    ]


def _segments(drawn: list[tuple[str, int]], total: int) -> list[Segment]:
    pieces = drawn
    if total <= BLOCKS_UP_TO:
        pieces = [(state, 1) for state, count in drawn for _ in range(count)]
    starts = accumulate((count for _, count in pieces), initial=0)
    return [
        Segment(
            state=state,
            x=_place(start, total),
            width=round(max(count * (WIDTH + GAP) / total - GAP, 1), 2),
        )
        for (state, count), start in zip(pieces, starts, strict=False)
        if count
    ]


def _place(number: int, total: int) -> float:
    return round(number * (WIDTH + GAP) / total, 2)


def _text(pool: Counts, states: list[tuple[str, int]]) -> str:
    words = {"unready": "not ready yet"}
    parts = [f"{count} {words.get(state, state)}" for state, count in states if count]
    return f"{pool.desired} desired: {say_list(parts) if parts else 'none there'}"
