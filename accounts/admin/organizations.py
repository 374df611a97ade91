"""Organizations, and who is in them with which roles there."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.admin.base import READ, PolicyForm, ReadableRelatedFilter, join_links, rows_link
from accounts.admin.changes import ServiceAdmin
from accounts.admin.ties import BelongsToPeople
from accounts.audit import Actor
from accounts.enums import OrganizationRole
from accounts.models import Group, Membership, Organization
from accounts.policy import Action, Resource
from accounts.services import organizations

BY_ORGANIZATION = ("organization", ReadableRelatedFilter)


class OrganizationForm(PolicyForm):
    """Its name is unique whatever its case."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "organization_name_unique": ("name", "There is an organization of this name already.")
    }


class OrganizationAdmin(ServiceAdmin[Organization]):
    """Tenants. They are never deleted here: templates, people and history hang on them."""

    resource = Resource.ORGANIZATION
    organization_path = "pk"
    offered = READ | {Action.CREATE, Action.UPDATE}
    form = OrganizationForm
    fields = ("name", "display_name", "is_default", "created_at", "lists")
    readonly_fields = ("is_default", "created_at", "lists")
    list_display = ("name", "display_name", "is_default", "member_count", "created_at")
    search_fields = ("name", "display_name")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Organization]:
        """Count the members along."""
        return super().get_queryset(request).annotate(member_count=models.Count("memberships"))

    def get_fields(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        """Leave out what a new organization cannot have yet."""
        return self.fields if obj else ("name", "display_name")

    @admin.display(description="members", ordering="member_count")
    def member_count(self, organization: Organization) -> int:
        """Return how many there are, the system user included."""
        return int(getattr(organization, "member_count", 0))

    @admin.display(description="more")
    def lists(self, organization: Organization) -> SafeString:
        """Link to what belongs to it."""
        here = {"organization__id__exact": organization.pk}
        return join_links(
            rows_link(Membership, "Members", **here), rows_link(Group, "Groups", **here)
        )

    def create(self, obj: Organization, form: Any, *, actor: Actor, now: datetime) -> Organization:
        """Make it."""
        return organizations.create_organization(
            name=obj.name, display_name=obj.display_name, actor=actor, now=now
        )

    def update(self, obj: Organization, form: Any, *, actor: Actor, now: datetime) -> None:
        """Rename it."""
        organizations.update_organization(
            organization_id=obj.pk,
            name=obj.name,
            display_name=obj.display_name,
            actor=actor,
            now=now,
        )


class MembershipForm(PolicyForm):
    """One membership per organization and user."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "membership_unique": ("user", "This user is a member of the organization already.")
    }


class MembershipAdmin(BelongsToPeople):
    """Who is in which organization, with which roles there."""

    resource = Resource.ORGANIZATION_MEMBER
    organization_path = "organization_id"
    form = MembershipForm
    ends = ("organization", "user")
    fields = ("organization", "user", "roles")
    autocomplete_fields = ("user",)
    list_display = ("user", "organization", "role_words", "created_at")
    list_select_related = ("user", "organization")
    list_filter = (BY_ORGANIZATION,)
    search_fields = ("user__username", "user__name", "organization__name")
    ordering = ("organization__name", "user__username")

    @admin.display(description="roles")
    def role_words(self, membership: Membership) -> str:
        """Return the organization roles as people say them."""
        words = (OrganizationRole(role).label for role in membership.roles)
        return ", ".join(words) or "Member"

    def create(self, obj: Membership, form: Any, *, actor: Actor, now: datetime) -> Membership:
        """Make the person a member, then give the roles."""
        made = organizations.add_member(
            organization=obj.organization, user=obj.user, actor=actor, now=now
        )
        if obj.roles:
            self.update(obj, form, actor=actor, now=now)
        return made

    def update(self, obj: Membership, form: Any, *, actor: Actor, now: datetime) -> None:
        """Give exactly these roles."""
        organizations.set_member_roles(
            organization_id=obj.organization_id,
            user_id=obj.user_id,
            roles=obj.roles,
            actor=actor,
            now=now,
        )

    def remove(self, obj: Membership, *, actor: Actor, now: datetime) -> None:
        """End the membership."""
        organizations.remove_member(
            organization_id=obj.organization_id, user_id=obj.user_id, actor=actor, now=now
        )
