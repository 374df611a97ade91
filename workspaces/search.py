"""The search for workspaces, for the page and the API alike: `owner:me status:failed api`.

The words are Coder's where it has them; a minus before a term is ours: `-owner:prebuilds` is what
people have. What is not understood is told, never guessed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final, TypeVar

from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet

from accounts.models import Organization, User
from accounts.policy import Resource, subject_of
from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME
from templates_app.models import Preset, Template
from workspaces.enums import JobStatus, LifecycleState, Transition, WorkspaceStatus
from workspaces.models import Agent, Workspace
from workspaces.models.workspace import IS_LIVE
from workspaces.status import builds_of_status

TERM: Final = re.compile(r'(?:([\w-]+):)?("[^"]*"|\S*)')
TERM_LIMIT: Final = 30
NOT: Final = "-"
"""Before a key: what the term does not find. A free word may begin with it, as names do inside."""
WORDS_LIMIT: Final = 500
"""Names offered for a key; who has more types a few letters."""
Row = TypeVar("Row", bound=Model)

Condition = Callable[[str, User], Q]


class NotUnderstood(Exception):
    """A term of the search makes no sense; the message says which, and what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was asked for, as a condition; `problems` says what was not understood.

    Deleted workspaces are only found by those who ask for them.
    """

    text: str
    condition: Q
    problems: tuple[str, ...]
    deleted: bool = False


def read_search(text: str, viewer: User) -> Search:
    """Return the condition for a search text; several terms must all hold."""
    condition, problems, deleted = Q(), [], False
    terms = list(_terms(text))
    if len(terms) > TERM_LIMIT:
        problems.append(f"A search takes at most {TERM_LIMIT} terms; this one has {len(terms)}.")
    for key, value in terms[:TERM_LIMIT]:
        try:
            condition &= _condition(key, value, viewer)
            deleted |= (key, value.lower()) == ("status", WorkspaceStatus.DELETED)
        except NotUnderstood as error:
            problems.append(str(error))
    return Search(text=text, condition=condition, problems=tuple(problems), deleted=deleted)


def visible_workspaces(viewer: User, *, deleted: bool = False) -> QuerySet[Workspace]:
    """Return the workspaces a person may read: their own, and where a role says so."""
    workspaces = Workspace.objects.all() if deleted else Workspace.objects.filter(IS_LIVE)
    organizations = subject_of(viewer).readable_organizations(Resource.WORKSPACE)
    if organizations is None:
        return workspaces
    own = Q(owner=viewer, organization__in=set(subject_of(viewer).organization_roles))
    return workspaces.filter(own | Q(organization__in=organizations))


def search_workspaces(viewer: User, search: Search) -> QuerySet[Workspace]:
    """Return what a person may read of what they asked for, newest first."""
    found = visible_workspaces(viewer, deleted=search.deleted).filter(search.condition)
    return found.order_by("-created_at", "id")


def search_words(viewer: User) -> dict[str, list[str]]:
    """Return the keys a search may have, each with values to offer; three statements."""
    templates = _readable(viewer, Resource.TEMPLATE, Template.objects.filter(deleted_at=None))
    presets = Preset.objects.filter(version__in=templates.values("active_version"))
    homes = _readable(viewer, Resource.ORGANIZATION, Organization.objects.all(), "pk")
    return {
        "name": [],
        "owner": ["me", PREBUILDS_USERNAME],
        "template": _names(templates),
        "preset": _names(presets),
        "version": ["active", "old"],
        "organization": _names(homes),
        "status": [*WorkspaceStatus.values, *_MORE_STATUSES],
        "outdated": ["true", "false"],
        "dormant": ["true", "false"],
    }


def _readable(
    viewer: User, resource: Resource, rows: QuerySet[Row], home: str = "organization"
) -> QuerySet[Row]:
    organizations = subject_of(viewer).readable_organizations(resource)
    return rows if organizations is None else rows.filter(**{f"{home}__in": organizations})


def _names(rows: QuerySet[Row]) -> list[str]:
    names = rows.order_by("name").values_list("name", flat=True).distinct()
    return list(names[:WORDS_LIMIT])


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of each term; the key of a free word is empty."""
    for key, quoted in TERM.findall(text.replace("\0", "")):
        value = quoted.strip('"')
        if key or value:
            yield key.lower(), value


