"""Members of organizations: list, add, remove, roles there, and what they may spend."""

from typing import Any, ClassVar

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.enums import OrganizationRole
from accounts.models import Membership, Organization
from accounts.policy import Action, Resource
from accounts.services import organizations
from prebuilds.api.base.pages import answer_page, list_of
from prebuilds.api.base.preconditions import etag, if_match
from prebuilds.api.base.serializers import Empty, PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.people import (
    OrganizationRoleSerializer,
    SiteRoleSerializer,
    UniqueListField,
    site_roles_as_json,
)
from prebuilds.api.visible import find_row, visible_members, visible_organization, visible_user
from workspaces.services import quota


class MemberSerializer(serializers.Serializer[Any]):
    """A member, with Coder's field names."""

    user_id = serializers.UUIDField()
    organization_id = serializers.UUIDField()
    username = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user.name")
    email = serializers.CharField(source="user.email")
    created_at = serializers.DateTimeField()
    roles = serializers.SerializerMethodField()
    global_roles = serializers.SerializerMethodField()

    @extend_schema_field(OrganizationRoleSerializer(many=True))
    def get_roles(self, member: Membership) -> list[dict[str, Any]]:
        """Return the roles held in this organization."""
        return [
            {
                "name": role,
                "display_name": str(OrganizationRole(role).label),
                "organization_id": str(member.organization_id),
            }
            for role in member.roles
        ]

    @extend_schema_field(SiteRoleSerializer(many=True))
    def get_global_roles(self, member: Membership) -> list[dict[str, str]]:
        """Return the roles held everywhere."""
        return site_roles_as_json(member.user)


class MemberRolesSerializer(StrictSerializer):
    """All roles a member is to hold in the organization."""

    roles = UniqueListField(child=serializers.ChoiceField(choices=OrganizationRole.choices))


class QuotaSerializer(serializers.Serializer[Any]):
    """Daily cost."""

    credits_consumed = serializers.IntegerField(
        source="consumed", help_text="What the person's workspaces here cost a day."
    )
    budget = serializers.IntegerField(help_text="What their groups here allow together.")


class MemberView(ApiView):
    """Base of what shows or changes the members of one organization."""

    def find_member(self, organization: Organization, user: str) -> Membership:
        """Return a member the caller may see; 404 for anybody else."""
        if user == "me":
            user = str(self.user.pk)
        rows = visible_members(self.user, organization)
        return find_row(rows, "user__username", user, key="user_id")

    def home(self, organization: str, action: Action) -> Organization:
        """Return the organization, where the caller may do this to members."""
        found = visible_organization(self.user, organization)
        self.permit(action, Resource.ORGANIZATION_MEMBER, organization_id=found.pk)
        return found

    def changeable(self, organization: str, user: str, action: Action) -> Membership:
        """Return a member the caller may do this to; 404 for whom they may not see."""
        home = visible_organization(self.user, organization)
        found = self.find_member(home, user)
        self.permit(action, Resource.ORGANIZATION_MEMBER, organization_id=home.pk)
        return found


class MembersView(MemberView):
    """GET /organizations/{organization}/members"""

    @extend_schema(parameters=[PageQuery], responses=MemberSerializer(many=True))
    def get(self, request: Request, organization: str) -> Response:
        """Return the members the caller may see, by name."""
        page = self.query(PageQuery)
        rows = visible_members(self.user, visible_organization(self.user, organization))
        return answer_page(request, rows, page, lambda one: MemberSerializer(one).data)


class PaginatedMembersView(MemberView):
    """GET /organizations/{organization}/paginated-members"""

    @extend_schema(parameters=[PageQuery], responses=list_of("members", MemberSerializer))
    def get(self, request: Request, organization: str) -> Response:
        """Return the members the caller may see, with their number."""
        page = self.query(PageQuery)
        rows = visible_members(self.user, visible_organization(self.user, organization))
        return answer_page(
            request, rows, page, lambda one: MemberSerializer(one).data, wrap="members"
        )


class OneMemberView(MemberView):
    """GET, POST and DELETE /organizations/{organization}/members/{user}"""

    error_statuses: ClassVar = (409,)

    @extend_schema(responses=MemberSerializer)
    def get(self, request: Request, organization: str, user: str) -> Response:
        """Return a member by id or name; `me` is the caller."""
        home = visible_organization(self.user, organization)
        return answer(self.find_member(home, user))

    @extend_schema(request=None, responses=MemberSerializer)
    def post(self, request: Request, organization: str, user: str) -> Response:
        """Make a person a member, without roles."""
        home = self.home(organization, Action.CREATE)
        self.body(Empty)
        made = organizations.add_member(
            organization=home,
            user=visible_user(self.user, user),
            actor=self.actor,
            now=timezone.now(),
        )
        return answer(made)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization: str, user: str) -> Response:
        """End a membership, and with it those in the organization's groups."""
        found = self.changeable(organization, user, Action.DELETE)
        organizations.remove_member(
            organization_id=found.organization_id,
            user_id=found.user_id,
            actor=self.actor,
            now=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class MemberRolesView(MemberView):
    """PUT /organizations/{organization}/members/{user}/roles"""

    error_statuses: ClassVar = (412,)

    @extend_schema(request=MemberRolesSerializer, responses=MemberSerializer)
    def put(self, request: Request, organization: str, user: str) -> Response:
        """Give a member exactly these roles in the organization."""
        found = self.changeable(organization, user, Action.UPDATE)
        changed = organizations.set_member_roles(
            organization_id=found.organization_id,
            user_id=found.user_id,
            roles=self.body(MemberRolesSerializer)["roles"],
            actor=self.actor,
            now=timezone.now(),
            check=if_match(request, selectors.mark_of_membership),
        )
        return answer(changed)


class MemberQuotaView(MemberView):
    """GET /organizations/{organization}/members/{user}/workspace-quota"""

    @extend_schema(responses=QuotaSerializer)
    def get(self, request: Request, organization: str, user: str) -> Response:
        """Return what a member's workspaces cost, and what they may."""
        home = visible_organization(self.user, organization)
        member = self.find_member(home, user)
        found = quota.quota_of(owner_id=member.user_id, organization_id=home.pk)
        return Response(QuotaSerializer(found).data)


def answer(member: Membership) -> Response:
    """Answer with a member and the entity tag of their roles."""
    response = Response(MemberSerializer(member).data)
    response["ETag"] = etag(selectors.mark_of_membership(member))
    return response


HERE = "organizations/<str:organization>"
urlpatterns = [
    path(f"{HERE}/members", MembersView.as_view()),
    path(f"{HERE}/paginated-members", PaginatedMembersView.as_view()),
    path(f"{HERE}/members/<str:user>", OneMemberView.as_view()),
    path(f"{HERE}/members/<str:user>/roles", MemberRolesView.as_view()),
    path(f"{HERE}/members/<str:user>/workspace-quota", MemberQuotaView.as_view()),
]
