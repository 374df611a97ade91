"""How a person looks in JSON; shared by users, members, groups and the audit log."""

from typing import Any

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.enums import OrganizationRole, SiteRole
from accounts.models import User


class UserStatus(models.TextChoices):
    """Whether a person is let in."""

    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"


class SiteRoleSerializer(serializers.Serializer[Any]):
    """A site role."""

    name = serializers.ChoiceField(choices=SiteRole.choices)
    display_name = serializers.CharField()


class OrganizationRoleSerializer(serializers.Serializer[Any]):
    """A role inside an organization."""

    name = serializers.ChoiceField(choices=OrganizationRole.choices)
    display_name = serializers.CharField()
    organization_id = serializers.UUIDField()


class ReducedUserSerializer(serializers.Serializer[Any]):
    """A person in short, with Coder's field names."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(
        source="last_login", allow_null=True, help_text="When they signed in last."
    )
    status = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(choices=UserStatus.choices))
    def get_status(self, user: User) -> str:
        """Return whether they are let in."""
        return UserStatus.ACTIVE if user.is_active else UserStatus.SUSPENDED


class UserSerializer(ReducedUserSerializer):
    """A person, with Coder's field names; the memberships are those that were prefetched."""

    organization_ids = serializers.SerializerMethodField()
    roles = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_organization_ids(self, user: User) -> list[str]:
        """Return where they are members."""
        return [str(one.organization_id) for one in user.memberships.all()]

    @extend_schema_field(SiteRoleSerializer(many=True))
    def get_roles(self, user: User) -> list[dict[str, str]]:
        """Return the site roles."""
        return site_roles_as_json(user)


class UniqueListField(serializers.ListField):
    """A list that names nothing twice."""

    default_error_messages = {"twice": '"{value}" is in the list twice.'}

    def to_internal_value(self, data: Any) -> list[Any]:
        """Refuse what is there a second time."""
        values = super().to_internal_value(data)
        for value in values:
            if values.count(value) > 1:
                self.fail("twice", value=value)
        return values


def site_roles_as_json(user: User) -> list[dict[str, str]]:
    """Return a person's site roles with the words people say."""
    return [{"name": role, "display_name": str(SiteRole(role).label)} for role in user.roles]
