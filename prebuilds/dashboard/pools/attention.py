"""What needs somebody: why, since when, what happens next, and the one thing to press. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import shorten
from typing import Final
from uuid import UUID

from django.urls import reverse

from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.pools.healths import HEALTHS, NEEDS_SOMEBODY, Health
from prebuilds.dashboard.pools.searches import members_query
from prebuilds.models import NoticeKind
from prebuilds.selectors import NoticeRow, PoolRow

FOLDED_FROM: Final = 180
"""Longer causes are folded: the first words say what it is about."""

KINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    NoticeKind.HARD_LIMITED: (
        "hand-stop",
        "bad",
        "Nothing is built until somebody presses Retry.",
    ),
    NoticeKind.VALIDATION_FAILED: (
        "file-alert",
        "bad",
        "Nothing is built until its parameters are mended.",
    ),
    NoticeKind.BAD_SCHEDULE: (
        "calendar-event",
        "warn",
        "The preset's own number holds until the schedule is mended.",
    ),
    NoticeKind.QUOTA: (
        "coin",
        "warn",
        "They are built as soon as the quota of the prebuilds group has room.",
    ),
    NoticeKind.QUOTA_WARNING: (
        "coin",
        "warn",
        "Pools are held back once the quota is used up.",
    ),
    NoticeKind.STUCK_DELETION: (
        "trash",
        "warn",
        "It is not tried again by itself.",
    ),
    NoticeKind.RESOURCE_REPLACED: (
        "versions",
        "warn",
        "This goes away by itself, or with the next version.",
    ),
}
"""Icon, tone and what happens next, worst first."""
OF_QUOTA: Final = frozenset({NoticeKind.QUOTA, NoticeKind.QUOTA_WARNING})
ASK: Final = "Ask somebody who manages groups to raise it."
RANKS: Final = {kind: rank for rank, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The one recommended thing to press; one with a plan opens it in the dialog."""

    label: str
    icon: str
    url: str
    has_plan: bool = False


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

    @property
    def is_long(self) -> bool:
        """Whether the cause is folded."""
        return len(self.cause) > FOLDED_FROM or "\n" in self.cause

    @property
    def gist(self) -> str:
        """Return what a folded cause is about: its first line, and its last, where errors end."""
        lines = [line.strip() for line in self.cause.strip().splitlines()]
        ends = lines[:1] if len(lines) == 1 else [lines[0], lines[-1]]
        return " … ".join(shorten(line, FOLDED_FROM, placeholder="…") for line in ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """What the viewer may do, asked by organization; remedies they may not press are not shown."""

    change: Callable[[UUID], bool]
    see_members: Callable[[UUID], bool]
    raise_quota: Callable[[UUID], bool]


def list_troubles(
    notices: Sequence[NoticeRow],
    pools: Sequence[PoolRow],
    *,
    errors: Mapping[UUID, str],
    powers: Powers,
) -> tuple[Trouble, ...]:
    """Return open notices and pools in need without one, by the harm done in the last hour.

    `errors` are the words of the newest failed attempt of pools that have no notice.
    """
    found = [_of_notice(notice, powers) for notice in notices]
    found += [
        _of_pool(pool, errors.get(pool.preset_id) or "", powers) for pool in untold(notices, pools)
    ]
    return tuple(sorted(found, key=lambda trouble: trouble.order))


def untold(notices: Iterable[NoticeRow], pools: Iterable[PoolRow]) -> list[PoolRow]:
    """Return the pools that need somebody and have no notice, such as those backing off."""
    told = {notice.preset_id for notice in notices}
    return [pool for pool in pools if pool.health in NEEDS_SOMEBODY and pool.preset_id not in told]


def _of_notice(notice: NoticeRow, powers: Powers) -> Trouble:
    icon, tone, following = KINDS[notice.kind]
    return Trouble(
        key=str(notice.id),
        preset_id=notice.preset_id,
        subject=_subject(notice),
        subject_url=_preset_page(notice.preset_id),
        word=notice.title,
        icon=icon,
        tone=tone,
        cause=notice.detail,
        since=notice.opened_at,
        harm=_harm(notice),
        next=f"{following} {ASK}" if _needs_another(notice, powers) else following,
        next_at=notice.next_at,
        remedy=_remedy(notice, powers),
        order=(-notice.cold_starts_last_hour, RANKS[notice.kind], notice.opened_at),
    )


def _of_pool(pool: PoolRow, error: str, powers: Powers) -> Trouble:
    health: Health = HEALTHS[pool.health]
    return Trouble(
        key=f"pool-{pool.preset_id}",
        preset_id=pool.preset_id,
        subject=f"{pool.template_name} / {pool.preset_name}",
        subject_url=_preset_page(pool.preset_id),
        word=health.word,
        icon=health.icon,
        tone=health.tone,
        cause=error or pool.reason,
        since=None,
        harm="",
        next="It is tried again by itself." if pool.next_at else pool.reason,
        next_at=pool.next_at,
        remedy=_see_log(pool.preset_id) if powers.see_members(pool.organization_id) else None,
        order=(0, len(RANKS), datetime.max.replace(tzinfo=UTC)),
    )


def _subject(notice: NoticeRow) -> str:
    if notice.preset_id is None:
        return notice.organization_name
    return f"{notice.template_name} / {notice.preset_name}"


def _harm(notice: NoticeRow) -> str:
    """Say what it cost in the last hour, and in all when that is more."""
    recent, total = notice.cold_starts_last_hour, notice.cold_starts
    if not total:
        return ""
    said = f"{say_count(recent, 'cold start')} in the last hour"
    return f"{said}, {total} in all" if total > recent else said


def _remedy(notice: NoticeRow, powers: Powers) -> Remedy | None:
    """Return what to press; None when the viewer may not, or there is nothing to press."""
    home, preset_id = notice.organization_id, notice.preset_id
    match notice.kind:
        case NoticeKind.HARD_LIMITED if preset_id and powers.change(home):
            url = reverse("dashboard:preset_retry", args=[preset_id])
            return Remedy(label="Retry", icon="refresh", url=url, has_plan=True)
        case NoticeKind.VALIDATION_FAILED | NoticeKind.BAD_SCHEDULE if preset_id and powers.change(
            home
        ):
            url = reverse("dashboard:preset_edit", args=[preset_id])
            return Remedy(label="Edit preset", icon="edit", url=url)
        case NoticeKind.QUOTA | NoticeKind.QUOTA_WARNING if powers.raise_quota(home):
            url = f"{reverse('dashboard:organization', args=[home])}#groups"
            return Remedy(label="Raise quota", icon="coin", url=url)
        case NoticeKind.STUCK_DELETION if powers.see_members(home):
            query = members_query(notice.template_name, notice.preset_name, "status:failed")
            url = f"{reverse('dashboard:workspaces')}?{query}"
            return Remedy(label="See log", icon="file-text", url=url)
        case NoticeKind.RESOURCE_REPLACED if notice.workspace_id and powers.see_members(home):
            url = reverse("dashboard:workspace", args=[notice.workspace_id])
            return Remedy(label="See log", icon="file-text", url=url)
    return None


def _needs_another(notice: NoticeRow, powers: Powers) -> bool:
    return notice.kind in OF_QUOTA and not powers.raise_quota(notice.organization_id)


def _see_log(preset_id: UUID) -> Remedy:
    url = f"{reverse('dashboard:preset', args=[preset_id])}#attempts"
    return Remedy(label="See log", icon="file-text", url=url)


def _preset_page(preset_id: UUID | None) -> str:
    return reverse("dashboard:preset", args=[preset_id]) if preset_id else ""
