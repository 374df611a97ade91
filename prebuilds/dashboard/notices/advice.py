"""What each kind of notice means for its pool, and the one thing to press about it. Pure.

Every page that shows a notice asks here, so that none of them says or offers something else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from django.urls import reverse

from accounts.policy import Action, Resource
from prebuilds.dashboard.pools.searches import members_query
from prebuilds.models import NoticeKind

May = Callable[[Action, Resource], bool]
"""Whether the viewer may do it in the notice's organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """How a kind looks, what happens next by itself, and what somebody can do about it."""

    icon: str
    tone: str
    following: str
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The one recommended thing to press; one with a plan opens it in the dialog."""

    label: str
    icon: str
    url: str
    has_plan: bool = False


class About(Protocol):
    """What a notice is about, as rows of notices have it."""

    @property
    def kind(self) -> str: ...
    @property
    def organization_id(self) -> UUID: ...
    @property
    def preset_id(self) -> UUID | None: ...
    @property
    def template_name(self) -> str: ...
    @property
    def preset_name(self) -> str: ...
    @property
    def workspace_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a stored notice is about."""

    kind: str
    organization_id: UUID
    preset_id: UUID | None
    template_name: str
    preset_name: str
    workspace_id: UUID | None


ADVICE: Final[Mapping[str, Advice]] = {
    NoticeKind.HARD_LIMITED: Advice(
        icon="hand-stop",
        tone="bad",
        following="Nothing is built until somebody presses Retry.",
        todo="Mend the cause first.",
    ),
    NoticeKind.VALIDATION_FAILED: Advice(
        icon="file-alert",
        tone="bad",
        following="Nothing is built until its parameters are mended.",
    ),
    NoticeKind.BAD_SCHEDULE: Advice(
        icon="calendar-event",
        tone="warn",
        following="The preset's own number holds until the schedule is mended.",
    ),
    NoticeKind.QUOTA: Advice(
        icon="coin",
        tone="warn",
        following="They are built as soon as the quota of the prebuilds group has room.",
        todo="Raise the allowance of a group the prebuilds user is in, or ask for fewer prebuilds.",
    ),
    NoticeKind.QUOTA_WARNING: Advice(
        icon="coin",
        tone="warn",
        following="Pools are held back once the quota is used up.",
        todo="Raise the allowance of a group the prebuilds user is in.",
    ),
    NoticeKind.STUCK_DELETION: Advice(
        icon="trash",
        tone="warn",
        following="It is not tried again by itself.",
        todo="Mend the cause and delete it by hand.",
    ),
    NoticeKind.RESOURCE_REPLACED: Advice(
        icon="versions",
        tone="warn",
        following="This goes away by itself, or with the next version.",
        todo="A claim rebuilt what was ready. Make the template ignore what is named here.",
    ),
}
"""By kind, worst first."""
RANKS: Final = {kind: rank for rank, kind in enumerate(ADVICE)}
OF_QUOTA: Final = frozenset({NoticeKind.QUOTA, NoticeKind.QUOTA_WARNING})
ASK: Final = "Ask somebody who manages groups to raise it."


def subject_of_notice(notice: Any) -> Subject:
    """Return what a notice is about; its preset, template and claim were fetched with it."""
    preset, claim = notice.preset, notice.claim
    return Subject(
        kind=notice.kind,
        organization_id=notice.organization_id,
        preset_id=notice.preset_id,
        template_name=preset.version.template.name if preset else "",
        preset_name=preset.name if preset else "",
        workspace_id=claim.workspace_id if claim else None,
    )


def say_following(kind: str, *, may: May) -> str:
    """Return what happens next, and whom to ask when the viewer cannot change that."""
    following = ADVICE[kind].following
    asks = kind in OF_QUOTA and not may(Action.UPDATE, Resource.GROUP)
    return f"{following} {ASK}" if asks else following


def find_remedy(about: About, *, may: May) -> Remedy | None:
    """Return what to press; None when the viewer may not, or there is nothing to press."""
    preset_id = about.preset_id
    match about.kind:
        case NoticeKind.HARD_LIMITED if preset_id and may(Action.UPDATE, Resource.TEMPLATE):
            url = reverse("dashboard:preset_retry", args=[preset_id])
            return Remedy(label="Retry", icon="refresh", url=url, has_plan=True)
        case NoticeKind.VALIDATION_FAILED | NoticeKind.BAD_SCHEDULE if preset_id and may(
            Action.UPDATE, Resource.TEMPLATE
        ):
            url = reverse("dashboard:preset_edit", args=[preset_id])
            return Remedy(label="Edit preset", icon="edit", url=url)
        case NoticeKind.QUOTA | NoticeKind.QUOTA_WARNING if may(Action.UPDATE, Resource.GROUP):
            url = f"{reverse('dashboard:organization', args=[about.organization_id])}#groups"
            return Remedy(label="Raise quota", icon="coin", url=url)
        case NoticeKind.STUCK_DELETION if may(Action.READ, Resource.WORKSPACE):
            query = members_query(about.template_name, about.preset_name, "status:failed")
            return _see_log(f"{reverse('dashboard:workspaces')}?{query}")
        case NoticeKind.RESOURCE_REPLACED if about.workspace_id and may(
            Action.READ, Resource.WORKSPACE
        ):
            return _see_log(reverse("dashboard:workspace", args=[about.workspace_id]))
    return None


def see_attempts(preset_id: UUID) -> Remedy:
    """Return the way to what a pool's failed builds wrote."""
    return _see_log(f"{reverse('dashboard:preset', args=[preset_id])}#attempts")


def _see_log(url: str) -> Remedy:
    return Remedy(label="See log", icon="file-text", url=url)
