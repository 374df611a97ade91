"""Who may do what: ONE table, role × resource × action (semantics.md 18).

Pages, admin, API and commands ask `can`. A rule that is not in the table is a refusal.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final
from uuid import UUID

from accounts.enums import OrganizationRole, SiteRole
from accounts.models import Membership, User
from accounts.system import PREBUILDS_USER_ID


class Action(StrEnum):
    """What can be done to a resource."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Resource(StrEnum):
    """What can be acted upon."""

    USER = "user"
    ORGANIZATION = "organization"
    ORGANIZATION_MEMBER = "organization_member"
    GROUP = "group"
    TEMPLATE = "template"
    WORKSPACE = "workspace"
    PREBUILT_WORKSPACE = "prebuilt_workspace"
    PROVISIONER = "provisioner"
    PREBUILDS_SETTINGS = "prebuilds_settings"
    RECONCILE_RUN = "reconcile_run"
    AUDIT_LOG = "audit_log"


ALL: Final = frozenset(Action)
READ: Final = frozenset({Action.READ})
EVERYTHING: Final = dict.fromkeys(Resource, ALL)
READ_EVERYTHING: Final = dict.fromkeys(Resource, READ) | {Resource.PREBUILT_WORKSPACE: frozenset()}
CHANGE_PREBUILT: Final = frozenset({Action.UPDATE, Action.DELETE})

TEMPLATE_ADMIN: Final = {
    Resource.ORGANIZATION: READ,
    Resource.ORGANIZATION_MEMBER: READ,
    Resource.GROUP: READ,
    Resource.TEMPLATE: ALL,
    Resource.WORKSPACE: READ,
    Resource.PREBUILT_WORKSPACE: CHANGE_PREBUILT,
    Resource.PROVISIONER: ALL,
    Resource.PREBUILDS_SETTINGS: frozenset({Action.READ, Action.UPDATE}),
    Resource.RECONCILE_RUN: frozenset({Action.READ, Action.CREATE}),
    Resource.USER: READ,
}

SITE: Final[dict[str, dict[Resource, frozenset[Action]]]] = {
    SiteRole.OWNER: EVERYTHING | {Resource.PREBUILT_WORKSPACE: CHANGE_PREBUILT},
    SiteRole.TEMPLATE_ADMIN: TEMPLATE_ADMIN,
    SiteRole.USER_ADMIN: {
        Resource.USER: ALL,
        Resource.ORGANIZATION: READ,
        Resource.ORGANIZATION_MEMBER: ALL,
        Resource.GROUP: ALL,
    },
    SiteRole.AUDITOR: READ_EVERYTHING,
}
"""What a site role may do in every organization."""

ORGANIZATION: Final[dict[str, dict[Resource, frozenset[Action]]]] = {
    OrganizationRole.ADMIN: {
        Resource.ORGANIZATION: frozenset({Action.READ, Action.UPDATE}),
        Resource.ORGANIZATION_MEMBER: ALL,
        Resource.GROUP: ALL,
        Resource.TEMPLATE: ALL,
        Resource.WORKSPACE: ALL,
        Resource.PREBUILT_WORKSPACE: CHANGE_PREBUILT,
        Resource.PROVISIONER: ALL,
        Resource.RECONCILE_RUN: READ,
        Resource.USER: READ,
    },
    OrganizationRole.TEMPLATE_ADMIN: {
        Resource.ORGANIZATION: READ,
        Resource.ORGANIZATION_MEMBER: READ,
        Resource.GROUP: READ,
        Resource.TEMPLATE: ALL,
        Resource.WORKSPACE: READ,
        Resource.PREBUILT_WORKSPACE: CHANGE_PREBUILT,
        Resource.PROVISIONER: READ,
        Resource.RECONCILE_RUN: READ,
    },
    OrganizationRole.AUDITOR: {
        Resource.ORGANIZATION: READ,
        Resource.ORGANIZATION_MEMBER: READ,
        Resource.GROUP: READ,
        Resource.TEMPLATE: READ,
        Resource.WORKSPACE: READ,
        Resource.PROVISIONER: READ,
        Resource.RECONCILE_RUN: READ,
    },
}
"""What an organization role may do inside that organization."""

MEMBER: Final[dict[Resource, frozenset[Action]]] = {
    Resource.ORGANIZATION: READ,
    Resource.TEMPLATE: READ,
}
"""What every member may do inside an organization."""

OWN: Final[dict[Resource, frozenset[Action]]] = {
    Resource.WORKSPACE: ALL,
    Resource.USER: frozenset({Action.READ, Action.UPDATE}),
    Resource.ORGANIZATION_MEMBER: READ,
}
"""What everybody may do with what is theirs."""


