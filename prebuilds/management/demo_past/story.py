"""The demo's first two weeks, which are invented: who asked for what when, and what came of it.

Pure and repeatable: the same days give the same story. Charts and rates of a demo that has just
been loaded would be empty otherwise. Nothing here is ever true of another database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from prebuilds.models import ClaimReason

DAYS: Final = 14
PROMOTED: Final = 9
EDITED: Final = 4
BROKEN: Final = 3
"""How many days ago, at least: version 1.0.0 promoted, its Small edited, its Small out of order.

The newest working day that is as old, so that the shortest of weeks shows the last two.
"""
ZONE: Final = ZoneInfo("Europe/Berlin")
AN_HOUR: Final = timedelta(hours=1)
SATURDAY: Final = 5
OFFICE: Final = dict(
    zip(range(8, 18), (0.08, 0.2, 0.14, 0.1, 0.04, 0.12, 0.12, 0.1, 0.06, 0.04), strict=True)
)
"""How a working day's requests fall on its hours: most in the morning, few at noon."""
COLLEAGUES: Final = {"ana": 6, "ben": 5, "cleo": 4, "dan": 3, "eva": 2}
"""Who asks, and how often compared with the others."""
TASKS: Final = ("login", "search", "invoice", "report", "import", "upload", "cache", "mail", "docs")
WHY_COLD: Final = {
    ClaimReason.POOL_EMPTY: 6,
    ClaimReason.NOT_READY: 3,
    ClaimReason.LOST_RACE: 1,
}
BROKEN_FROM: Final = time(9, 50)
STOPPED_FROM: Final = time(10, 5)
MENDED_AT: Final = time(11, 40)
WHAT_BROKE: Final = "the package mirror mirror.example.invalid timed out after 60 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A preset people asked for: until the promotion, since it, or all the time."""

    template: str
    version: str
    preset: str
    a_day: float
    at_weekends: float = 0.0
    miss_share: float = 0.06
    builds_in: float = 8.0
    is_old: bool = False
    is_new: bool = False
    desired: int = 1
    in_office_hours: int | None = None
    is_ever_ready: bool = True
    breaks: bool = False


