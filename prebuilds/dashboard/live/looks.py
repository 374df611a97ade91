"""What many tabs show is read once: the stream that heard a bell looks, then tells its tab.

A look is kept for KEPT_SECONDS. One that misses a bell is followed by the look of that bell, so
a tab that is served an old one hears of the new one at once. Only streams fill it: a page that is
opened, and a refresh without a stream, read for themselves.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

KEPT_SECONDS: Final = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(Generic[T]):
    began_at: float
    look: T


class Looks(Generic[T]):
    """The looks of this process, each kept under what it depends on: whose eyes, which thing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, _Kept[T]] = {}
        self._turns: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def renew(
        self, key: Hashable, read: Callable[[], Awaitable[T]], *, rung_at: float
    ) -> None:
        """Look again, unless a look began after the bell rang; whoever comes meanwhile waits."""
        async with self._turns[key]:
            kept = self._kept.get(key)
            if kept is not None and kept.began_at > rung_at:
                return
            began_at = self._clock()
            self._kept[key] = _Kept(began_at=began_at, look=await read())
            self._forget_old()

    def find(self, key: Hashable) -> T | None:
        """Return the look, None when there is none that is recent."""
        kept = self._kept.get(key)
        return kept.look if kept is not None and self._is_recent(kept) else None

    def _is_recent(self, kept: _Kept[T]) -> bool:
        return self._clock() - kept.began_at <= KEPT_SECONDS

    def _forget_old(self) -> None:
        for key in [key for key, kept in self._kept.items() if not self._is_recent(kept)]:
            del self._kept[key]
            if not self._turns[key].locked():
                del self._turns[key]
