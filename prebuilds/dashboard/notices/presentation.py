"""Say a notice as a person would, with the one thing to do about it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from textwrap import shorten
from typing import Any

from django.urls import reverse

from accounts.policy import Action, Resource
from prebuilds.dashboard.pools.attention import FOLDED_FROM, KINDS
from prebuilds.dashboard.pools.searches import members_query
from prebuilds.models import NoticeKind

May = Callable[[Action, Resource], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The recommended action: a button, to a plan when it is one."""

    label: str
    url: str
    is_plan: bool = False


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

    @property
    def is_long(self) -> bool:
        """Return whether the error's words are folded."""
        return len(self.notice.detail) > FOLDED_FROM or "\n" in self.notice.detail

    @property
    def gist(self) -> str:
        """Return the first words of a folded error."""
        first = self.notice.detail.strip().splitlines()[0]
        return shorten(first, FOLDED_FROM, placeholder=" …")

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.notice.closed_at is None


def present_notice(notice: Any, *, may: May) -> NoticeView:
    """Return a notice of `list_notices`; `may` says what one may do in its organization."""
    kind = NoticeKind(notice.kind)
    icon, tone, _ = KINDS[kind]
    is_open = notice.closed_at is None
    return NoticeView(
        notice=notice,
        icon=icon,
        tone=tone if is_open else "off",
        title=kind.label,
        lasted=max(notice.lasted, timedelta(0)),
        harms=kind not in (NoticeKind.QUOTA_WARNING, NoticeKind.RESOURCE_REPLACED),
        remedy=_remedy(notice, kind, may) if is_open else None,
    )


def _remedy(notice: Any, kind: NoticeKind, may: May) -> Remedy | None:
    match kind:
        case NoticeKind.HARD_LIMITED if may(Action.UPDATE, Resource.TEMPLATE):
            url = reverse("dashboard:preset_retry", args=[notice.preset_id])
            return Remedy(label="Retry", url=url, is_plan=True)
        case NoticeKind.VALIDATION_FAILED | NoticeKind.BAD_SCHEDULE if may(
            Action.UPDATE, Resource.TEMPLATE
        ):
            url = reverse("dashboard:preset_edit", args=[notice.preset_id])
            return Remedy(label="Edit preset", url=url)
        case NoticeKind.QUOTA | NoticeKind.QUOTA_WARNING if may(Action.UPDATE, Resource.GROUP):
            url = reverse("dashboard:organization", args=[notice.organization_id])
            return Remedy(label="Raise allowance", url=f"{url}#groups")
        case NoticeKind.STUCK_DELETION if may(Action.READ, Resource.WORKSPACE):
            return Remedy(label="See log", url=_members_of(notice))
        case NoticeKind.RESOURCE_REPLACED if notice.claim.workspace_id and may(
            Action.READ, Resource.WORKSPACE
        ):
            url = reverse("dashboard:workspace", args=[notice.claim.workspace_id])
            return Remedy(label="See log", url=url)
        case _:
            return None


def _members_of(notice: Any) -> str:
    preset = notice.preset
    query = members_query(preset.version.template.name, preset.name, "status:failed")
    return f"{reverse('dashboard:workspaces')}?{query}"
