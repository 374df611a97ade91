"""Groups: what their members may spend, and who is in them."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.admin.base import PolicyForm, ReadableRelatedFilter, rows_link
from accounts.admin.changes import ServiceAdmin
from accounts.admin.organizations import BY_ORGANIZATION
from accounts.admin.ties import BelongsToPeople
from accounts.audit import Actor
from accounts.models import Group, GroupMembership
from accounts.policy import Action, Resource
from accounts.services import groups


class GroupForm(PolicyForm):
    """Its name is unique in its organization."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "group_name_unique": ("name", "The organization has a group of this name already.")
    }


class GroupAdmin(ServiceAdmin[Group]):
    """Groups and what each of their members may spend."""

    resource = Resource.GROUP
    organization_path = "organization_id"
    offered = frozenset(Action)
    form = GroupForm
    fields = ("organization", "name", "display_name", "quota_allowance", "lists")
    list_display = ("name", "display_name", "organization", "quota_allowance", "member_count")
    list_select_related = ("organization",)
    list_filter = (BY_ORGANIZATION,)
    search_fields = ("name", "display_name", "organization__name")
    ordering = ("organization__name", "name")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Group]:
        """Count the members along."""
        return super().get_queryset(request).annotate(member_count=models.Count("memberships"))

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Leave out what a new group cannot have yet."""
        return self.fields if obj else self.fields[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Fix the organization once the group exists, and the name of the prebuilds user's."""
        named = ("name",) if obj and groups.is_fixed(obj) else ()
        return ("organization", "lists", *named) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Keep the prebuilds user's group."""
        fixed = obj is not None and groups.is_fixed(obj)
        return not fixed and super().has_delete_permission(request, obj)

    def create(self, obj: Group, form: Any, *, actor: Actor, now: datetime) -> Group:
        """Make it."""
        return groups.create_group(
            organization=obj.organization,
            name=obj.name,
            display_name=obj.display_name,
            quota_allowance=obj.quota_allowance,
            actor=actor,
            now=now,
        )

    def update(self, obj: Group, form: Any, *, actor: Actor, now: datetime) -> None:
        """Change what the form changed."""
        changed = {name: getattr(obj, name) for name in form.changed_data}
        groups.update_group(
            group_id=obj.pk, change=groups.GroupChange(**changed), actor=actor, now=now
        )

    def remove(self, obj: Group, *, actor: Actor, now: datetime) -> None:
        """Delete it."""
        groups.delete_group(group_id=obj.pk, actor=actor, now=now)

    @admin.display(description="members", ordering="member_count")
    def member_count(self, group: Group) -> int:
        """Return how many share the allowance."""
        return int(getattr(group, "member_count", 0))

    @admin.display(description="more")
    def lists(self, group: Group) -> SafeString:
        """Link to the members."""
        return rows_link(GroupMembership, "Members", group__id__exact=group.pk)


class GroupMembershipForm(PolicyForm):
    """One row per group and user, and only users of the group's organization."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "group_membership_unique": ("user", "This user is in the group already.")
    }

    def clean(self) -> dict[str, Any]:
        """Refuse strangers to the organization."""
        group, user = self.cleaned_data.get("group"), self.cleaned_data.get("user")
        if (
            group
            and user
            and not user.memberships.filter(organization=group.organization_id).exists()
        ):
            self.add_error(
                "user", f"{user} is not a member of {group.organization}; add them there first."
            )
        return self.cleaned_data


class GroupMembershipAdmin(BelongsToPeople):
    """Who is in which group."""

    resource = Resource.GROUP
    organization_path = "group__organization_id"
    form = GroupMembershipForm
    ends = ("group", "user")
    offered = frozenset({Action.READ, Action.CREATE, Action.DELETE})
    fields = ("group", "user")
    autocomplete_fields = ("group", "user")
    list_display = ("user", "group", "organization")
    list_select_related = ("user", "group__organization")
    list_filter = (("group__organization", ReadableRelatedFilter), ("group", ReadableRelatedFilter))
    search_fields = ("user__username", "user__name", "group__name")
    ordering = ("group__name", "user__username")

    @admin.display(ordering="group__organization__name")
    def organization(self, membership: GroupMembership) -> str:
        """Return where the group is."""
        return str(membership.group.organization)

    def create(
        self, obj: GroupMembership, form: Any, *, actor: Actor, now: datetime
    ) -> GroupMembership:
        """Put the person in."""
        change = groups.GroupChange(add_users=[obj.user_id])
        groups.update_group(group_id=obj.group_id, change=change, actor=actor, now=now)
        return GroupMembership.objects.get(group_id=obj.group_id, user_id=obj.user_id)

    def remove(self, obj: GroupMembership, *, actor: Actor, now: datetime) -> None:
        """Take the person out."""
        change = groups.GroupChange(remove_users=[obj.user_id])
        groups.update_group(group_id=obj.group_id, change=change, actor=actor, now=now)
