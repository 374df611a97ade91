"""What the palette finds: a few of each kind, best first. A constant number of statements."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import F, Q, QuerySet
from django.urls import reverse

from accounts.models import User
from accounts.policy import Resource, subject_of
from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.base.navigation import navigation_of
from templates_app.models import Preset, Template
from workspaces.models import Workspace

OF_EACH: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere to go. `kind` is what it is, in a word."""

    kind: str
    label: str
    detail: str
    icon: str
    url: str


def find_places(user: User, text: str) -> list[Place]:
    """Return pages first, then templates, presets and workspaces the person may read."""
    words = text.lower().split()
    places = list(_pages(user, words))
    if words:
        places += [*_templates(user, words), *_presets(user, words), *_workspaces(user, words)]
    return places


def _pages(user: User, words: list[str]) -> Iterator[Place]:
    navigation = navigation_of(user)
    for entry in (*navigation.main, *navigation.more):
        haystack = f"{entry.label} {entry.words}".lower()
        if all(word in haystack for word in words):
            yield Place(kind="Page", label=entry.label, detail="", icon=entry.icon, url=entry.url)


def _templates(user: User, words: list[str]) -> Iterator[Place]:
    rows = _readable_templates(user).filter(deleted_at__isnull=True)
    for word in words:
        rows = rows.filter(Q(name__icontains=word) | Q(display_name__icontains=word))
    for one in rows.order_by("name")[:OF_EACH]:
        yield Place(
            kind="Template",
            label=one.display_name or one.name,
            detail=one.organization.name,
            icon=icon_name(one.icon),
            url=reverse("dashboard:template", args=[one.pk]),
        )


def _presets(user: User, words: list[str]) -> Iterator[Place]:
    rows = Preset.objects.filter(
        version__template__in=_readable_templates(user),
        version__template__deleted_at__isnull=True,
        version=F("version__template__active_version"),
    ).select_related("version__template")
    for word in words:
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(version__template__name__icontains=word)
            | Q(version__template__display_name__icontains=word)
        )
    for one in rows.order_by("version__template__name", "name")[:OF_EACH]:
        yield Place(
            kind="Preset",
            label=one.name,
            detail=str(one.version.template),
            icon=icon_name(one.icon, "stack-2"),
            url=reverse("dashboard:preset", args=[one.pk]),
        )


def _workspaces(user: User, words: list[str]) -> Iterator[Place]:
    rows = Workspace.objects.filter(deleted_at__isnull=True).select_related("owner", "template")
    organizations = subject_of(user).readable_organizations(Resource.WORKSPACE)
    if organizations is not None:
        rows = rows.filter(
            Q(owner=user, organization_id__in=subject_of(user).organization_roles)
            | Q(organization_id__in=organizations)
        )
    for word in words:
        rows = rows.filter(name__icontains=word)
    for one in rows.order_by("-created_at", "pk")[:OF_EACH]:
        owner = "nobody yet (prebuild)" if one.is_prebuild else one.owner.display_name
        yield Place(
            kind="Workspace",
            label=one.name,
            detail=f"{owner} · {one.template}",
            icon="terminal-2",
            url=reverse("dashboard:workspace", args=[one.pk]),
        )


def _readable_templates(user: User) -> QuerySet[Template]:
    templates = Template.objects.select_related("organization")
    organizations = subject_of(user).readable_organizations(Resource.TEMPLATE)
    return templates if organizations is None else templates.filter(organization__in=organizations)
