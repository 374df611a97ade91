"""Organizations, who is in them, their groups and quotas; and everybody's API tokens."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.base import (
    READ,
    PolicyAdmin,
    PolicyForm,
    ReadableRelatedFilter,
    ReadOnlyAdmin,
    join_links,
    rows_link,
)
from accounts.admin.users import may_change
from accounts.admin.viewer import viewer_of
from accounts.enums import OrganizationRole
from accounts.models import Group, GroupMembership, Membership, Organization, Token
from accounts.policy import Action, Resource
from accounts.system import PREBUILDS_USER_ID

BY_ORGANIZATION = ("organization", ReadableRelatedFilter)


class OrganizationForm(PolicyForm):
    """Its name is unique whatever its case."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "organization_name_unique": ("name", "There is an organization of this name already.")
    }


class OrganizationAdmin(PolicyAdmin[Organization]):
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


class _BelongsToPeople(PolicyAdmin[Any]):
    """Rows that tie a user to something: who may update the something may add and remove them."""

    offered = frozenset(Action)
    ends: ClassVar[tuple[str, ...]]

    def allows(self, request: HttpRequest, action: Action, obj: Any = None) -> bool:
        """Ask for what the row ties the user to; the system user's rows stay as they are."""
        if action == Action.READ:
            return super().allows(request, action, obj)
        fixed = obj is not None and obj.user_id == PREBUILDS_USER_ID
        return not fixed and super().allows(request, Action.UPDATE, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer people only; what one may not update is refused when saving."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and db_field.name == "user":
            field.queryset = field.queryset.filter(is_system=False)
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Fix both ends once the row exists."""
        return self.ends if obj else ()


class MembershipForm(PolicyForm):
    """One membership per organization and user."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "membership_unique": ("user", "This user is a member of the organization already.")
    }


class MembershipAdmin(_BelongsToPeople):
    """Who is in which organization, with which roles there."""

    resource = Resource.ORGANIZATION
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


class GroupForm(PolicyForm):
    """Its name is unique in its organization."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "group_name_unique": ("name", "The organization has a group of this name already.")
    }


class GroupAdmin(PolicyAdmin[Group]):
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
        """Fix the organization once the group exists."""
        return ("organization", "lists") if obj else ()

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


class GroupMembershipAdmin(_BelongsToPeople):
    """Who is in which group."""

    resource = Resource.GROUP
    organization_path = "group__organization_id"
    form = GroupMembershipForm
    ends = ("group", "user")
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


class TokenAdmin(ReadOnlyAdmin[Token]):
    """API tokens, without what would let one use them."""

    resource = Resource.USER
    list_display = (
        "name",
        "user",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_select_related = ("user",)
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "user__username")
    ordering = ("-created_at",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["update"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[Token]) -> None:
        """End tokens at once; the rows stay as a record."""
        tokens = self.rows_to_change(request, queryset.filter(revoked_at__isnull=True))
        if not all(may_change(viewer_of(request), token.user) for token in tokens):
            raise PermissionDenied
        for token in tokens:
            self.log_change(request, token, "Revoked.")
        Token.objects.filter(pk__in=[token.pk for token in tokens]).update(
            revoked_at=timezone.now()
        )
        self.message_user(request, f"Tokens revoked: {len(tokens)}.", messages.SUCCESS)