def _condition(key: str, value: str, viewer: User) -> Q:
    if key.startswith(NOT) and key.removeprefix(NOT):
        return ~_positive(key.removeprefix(NOT), value, viewer, sign=NOT)
    return _positive(key, value, viewer)


def _positive(key: str, value: str, viewer: User, *, sign: str = "") -> Q:
    if key not in _KEYS:
        known = ", ".join(f"{each}:" for each in sorted(filter(None, _KEYS)))
        raise NotUnderstood(f"“{sign}{key}:” is no filter. Use {known} or a part of the name.")
    if not value:
        raise NotUnderstood(f"“{sign}{key}:” needs a value, such as {sign}{_EXAMPLES[key]}.")
    return _KEYS[key](value, viewer)


def _owner(value: str, viewer: User) -> Q:
    if value.lower() == "me":
        return Q(owner=viewer)
    if value.lower() == PREBUILDS_USERNAME:
        return Q(owner=PREBUILDS_USER_ID)
    return Q(owner__username__iexact=value)


def _template(value: str, _viewer: User) -> Q:
    return Q(template__name__iexact=value) | Q(template__display_name__iexact=value)


def _preset(value: str, _viewer: User) -> Q:
    return Q(latest_build__preset__name__iexact=value)


def _organization(value: str, _viewer: User) -> Q:
    return Q(organization__name__iexact=value) | Q(organization__display_name__iexact=value)


def _name(value: str, _viewer: User) -> Q:
    return Q(name__icontains=value)


def _version(value: str, _viewer: User) -> Q:
    if value.lower() == "active":
        return _IS_CURRENT
    if value.lower() == "old":
        return ~_IS_CURRENT
    return Q(latest_build__template_version__name__iexact=value)


def _outdated(value: str, _viewer: User) -> Q:
    return ~_IS_CURRENT if _yes_or_no("outdated", value) else _IS_CURRENT


def _dormant(value: str, _viewer: User) -> Q:
    return Q(dormant_at__isnull=not _yes_or_no("dormant", value))


def _status(value: str, _viewer: User) -> Q:
    word = value.lower()
    if word in WorkspaceStatus.values:
        return _of_status(WorkspaceStatus(word))
    if word in _MORE_STATUSES:
        return _MORE_STATUSES[word]()
    known = ", ".join([*WorkspaceStatus.values, *_MORE_STATUSES])
    raise NotUnderstood(f"“{value}” is no status. Use {known}.")


def _of_status(status: WorkspaceStatus) -> Q:
    return reduce(or_, (_latest(*build) for build in builds_of_status(status)))


def _ready() -> Q:
    """Running, and every agent says that it is ready."""
    agents = Agent.objects.filter(resource__build=OuterRef("latest_build"))
    not_ready = Exists(agents.exclude(lifecycle_state=LifecycleState.READY))
    return _of_status(WorkspaceStatus.RUNNING) & Exists(agents) & ~not_ready


def _building() -> Q:
    return Q(latest_build__job__status__in=[JobStatus.PENDING, JobStatus.RUNNING])


def _latest(transition: Transition, status: JobStatus) -> Q:
    return Q(latest_build__transition=transition, latest_build__job__status=status)


def _yes_or_no(key: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise NotUnderstood(f"“{key}:{value}” is neither {key}:true nor {key}:false.")
    return value.lower() == "true"


_IS_CURRENT: Final = Q(latest_build__template_version=F("template__active_version"))
_MORE_STATUSES: Final[dict[str, Callable[[], Q]]] = {"ready": _ready, "building": _building}
_KEYS: Final[dict[str, Condition]] = {
    "": _name,
    "name": _name,
    "owner": _owner,
    "template": _template,
    "preset": _preset,
    "version": _version,
    "organization": _organization,
    "status": _status,
    "outdated": _outdated,
    "dormant": _dormant,
}
_EXAMPLES: Final = {
    "name": "name:api",
    "owner": "owner:me",
    "template": "template:python",
    "preset": "preset:small",
    "version": "version:active",
    "organization": "organization:default",
    "status": "status:running",
    "outdated": "outdated:true",
    "dormant": "dormant:true",
}