POOLS: Final = (
    Pool(
        template="python-project",
        version="0.9.0",
        preset="Standard",
        a_day=16,
        desired=2,
        is_old=True,
    ),
    Pool(
        template="python-project",
        version="1.0.0",
        preset="Small",
        a_day=19,
        at_weekends=3,
        is_new=True,
        desired=2,
        breaks=True,
    ),
    Pool(
        template="python-project",
        version="1.0.0",
        preset="Large",
        a_day=7,
        is_new=True,
        in_office_hours=3,
        miss_share=0.03,
    ),
    Pool(
        template="release-train",
        version="release-1",
        preset="Standard",
        a_day=7,
        at_weekends=1,
        desired=2,
        miss_share=0.04,
        builds_in=4,
    ),
    Pool(
        template="teaching-lab",
        version="1.0.0",
        preset="One hour",
        a_day=2,
        miss_share=0.25,
        builds_in=3,
    ),
    Pool(template="gpu-lab", version="1.0.0", preset="GPU", a_day=0.4, is_ever_ready=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request: when, of what, by whom, with what result. Times are in seconds."""

    pool: Pool
    at: datetime
    who: str
    name: str
    reason: ClaimReason
    took: float
    waited: float
    kept_for: timedelta

    @property
    def is_warm(self) -> bool:
        """Whether one stood ready."""
        return self.reason == ClaimReason.WARM


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The one morning on which a pool could not be filled."""

    pool: Pool
    broken_at: datetime
    stopped_at: datetime
    mended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Everything that is said to have happened, from `start` until before `end`."""

    start: datetime
    end: datetime
    promoted_at: datetime
    edited_at: datetime
    incident: Incident
    asked: Sequence[Asking] = ()


def invent_past(now: datetime) -> Past:
    """Return two weeks up to the hour that has begun; it is not touched, for it goes on."""
    end = now.replace(minute=0, second=0, microsecond=0)
    today = now.astimezone(ZONE).date()
    past = Past(
        start=end - timedelta(days=DAYS),
        end=end,
        promoted_at=_at(_working_day(today, PROMOTED), time(7, 30)),
        edited_at=_at(_working_day(today, EDITED), time(7, 45)),
        incident=_invent_incident(_working_day(today, BROKEN)),
    )
    return replace(past, asked=tuple(sorted(_ask_all(past, today), key=lambda one: one.at)))


def desired_at(pool: Pool, at: datetime) -> int:
    """Return how many a pool wanted in an hour, by its number or its schedule."""
    local = at.astimezone(ZONE)
    if pool.in_office_hours and local.weekday() < SATURDAY and 8 <= local.hour <= 18:
        return pool.in_office_hours
    return pool.desired


def exists_at(pool: Pool, at: datetime, past: Past) -> bool:
    """Return whether a pool was there at an instant."""
    first = past.promoted_at if pool.is_new else past.start
    last = past.promoted_at if pool.is_old else past.end
    return first <= at < last


def _working_day(today: date, age: int) -> date:
    """Return the newest working day that is at least as old."""
    days = (today - timedelta(days=age + more) for more in range(3))
    return next(day for day in days if day.weekday() < SATURDAY)


def _invent_incident(day: date) -> Incident:
    (pool,) = [pool for pool in POOLS if pool.breaks]
    return Incident(
        pool=pool,
        broken_at=_at(day, BROKEN_FROM),
        stopped_at=_at(day, STOPPED_FROM),
        mended_at=_at(day, MENDED_AT),
    )


def _ask_all(past: Past, today: date) -> Iterator[Asking]:
    for pool in POOLS:
        for age in range(DAYS + 1):
            for one in _ask(pool, today - timedelta(days=age), past.incident):
                if exists_at(pool, one.at, past):
                    yield one


def _ask(pool: Pool, day: date, incident: Incident) -> Iterator[Asking]:
    """Let people ask for one pool on one day; each day and pool has luck of its own."""
    luck = Random(f"{day} {pool.template} {pool.preset}")
    for _ in range(_how_many(pool, day, luck)):
        hour = luck.choices(list(OFFICE), list(OFFICE.values()))[0]
        moment = time(hour, luck.randrange(60), luck.randrange(60), luck.randrange(1_000_000))
        yield _one(pool, _at(day, moment), incident, luck)


def _how_many(pool: Pool, day: date, luck: Random) -> int:
    usual = pool.at_weekends if day.weekday() >= SATURDAY else pool.a_day
    return round(usual * luck.uniform(0.75, 1.25) + luck.uniform(-0.4, 0.4))


def _one(pool: Pool, at: datetime, incident: Incident, luck: Random) -> Asking:
    reason = _reason(pool, at, incident, luck)
    warm = reason == ClaimReason.WARM
    slow = 20.0 if pool.breaks and incident.broken_at <= at < incident.mended_at else 1.0
    took = luck.uniform(0.02, 0.07) if warm else luck.uniform(0.03, 0.09)
    ready = luck.lognormvariate(0.5, 0.35) if warm else pool.builds_in * luck.uniform(0.9, 1.6)
    return Asking(
        pool=pool,
        at=at,
        who=luck.choices(list(COLLEAGUES), list(COLLEAGUES.values()))[0],
        name=f"{luck.choice(TASKS)}-{luck.randrange(100, 1000)}",
        reason=reason,
        took=round(took, 3),
        waited=round(took + ready * (1.0 if warm else slow), 2),
        kept_for=timedelta(minutes=luck.randrange(40, 480)),
    )


def _reason(pool: Pool, at: datetime, incident: Incident, luck: Random) -> ClaimReason:
    if not pool.is_ever_ready:
        return ClaimReason.POOL_EMPTY
    if pool.breaks and incident.stopped_at <= at < incident.mended_at:
        return ClaimReason.HARD_LIMITED
    if pool.breaks and incident.broken_at <= at < incident.stopped_at:
        return ClaimReason.BACKING_OFF
    if luck.random() >= pool.miss_share:
        return ClaimReason.WARM
    return luck.choices(list(WHY_COLD), list(WHY_COLD.values()))[0]


def _at(day: date, moment: time) -> datetime:
    return datetime.combine(day, moment, ZONE)
