"""Turn the overview of pools into what the page says: a verdict, chips, rows. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.pools.bar import PoolBar, draw_bar
from prebuilds.selectors import PoolRow, PoolsOverview


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a health is shown: never by colour alone."""

    key: str
    word: str
    icon: str
    tone: str
    meaning: str


HEALTHS: Final = {
    health.key: health
    for health in (
        Health(
            key="hard_limited",
            word="Hard-limited",
            icon="hand-stop",
            tone="bad",
            meaning="Stopped after repeated failures",
        ),
        Health(
            key="validation_failed",
            word="Validation failed",
            icon="file-alert",
            tone="bad",
            meaning="Its parameter values are not accepted",
        ),
        Health(
            key="backing_off",
            word="Backing off",
            icon="clock-pause",
            tone="warn",
            meaning="Waiting after a failed build",
        ),
        Health(
            key="degraded",
            word="Degraded",
            icon="circle-dashed",
            tone="busy",
            meaning="Running, but not all are ready yet",
        ),
        Health(
            key="held",
            word="Held",
            icon="hourglass",
            tone="warn",
            meaning="Waiting for its turn or for quota",
        ),
        Health(
            key="filling",
            word="Filling",
            icon="droplet",
            tone="busy",
            meaning="Missing prebuilds are being built",
        ),
        Health(
            key="paused",
            word="Paused",
            icon="player-pause",
            tone="off",
            meaning="Nothing is built or deleted",
        ),
        Health(
            key="draining",
            word="Draining",
            icon="droplet-down",
            tone="off",
            meaning="An older version; its prebuilds are deleted",
        ),
        Health(
            key="healthy",
            word="Healthy",
            icon="circle-check",
            tone="good",
            meaning="As many are ready as desired",
        ),
    )
}
"""Worst first."""
NEEDS_SOMEBODY: Final = frozenset({"hard_limited", "validation_failed", "backing_off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One row of the table."""

    row: PoolRow
    health: Health
    bar: PoolBar
    icon: str
    members_query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateGroup:
    """The pools of one template."""

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
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The sentence on top."""

    text: str
    detail: str
    icon: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolsPage:
    """Everything the pools page shows."""

    verdict: Verdict
    chips: tuple[Chip, ...]
    groups: tuple[TemplateGroup, ...]
    as_of: datetime
    is_paused: bool
    is_empty: bool
    chosen: Health | None
    query: str


def present_pools(overview: PoolsOverview, *, chosen: str) -> PoolsPage:
    """Return the page's content, filtered by a health when `chosen` names one."""
    health = HEALTHS.get(chosen)
    shown = [pool for pool in overview.pools if health is None or pool.health == health.key]
    return PoolsPage(
        verdict=_verdict(overview),
        chips=_chips(overview.pools, health),
        groups=_groups(shown),
        as_of=overview.as_of,
        is_paused=overview.paused,
        is_empty=not overview.pools,
        chosen=health,
        query=f"?{urlencode({'health': health.key})}" if health else "",
    )


def _verdict(overview: PoolsOverview) -> Verdict:
    pools = [pool for pool in overview.pools if pool.health != "draining"]
    total = len(pools)
    needing = sum(pool.health in NEEDS_SOMEBODY for pool in pools)
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


def _chips(pools: Sequence[PoolRow], chosen: Health | None) -> tuple[Chip, ...]:
    counts = Counter(pool.health for pool in pools)
    return tuple(
        Chip(
            health=health,
            count=counts[health.key],
            is_chosen=health is chosen,
            query="" if health is chosen else f"?{urlencode({'health': health.key})}",
        )
        for health in HEALTHS.values()
        if counts[health.key] or health is chosen
    )


def _groups(pools: Sequence[PoolRow]) -> tuple[TemplateGroup, ...]:
    organizations = {pool.organization_name for pool in pools}
    groups = []
    for _, members in groupby(pools, key=lambda pool: pool.template_id):
        rows = list(members)
        groups.append(
            TemplateGroup(
                name=rows[0].template_display_name or rows[0].template_name,
                icon=icon_name(rows[0].template_icon),
                organization=rows[0].organization_name if len(organizations) > 1 else "",
                pools=tuple(map(_view, rows)),
            )
        )
    return tuple(groups)


def _view(row: PoolRow) -> PoolView:
    query = f"owner:prebuilds template:{row.template_name} preset:{_quoted(row.preset_name)}"
    return PoolView(
        row=row,
        health=HEALTHS[row.health],
        bar=draw_bar(row),
        icon=icon_name(row.preset_icon, "stack-2"),
        members_query=urlencode({"q": query}),
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
