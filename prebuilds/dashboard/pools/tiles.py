"""The numbers on top of the dashboard, each with the list behind it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from prebuilds.dashboard.base.triggers import words_of
from prebuilds.dashboard.base.wording import say_count, say_duration
from prebuilds.dashboard.pools.queries import Engine, LastCycle
from prebuilds.selectors import Pause, PoolRow
from prebuilds.trends import Served, Trends, Waits

LATE_AFTER: Final = timedelta(seconds=30)
"""A tick this late means that no reconciler runs; a cycle and its wake-up take less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A number in words. No `url`: the viewer may not read the list behind it, or there is none.

    `at` is an instant that is said after the text.
    """

    text: str
    url: str = ""
    icon: str = ""
    tone: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One answer: its number large, what belongs to it below."""

    key: str
    label: str
    main: Fact
    more: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Where the numbers lead; empty for what the viewer may not open."""

    claims: str = ""
    workspaces: str = ""
    jobs: str = ""
    provisioners: str = ""
    cycles: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Everything the tiles are made of. `interval` is the reconciler's."""

    pools: Sequence[PoolRow]
    trends: Trends
    engine: Engine
    pause: Pause | None
    interval: timedelta
    now: datetime


def make_tiles(numbers: Numbers, lists: Lists) -> tuple[Tile, ...]:
    """Return the tiles in the order of the questions they answer."""
    trends = numbers.trends
    return (
        _rates(trends, lists),
        _fill(numbers.pools, lists),
        _served(trends.day, lists),
        _waits(trends.waits, lists),
        _idle(trends, lists),
        _queue(numbers.engine, lists),
        _cycle(numbers, lists),
    )


def say_rate(served: Served) -> str:
    """Return the share that was warm, as a person says it."""
    return "–" if served.rate is None else f"{_percent(served.rate)} %"


def say_trend(week: Served, before: Served) -> Fact:
    """Say how a week compares with the one before, in points."""
    if week.rate is None or before.rate is None:
        return Fact(text="no trend yet")
    points = _percent(week.rate) - _percent(before.rate)
    if not points:
        return Fact(text="as in the week before", icon="arrow-right", tone="off")
    word, icon, tone = ("up", "arrow-up", "good") if points > 0 else ("down", "arrow-down", "bad")
    return Fact(text=f"{word} {say_count(abs(points), 'point')}", icon=icon, tone=tone)


def _percent(rate: float) -> int:
    """Round, but call neither 100 % what had a miss nor 0 % what had a claim."""
    return min(max(round(rate * 100), 1), 99) if 0 < rate < 1 else round(rate * 100)


def _rates(trends: Trends, lists: Lists) -> Tile:
    return Tile(
        key="rate",
        label="Warm rate",
        main=Fact(
            text=f"{say_rate(trends.day)} in 24 h" if trends.day.total else "nobody asked",
            url=_claims(lists, last="24h"),
        ),
        more=(
            Fact(text=f"{say_rate(trends.week)} in 7 days", url=_claims(lists, last="7d")),
            say_trend(trends.week, trends.week_before),
        ),
    )


def _fill(pools: Sequence[PoolRow], lists: Lists) -> Tile:
    ready = sum(pool.ready for pool in pools)
    desired = sum(pool.desired for pool in pools)
    starting = sum(pool.starting for pool in pools)
    return Tile(
        key="fill",
        label="Ready now",
        main=Fact(text=f"{ready} of {desired}", url=_search(lists, "status:ready")),
        more=(Fact(text=f"{starting} starting", url=_search(lists, "status:building")),),
    )


def _served(day: Served, lists: Lists) -> Tile:
    return Tile(
        key="served",
        label="Asked for in 24 h",
        main=Fact(
            text=say_count(day.warm, "claim"), url=_claims(lists, last="24h", outcome="warm")
        ),
        more=(
            Fact(
                text=say_count(day.cold, "miss", "misses"),
                url=_claims(lists, last="24h", outcome="cold"),
                tone="bad" if day.cold else "",
                icon="alert-triangle" if day.cold else "",
            ),
        ),
    )


