"""Turn the overview of pools into what the page says: a verdict, chips, rows. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.pools.bar import PoolBar, draw_bar
from prebuilds.dashboard.pools.healths import HEALTHS, NEEDS_SOMEBODY, Health
from prebuilds.dashboard.pools.searches import members_query
from prebuilds.dashboard.pools.spark import Spark, draw_spark
from prebuilds.dashboard.pools.steps import Step, find_step
from prebuilds.dashboard.pools.tiles import say_rate
from prebuilds.selectors import PoolRow, PoolsOverview
from prebuilds.trends import PoolDay, Served

NOBODY: Final = PoolDay()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which pools the URL asks for: those of a health, those whose names hold every word."""

    health: Health | None = None
    text: str = ""

    @property
    def words(self) -> list[str]:
        """Return the words to find, in small letters."""
        return self.text.lower().split()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One row of the table. `also` says what is there beside those that are ready."""

    row: PoolRow
    health: Health
    bar: PoolBar
    also: str
    icon: str
    members_query: str
    served: Served
    rate: str
    spark: Spark | None
    step: Step | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateGroup:
    """The pools of one template."""

    key: UUID
    name: str
    icon: str
    organization: str
    pools: tuple[PoolView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One health and how many pools have it; pressing it filters the table."""

    health: Health
    count: int
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The sentence on top."""

    text: str
    detail: str
    icon: str
    tone: str


def ask(*, health: str, text: str) -> Asked:
    """Return what the URL asks for; an unknown health asks for all."""
    return Asked(health=HEALTHS.get(health), text=text.strip())


def find_pools(pools: Sequence[PoolRow], asked: Asked) -> list[PoolRow]:
    """Return the pools that were asked for."""
    return [
        pool
        for pool in pools
        if (asked.health is None or pool.health == asked.health.key)
        and (not asked.words or _is_named(pool, asked.words))
    ]


def _is_named(pool: PoolRow, words: Sequence[str]) -> bool:
    names = (
        pool.template_name,
        pool.template_display_name,
        pool.preset_name,
        pool.version_name,
        pool.organization_name,
    )
    text = " ".join(names).lower()
    return all(word in text for word in words)


def pass_verdict(overview: PoolsOverview, *, told: Collection[UUID | None] = ()) -> Verdict:
    """Return the whole overview in a sentence; `told` are presets with an open notice."""
    pools = [pool for pool in overview.pools if pool.health != "draining"]
    total = len(pools)
    needing = sum(pool.health in NEEDS_SOMEBODY or pool.preset_id in told for pool in pools)
    warm = sum(pool.health == "healthy" for pool in pools)
    detail = _detail(pools)
    if not pools:
        return Verdict(text="No pool yet", detail="", icon="circle-dashed", tone="off")
    if needing:
        text = f"{needing} of {say_count(total, 'pool')} {'needs' if needing == 1 else 'need'} you"
        return Verdict(text=text, detail=detail, icon="alert-triangle", tone="warn")
    if overview.paused:
        return Verdict(text="Paused", detail=detail, icon="player-pause", tone="off")
    if warm == total:
        text = f"All {total} pools are warm" if total > 1 else "The pool is warm"
        return Verdict(text=text, detail=detail, icon="circle-check", tone="good")
    text = f"{warm} of {say_count(total, 'pool')} {'is' if warm == 1 else 'are'} warm"
    return Verdict(text=text, detail=detail, icon="droplet", tone="busy")


def _detail(pools: Sequence[PoolRow]) -> str:
    ready = sum(pool.ready for pool in pools)
    desired = sum(pool.desired for pool in pools)
    starting = sum(pool.starting for pool in pools)
    text = (
        f"{ready} of {say_count(desired, 'desired prebuild')} {'is' if ready == 1 else 'are'} ready"
    )
    return f"{text}, {starting} {'is' if starting == 1 else 'are'} starting" if starting else text


def make_chips(pools: Sequence[PoolRow], chosen: Health | None) -> tuple[Chip, ...]:
    """Return the healths there are, and the chosen one, worst first."""
    counts = Counter(pool.health for pool in pools)
    return tuple(
        Chip(health=health, count=counts[health.key], is_chosen=health is chosen)
        for health in HEALTHS.values()
        if counts[health.key] or health is chosen
    )


def group_pools(
    views: Sequence[PoolView], *, name_organizations: bool
) -> tuple[TemplateGroup, ...]:
    """Return the rows under their templates, in the order they came."""
    groups = []
    for key, members in groupby(views, key=lambda view: view.row.template_id):
        pools = tuple(members)
        first = pools[0].row
        groups.append(
            TemplateGroup(
                key=key,
                name=first.template_display_name or first.template_name,
                icon=icon_name(first.template_icon),
                organization=first.organization_name if name_organizations else "",
                pools=pools,
            )
        )
    return tuple(groups)


def view_pool(row: PoolRow, days: Mapping[UUID, PoolDay], now: datetime) -> PoolView:
    """Return everything a row of the table says."""
    day = days.get(row.preset_id, NOBODY)
    return PoolView(
        row=row,
        health=HEALTHS[row.health],
        bar=draw_bar(row),
        also=_also(row),
        icon=icon_name(row.preset_icon, "stack-2"),
        members_query=members_query(row.template_name, row.preset_name),
        served=day.served,
        rate=say_rate(day.served),
        spark=draw_spark(day),
        step=find_step(row, now),
    )


def _also(row: PoolRow) -> str:
    counts = (
        (row.unready, "not ready yet"),
        (row.starting, "starting"),
        (row.expired, "expired"),
        (row.stopping, "stopping"),
        (row.deleting, "deleting"),
    )
    return ", ".join(f"{count} {word}" for count, word in counts if count)