class Subject:
    """A person who asks, with the roles they hold; reads memberships once."""

    def __init__(self, user: User) -> None:
        self.user = user

    @cached_property
    def organization_roles(self) -> dict[UUID, list[str]]:
        """Organization id → roles held there; a plain member holds none."""
        rows = Membership.objects.filter(user_id=self.user.pk).values_list(
            "organization_id", "roles"
        )
        return dict(rows)

    def can(
        self,
        action: Action,
        resource: Resource,
        *,
        organization_id: UUID | None = None,
        owner_id: UUID | None = None,
    ) -> bool:
        """Return whether the table allows it; see the module's `can`."""
        if not self.user.is_active or self.user.pk == PREBUILDS_USER_ID:
            return False
        if any(_allows(SITE.get(role, {}), action, resource) for role in self.user.roles):
            return True
        if owner_id == self.user.pk and _allows(OWN, action, resource):
            return organization_id is None or organization_id in self.organization_roles
        return self._organization_allows(action, resource, organization_id)

    def can_anywhere(self, action: Action, resource: Resource) -> bool:
        """Return whether the table allows it somewhere: on the whole site or in an organization."""
        return self.can(action, resource) or any(
            self.can(action, resource, organization_id=organization_id)
            for organization_id in self.organization_roles
        )

    def _organization_allows(
        self, action: Action, resource: Resource, organization_id: UUID | None
    ) -> bool:
        roles = self.organization_roles.get(organization_id) if organization_id else None
        if roles is None:
            return False
        return _allows(MEMBER, action, resource) or any(
            _allows(ORGANIZATION.get(role, {}), action, resource) for role in roles
        )

    def readable_organizations(self, resource: Resource) -> set[UUID] | None:
        """Return where the person may read the resource; None means everywhere."""
        if self.can(Action.READ, resource):
            return None
        return {
            organization_id
            for organization_id in self.organization_roles
            if self._organization_allows(Action.READ, resource, organization_id)
        }


def subject_of(user: User) -> Subject:
    """Return the user's subject, kept on the user object, so one request asks once."""
    subject = user.__dict__.get("policy_subject")
    if subject is None:
        subject = user.__dict__["policy_subject"] = Subject(user)
    return subject


def can(
    user: User,
    action: Action | str,
    resource: Resource | str,
    *,
    organization_id: UUID | None = None,
    owner_id: UUID | None = None,
) -> bool:
    """Return whether a user may do the action on the resource.

    Name the organization the object lives in and, for workspaces, its owner. Without an
    organization only site roles count. Deleting a prebuild asks twice: `prebuilt_workspace`
    or `workspace` (see `can_delete_workspace`).
    """
    return subject_of(user).can(
        Action(action), Resource(resource), organization_id=organization_id, owner_id=owner_id
    )


def can_delete_workspace(user: User, *, organization_id: UUID, owner_id: UUID) -> bool:
    """Return whether a user may delete a workspace; either permission suffices for a prebuild."""
    subject = subject_of(user)
    where = {"organization_id": organization_id, "owner_id": owner_id}
    if subject.can(Action.DELETE, Resource.WORKSPACE, **where):
        return True
    return owner_id == PREBUILDS_USER_ID and subject.can(
        Action.DELETE, Resource.PREBUILT_WORKSPACE, organization_id=organization_id
    )


def can_cancel_job(user: User, *, organization_id: UUID, owner_id: UUID) -> bool:
    """Return whether a user may end a job of a workspace; either permission does for a prebuild."""
    subject = subject_of(user)
    where = {"organization_id": organization_id, "owner_id": owner_id}
    if subject.can(Action.UPDATE, Resource.WORKSPACE, **where):
        return True
    return owner_id == PREBUILDS_USER_ID and subject.can(
        Action.UPDATE, Resource.PREBUILT_WORKSPACE, organization_id=organization_id
    )


def people_who_can(
    action: Action, resource: Resource, *, organization_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[User]]:
    """Return, by organization, the active people who may do it there; two statements."""
    site = [role for role, table in SITE.items() if _allows(table, action, resource)]
    inside = [role for role, table in ORGANIZATION.items() if _allows(table, action, resource)]
    everywhere = User.objects.filter(is_active=True, roles__overlap=site)
    found = {each: {user.pk: user for user in everywhere} for each in organization_ids}
    members = Membership.objects.filter(organization__in=organization_ids, user__is_active=True)
    if not _allows(MEMBER, action, resource):
        members = members.filter(roles__overlap=inside)
    for one in members.exclude(user__is_system=True).select_related("user"):
        found[one.organization_id][one.user_id] = one.user
    return {each: list(people.values()) for each, people in found.items()}


def grantable_roles(actor: User, *, organization_id: UUID | None = None) -> list[str]:
    """Return the roles a person may give and take: those that allow nothing they may not do.

    Site roles; with an organization, the roles held inside it.
    """
    subject = subject_of(actor)
    tables = SITE if organization_id is None else ORGANIZATION
    return [
        role
        for role, table in tables.items()
        if all(
            subject.can(action, resource, organization_id=organization_id)
            for resource, actions in table.items()
            for action in actions
        )
    ]


def may_grant(actor: User, roles: Iterable[str], *, organization_id: UUID | None = None) -> bool:
    """Return whether a person may give and take all of these roles."""
    return set(roles) <= set(grantable_roles(actor, organization_id=organization_id))


def may_change(actor: User, user: User) -> bool:
    """Return whether the user holds no role, here or in an organization, above the actor's.

    Whoever sets somebody's password can act as them, so nobody rises by it.
    """
    held = Membership.objects.filter(user_id=user.pk).exclude(roles=[])
    return may_grant(actor, user.roles) and all(
        may_grant(actor, roles, organization_id=organization_id)
        for organization_id, roles in held.values_list("organization_id", "roles")
    )


def _allows(table: dict[Resource, frozenset[Action]], action: Action, resource: Resource) -> bool:
    return action in table.get(resource, frozenset())