def _waits(waits: Waits, lists: Lists) -> Tile:
    return Tile(
        key="waits",
        label="19 of 20 wait less than",
        main=Fact(text=f"{_span(waits.warm_p95)} warm", url=_slowest(lists, "warm")),
        more=(Fact(text=f"{_span(waits.cold_p95)} cold", url=_slowest(lists, "cold")),),
    )


def _span(span: timedelta | None) -> str:
    return "–" if span is None else say_duration(span)


def _idle(trends: Trends, lists: Lists) -> Tile:
    cost = trends.idle.cost
    known = f"cost {cost:,.1f}" if cost is not None else "cost not known"
    return Tile(
        key="idle",
        label="Idle in 24 h",
        main=Fact(text=f"{trends.idle.hours:,.0f} hours", url=_search(lists, "status:ready")),
        more=(Fact(text=f"of ready instances, {known}"),),
    )


def _queue(engine: Engine, lists: Lists) -> Tile:
    online = engine.provisioners_online
    people = "person waits" if engine.people_waiting == 1 else "people wait"
    return Tile(
        key="queue",
        label="Queue",
        main=Fact(text=f"{engine.people_waiting} {people}", url=_waiting(lists, "people")),
        more=(
            Fact(
                text=say_count(engine.prebuilds_waiting, "prebuild job"),
                url=_waiting(lists, "prebuilds"),
            ),
            Fact(
                text=f"{say_count(online, 'provisioner')} online",
                url=lists.provisioners,
                tone="" if online else "bad",
                icon="" if online else "alert-triangle",
            ),
        ),
    )


def _cycle(numbers: Numbers, lists: Lists) -> Tile:
    last = numbers.engine.last_cycle
    if last is None:
        main = Fact(text="None yet", url=lists.cycles, icon="alert-triangle", tone="bad")
        return Tile(key="cycle", label="Last cycle", main=main, more=(_next(numbers),))
    took = say_duration(last.completed_at - last.started_at)
    started = words_of(last.trigger)
    url = reverse("dashboard:run", args=[last.run_id]) if lists.cycles else ""
    return Tile(
        key="cycle",
        label="Last cycle",
        main=Fact(text="", at=last.completed_at, url=url),
        more=(
            Fact(text=f"took {took}, {started.name.lower()}: {started.short}", url=lists.cycles),
            _next(numbers),
        ),
    )


def _next(numbers: Numbers) -> Fact:
    """Say when the next cycle is due, or that nobody seems to run any."""
    if numbers.pause is not None:
        return Fact(text="paused", icon="player-pause", tone="warn")
    due = _due_at(numbers.engine.last_cycle, numbers.interval)
    if due is None or numbers.now - due > LATE_AFTER:
        return Fact(text="overdue: does the worker run?", icon="alert-triangle", tone="bad")
    return Fact(text="next", at=max(due, numbers.now))


def _due_at(last: LastCycle | None, interval: timedelta) -> datetime | None:
    return last.completed_at + interval if last else None


def _waiting(lists: Lists, who: str) -> str:
    """Return the list of the jobs that wait, of people or of prebuilds."""
    return f"{lists.jobs}?status=pending&who={who}" if lists.jobs else ""


def _slowest(lists: Lists, outcome: str) -> str:
    return _claims(lists, last="24h", outcome=outcome, sort="-waited")


def _claims(lists: Lists, **asked: str) -> str:
    """Return the list of the claims and misses that a number counts."""
    return f"{lists.claims}?{urlencode(asked)}" if lists.claims else ""


def _search(lists: Lists, status: str) -> str:
    if not lists.workspaces:
        return ""
    return f"{lists.workspaces}?{urlencode({'q': f'owner:prebuilds {status}'})}"
