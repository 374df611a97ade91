"""Where one can go: the entries of the navigation, each with the permission it needs."""

from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from accounts.models import User
from accounts.policy import Action, Resource, subject_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A page of the navigation. `name` is its URL name, `words` more to find it by."""

    section: str
    label: str
    icon: str
    name: str
    needs: tuple[Action, Resource] | None = None
    words: str = ""

    @property
    def url(self) -> str:
        """Return the page's address."""
        return reverse(self.name)


MAIN: Final = (
    Entry(section="pools", label="Pools", icon="droplet", name="dashboard:pools", words="home"),
    Entry(
        section="templates",
        label="Templates",
        icon="template",
        name="dashboard:templates",
        words="versions presets promote deprecate",
    ),
    Entry(
        section="workspaces",
        label="Workspaces",
        icon="terminal-2",
        name="dashboard:workspaces",
    ),
    Entry(
        section="create",
        label="Create workspace",
        icon="plus",
        name="dashboard:create_workspace",
        words="new claim",
    ),
)
OPERATION: Final = (
    Entry(
        section="jobs",
        label="Jobs",
        icon="list-check",
        name="dashboard:jobs",
        needs=(Action.READ, Resource.PROVISIONER),
        words="queue builds cancel flood waiting",
    ),
    Entry(
        section="provisioners",
        label="Provisioners",
        icon="server",
        name="dashboard:provisioners",
        needs=(Action.READ, Resource.PROVISIONER),
        words="daemons keys workers",
    ),
    Entry(
        section="runs",
        label="Cycles",
        icon="refresh",
        name="dashboard:runs",
        needs=(Action.READ, Resource.RECONCILE_RUN),
        words="runs reconcile decisions",
    ),
    Entry(
        section="notices",
        label="Notices",
        icon="bell",
        name="dashboard:notices",
        needs=(Action.READ, Resource.TEMPLATE),
        words="incidents trouble harm",
    ),
    Entry(
        section="claims",
        label="Claims",
        icon="bolt",
        name="dashboard:claims",
        words="misses warm cold requests waits rate",
    ),
    Entry(
        section="people",
        label="People",
        icon="users",
        name="dashboard:people",
        needs=(Action.READ, Resource.USER),
        words="users roles suspend",
    ),
    Entry(
        section="organizations",
        label="Organizations",
        icon="building",
        name="dashboard:organizations",
        needs=(Action.READ, Resource.ORGANIZATION),
        words="members groups quota allowance",
    ),
    Entry(
        section="audit",
        label="Audit log",
        icon="history",
        name="dashboard:audit",
        needs=(Action.READ, Resource.AUDIT_LOG),
        words="who changed what",
    ),
    Entry(
        section="settings",
        label="Settings",
        icon="adjustments",
        name="dashboard:settings",
        needs=(Action.READ, Resource.PREBUILDS_SETTINGS),
        words="pause resume configuration environment",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """What one person sees: pages for everybody, and those behind "More"."""

    main: tuple[Entry, ...]
    more: tuple[Entry, ...]


def navigation_of(user: User) -> Navigation:
    """Return the entries a person may open."""
    return Navigation(main=_open_to(user, MAIN), more=_open_to(user, OPERATION))


def _open_to(user: User, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    subject = subject_of(user)
    return tuple(
        entry for entry in entries if entry.needs is None or subject.can_anywhere(*entry.needs)
    )
