"""Say a notice as a person would, with the one thing to do about it. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from accounts.policy import Action, Resource
from prebuilds.dashboard.claims.asked import claims_url
from prebuilds.dashboard.notices.advice import (
    ADVICE,
    May,
    Remedy,
    find_remedy,
    subject_of_notice,
)
from prebuilds.dashboard.pools.attention import FOLDED_FROM, find_gist
from prebuilds.models import NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """One row of the table."""

    notice: Any
    icon: str
    tone: str
    title: str
    lasted: timedelta
    harms: bool
    remedy: Remedy | None
    harm_url: str = ""

    @property
    def is_long(self) -> bool:
        """Return whether the error's words are folded."""
        return len(self.notice.detail) > FOLDED_FROM or "\n" in self.notice.detail

    @property
    def gist(self) -> str:
        """Return the first words of a folded error, and its last, where errors end."""
        return find_gist(self.notice.detail)

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.notice.closed_at is None


def present_notice(notice: Any, *, may: May) -> NoticeView:
    """Return a notice of `list_notices`; `may` says what one may do in its organization."""
    kind = NoticeKind(notice.kind)
    advice = ADVICE[kind]
    is_open = notice.closed_at is None
    return NoticeView(
        notice=notice,
        icon=advice.icon,
        tone=advice.tone if is_open else "off",
        title=kind.label,
        lasted=max(notice.lasted, timedelta(0)),
        harms=kind.harms,
        remedy=find_remedy(subject_of_notice(notice), may=may) if is_open else None,
        harm_url=_misses(notice, may) if notice.harm else "",
    )


def _misses(notice: Any, may: May) -> str:
    """Return the list of the cold starts it cost, for who may read them."""
    if notice.preset_id is None or not may(Action.READ, Resource.WORKSPACE):
        return ""
    span = {"since": notice.opened_at, "until": notice.closed_at}
    return claims_url(preset=notice.preset_id, outcome="cold", **span)
