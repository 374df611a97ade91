"""Groups of an organization: their allowance and their people."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import Group
from accounts.policy import Action, Resource
from accounts.services import groups
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.preconditions import etag, if_match
from prebuilds.api.base.serializers import PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.people import ReducedUserSerializer, UniqueListField
from prebuilds.api.visible import find_row, visible_groups, visible_organization

LARGEST_ALLOWANCE: Final = 2_147_483_647
MOST_USERS: Final = 1_000


class GroupSerializer(serializers.Serializer[Any]):
    """A group, with Coder's field names; people only are its members here."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    organization_id = serializers.UUIDField()
    organization_name = serializers.CharField(source="organization.name")
    organization_display_name = serializers.CharField(source="organization.display_name")
    quota_allowance = serializers.IntegerField()
    members = ReducedUserSerializer(source="members.all", many=True)
    total_member_count = serializers.SerializerMethodField()

    def get_total_member_count(self, group: Group) -> int:
        """Return how many people share the allowance."""
        return len(group.members.all())


class CreateGroupSerializer(StrictSerializer):
    """A group to be."""

    name = serializers.SlugField(max_length=64)
    display_name = serializers.CharField(max_length=128, allow_blank=True, default="")
    quota_allowance = serializers.IntegerField(min_value=0, max_value=LARGEST_ALLOWANCE, default=0)


class UpdateGroupSerializer(StrictSerializer):
    """What is to change; what is left out stays."""

    name = serializers.SlugField(max_length=64, required=False)
    display_name = serializers.CharField(max_length=128, allow_blank=True, required=False)
    quota_allowance = serializers.IntegerField(
        min_value=0, max_value=LARGEST_ALLOWANCE, required=False
    )
    add_users = UniqueListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_USERS
    )
    remove_users = UniqueListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_USERS
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse to add and remove the same person."""
        if set(attrs.get("add_users", ())) & set(attrs.get("remove_users", ())):
            raise serializers.ValidationError(
                {"remove_users": ["Somebody is to be added and removed. Name them once."]}
            )
        return attrs


class GroupsView(ApiView):
    """GET and POST /organizations/{organization}/groups"""

    error_statuses: ClassVar = (409,)

    @extend_schema(parameters=[PageQuery], responses=GroupSerializer(many=True))
    def get(self, request: Request, organization: str) -> Response:
        """Return the organization's groups, by name."""
        page = self.query(PageQuery)
        home = visible_organization(self.user, organization)
        rows = visible_groups(self.user).filter(organization=home)
        return answer_page(request, rows, page, lambda one: GroupSerializer(one).data)

    @extend_schema(request=CreateGroupSerializer, responses={201: GroupSerializer})
    def post(self, request: Request, organization: str) -> Response:
        """Make a group without members."""
        home = visible_organization(self.user, organization)
        self.permit(Action.CREATE, Resource.GROUP, organization_id=home.pk)
        made = groups.create_group(
            organization=home,
            **self.body(CreateGroupSerializer),
            actor=self.actor,
            now=timezone.now(),
        )
        return self.answer(made)

    def answer(self, group: Group) -> Response:
        """Answer with the group just made."""
        found = visible_groups(self.user).get(pk=group.pk)
        return answer(found, status.HTTP_201_CREATED)


class GroupByNameView(ApiView):
    """GET /organizations/{organization}/groups/{group}"""

    @extend_schema(responses=GroupSerializer)
    def get(self, request: Request, organization: str, group: str) -> Response:
        """Return a group by id or name."""
        home = visible_organization(self.user, organization)
        return answer(find_row(visible_groups(self.user).filter(organization=home), "name", group))


class GroupView(ApiView):
    """GET, PATCH and DELETE /groups/{group}"""

    error_statuses: ClassVar = (409, 412)

    @extend_schema(responses=GroupSerializer)
    def get(self, request: Request, group: UUID) -> Response:
        """Return a group."""
        return answer(get_object_or_404(visible_groups(self.user), pk=group))

    @extend_schema(request=UpdateGroupSerializer, responses=GroupSerializer)
    def patch(self, request: Request, group: UUID) -> Response:
        """Change name, allowance or members."""
        found = self.find(group, Action.UPDATE)
        groups.update_group(
            group_id=found.pk,
            change=groups.GroupChange(**self.body(UpdateGroupSerializer)),
            actor=self.actor,
            now=timezone.now(),
            check=if_match(request, selectors.mark_of_group),
        )
        return answer(get_object_or_404(visible_groups(self.user), pk=group))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, group: UUID) -> Response:
        """Delete a group; its members lose its allowance."""
        groups.delete_group(
            group_id=self.find(group, Action.DELETE).pk,
            actor=self.actor,
            now=timezone.now(),
            check=if_match(request, selectors.mark_of_group),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    def find(self, group: UUID, action: Action) -> Group:
        """Return a group the caller may do this to."""
        found = get_object_or_404(visible_groups(self.user), pk=group)
        self.require(action, Resource.GROUP, organization_id=found.organization_id)
        return found


def answer(group: Group, code: int = status.HTTP_200_OK) -> Response:
    """Answer with a group and its entity tag."""
    response = Response(GroupSerializer(group).data, status=code)
    response["ETag"] = etag(selectors.mark_of_group(group))
    return response


urlpatterns = [
    path("organizations/<str:organization>/groups", GroupsView.as_view()),
    path("organizations/<str:organization>/groups/<str:group>", GroupByNameView.as_view()),
    path("groups/<uuid:group>", GroupView.as_view()),
]
