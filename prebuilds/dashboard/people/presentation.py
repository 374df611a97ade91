"""Roles and standing of a person, as people say them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from accounts.enums import OrganizationRole, SiteRole
from accounts.models import Membership, Token, User

MEMBER: Final = "Member"


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipView:
    """One organization of a person, and what they are there."""

    membership: Membership
    roles: str
    may_change_roles: bool = False
    may_remove: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """One person of the list; the attributes are also the columns of the export."""

    person: User
    roles: str
    organizations: str

    @property
    def status(self) -> str:
        """Return whether they are let in."""
        return "active" if self.person.is_active else "suspended"


def present_person(person: User) -> PersonRow:
    """Return a person whose memberships were prefetched."""
    homes = [str(one.organization) for one in person.memberships.all()]
    return PersonRow(
        person=person, roles=say_site_roles(person.roles), organizations=", ".join(homes)
    )


def say_site_roles(roles: Iterable[str]) -> str:
    """Return "Owner, Auditor"; whoever holds none is a member."""
    return _say(SiteRole.choices, roles)


def say_organization_roles(roles: Iterable[str]) -> str:
    """Return "Organization admin"; whoever holds none is a member."""
    return _say(OrganizationRole.choices, roles)


def say_use(token: Token) -> str:
    """Return when a token was used last, as a sentence."""
    if token.last_used_at is None:
        return "It was never used."
    return f"It was used last on {token.last_used_at:%Y-%m-%d at %H:%M} UTC."


def _say(choices: Iterable[tuple[str, str]], roles: Iterable[str]) -> str:
    held = set(roles)
    return ", ".join(label for value, label in choices if value in held) or MEMBER
