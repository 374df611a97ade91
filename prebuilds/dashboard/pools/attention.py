"""What needs somebody: why, since when, what happens next, and the one thing to press. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from textwrap import shorten
from typing import Final
from uuid import UUID

from django.urls import reverse

from accounts.policy import Action, Resource
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.claims.asked import claims_url
from prebuilds.dashboard.notices.advice import (
    ADVICE,
    RANKS,
    Remedy,
    find_remedy,
    say_following,
    see_attempts,
)
from prebuilds.dashboard.pools.healths import HEALTHS, NEEDS_SOMEBODY, Health
from prebuilds.selectors import NoticeRow, PoolRow

FOLDED_FROM: Final = 180
"""Longer causes are folded: the first words say what it is about."""

MayIn = Callable[[UUID, Action, Resource], bool]
"""Whether the viewer may do it in an organization; what they may not press is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that needs somebody. `since` is not known of a pool without a notice."""

    key: str
    preset_id: UUID | None
    subject: str
    subject_url: str
    word: str
    icon: str
    tone: str
    cause: str
    since: datetime | None
    harm: str
    next: str
    next_at: datetime | None
    remedy: Remedy | None
    order: tuple[int, int, datetime]
    harm_url: str = ""

    @property
    def is_long(self) -> bool:
        """Whether the cause is folded."""
        return len(self.cause) > FOLDED_FROM or "\n" in self.cause

    @property
    def gist(self) -> str:
        """Return what a folded cause is about: its first line, and its last, where errors end."""
        return find_gist(self.cause)


def list_troubles(
    notices: Sequence[NoticeRow],
    pools: Sequence[PoolRow],
    *,
    errors: Mapping[UUID, str],
    may_in: MayIn,
) -> tuple[Trouble, ...]:
    """Return open notices and pools in need without one, by the harm done in the last hour.

    `errors` are the words of the newest failed attempt of pools that have no notice.
    """
    found = [_of_notice(notice, may_in) for notice in notices]
    found += [
        _of_pool(pool, errors.get(pool.preset_id) or "", may_in) for pool in untold(notices, pools)
    ]
    return tuple(sorted(found, key=lambda trouble: trouble.order))


def find_gist(cause: str) -> str:
    """Return an error's first line and its last, each shortened."""
    lines = [line.strip() for line in cause.strip().splitlines()]
    ends = lines[:1] if len(lines) == 1 else [lines[0], lines[-1]]
    return " … ".join(shorten(line, FOLDED_FROM, placeholder="…") for line in ends)


def untold(notices: Iterable[NoticeRow], pools: Iterable[PoolRow]) -> list[PoolRow]:
    """Return the pools that need somebody and have no notice, such as those backing off."""
    told = {notice.preset_id for notice in notices}
    return [pool for pool in pools if pool.health in NEEDS_SOMEBODY and pool.preset_id not in told]


def _of_notice(notice: NoticeRow, may_in: MayIn) -> Trouble:
    may, advice = partial(may_in, notice.organization_id), ADVICE[notice.kind]
    reads_members = may(Action.READ, Resource.WORKSPACE)
    return Trouble(
        key=str(notice.id),
        preset_id=notice.preset_id,
        subject=_subject(notice),
        subject_url=_preset_page(notice.preset_id),
        word=notice.title,
        icon=advice.icon,
        tone=advice.tone,
        cause=notice.detail,
        since=notice.opened_at,
        harm=_harm(notice),
        harm_url=_misses(notice) if reads_members else "",
        next=say_following(notice.kind, may=may),
        next_at=notice.next_at,
        remedy=find_remedy(notice, may=may),
        order=(-notice.cold_starts_last_hour, RANKS[notice.kind], notice.opened_at),
    )


def _of_pool(pool: PoolRow, error: str, may_in: MayIn) -> Trouble:
    health: Health = HEALTHS[pool.health]
    reads_members = may_in(pool.organization_id, Action.READ, Resource.WORKSPACE)
    return Trouble(
        key=f"pool-{pool.preset_id}",
        preset_id=pool.preset_id,
        subject=f"{pool.template_display_name or pool.template_name} / {pool.preset_name}",
        subject_url=_preset_page(pool.preset_id),
        word=health.word,
        icon=health.icon,
        tone=health.tone,
        cause=error or pool.reason,
        since=None,
        harm="",
        next="It is tried again by itself." if pool.next_at else pool.reason,
        next_at=pool.next_at,
        remedy=see_attempts(pool.preset_id) if reads_members else None,
        order=(0, len(RANKS), datetime.max.replace(tzinfo=UTC)),
    )


def _subject(notice: NoticeRow) -> str:
    if notice.preset_id is None:
        return notice.organization_name
    return f"{notice.template_title} / {notice.preset_name}"


def _harm(notice: NoticeRow) -> str:
    """Say what it cost in the last hour, and in all when that is more."""
    recent, total = notice.cold_starts_last_hour, notice.cold_starts
    if not total:
        return ""
    said = f"{say_count(recent, 'cold start')} in the last hour"
    return f"{said}, {total} in all" if total > recent else said


def _misses(notice: NoticeRow) -> str:
    """Return the list of the cold starts it cost."""
    return claims_url(preset=notice.preset_id, outcome="cold", since=notice.opened_at)


def _preset_page(preset_id: UUID | None) -> str:
    return reverse("dashboard:preset", args=[preset_id]) if preset_id else ""
