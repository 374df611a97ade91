"""Organizations: list, make, rename; and those of one person."""

from typing import Any, ClassVar

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import Organization
from accounts.policy import Action, Resource
from accounts.services import organizations
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.preconditions import etag, if_match
from prebuilds.api.base.serializers import PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import (
    find_row,
    visible_organization,
    visible_organizations,
    visible_user,
)


class OrganizationSerializer(serializers.Serializer[Any]):
    """An organization, with Coder's field names."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    is_default = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class CreateOrganizationSerializer(StrictSerializer):
    """An organization to be."""

    name = serializers.SlugField(max_length=64)
    display_name = serializers.CharField(max_length=128, allow_blank=True, default="")


class UpdateOrganizationSerializer(StrictSerializer):
    """What is to change; what is left out stays."""

    name = serializers.SlugField(max_length=64, required=False)
    display_name = serializers.CharField(max_length=128, allow_blank=True, required=False)


class OrganizationsView(ApiView):
    """GET and POST /organizations"""

    error_statuses: ClassVar = (409,)

    @extend_schema(parameters=[PageQuery], responses=OrganizationSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the organizations the caller may see, by name."""
        page = self.query(PageQuery)
        rows = visible_organizations(self.user)
        return answer_page(request, rows, page, lambda one: OrganizationSerializer(one).data)

    @extend_schema(request=CreateOrganizationSerializer, responses={201: OrganizationSerializer})
    def post(self, request: Request) -> Response:
        """Make an organization; the caller administers it."""
        self.permit(Action.CREATE, Resource.ORGANIZATION)
        asked = self.body(CreateOrganizationSerializer)
        made = organizations.create_organization(**asked, actor=self.actor, now=timezone.now())
        return answer(made, status.HTTP_201_CREATED)


class OrganizationView(ApiView):
    """GET and PATCH /organizations/{organization}"""

    error_statuses: ClassVar = (409, 412)

    @extend_schema(responses=OrganizationSerializer)
    def get(self, request: Request, organization: str) -> Response:
        """Return an organization by id or name."""
        return answer(visible_organization(self.user, organization))

    @extend_schema(request=UpdateOrganizationSerializer, responses=OrganizationSerializer)
    def patch(self, request: Request, organization: str) -> Response:
        """Rename an organization."""
        found = visible_organization(self.user, organization)
        self.require(Action.UPDATE, Resource.ORGANIZATION, organization_id=found.pk)
        asked = self.body(UpdateOrganizationSerializer)
        changed = organizations.update_organization(
            organization_id=found.pk,
            **asked,
            actor=self.actor,
            now=timezone.now(),
            check=if_match(request, selectors.mark_of_organization),
        )
        return answer(changed)


class UserOrganizationsView(ApiView):
    """GET /users/{user}/organizations"""

    @extend_schema(parameters=[PageQuery], responses=OrganizationSerializer(many=True))
    def get(self, request: Request, user: str) -> Response:
        """Return where a person is a member, as far as the caller may see."""
        page = self.query(PageQuery)
        found = visible_user(self.user, user)
        rows = visible_organizations(self.user).filter(memberships__user=found)
        return answer_page(request, rows, page, lambda one: OrganizationSerializer(one).data)


class UserOrganizationView(ApiView):
    """GET /users/{user}/organizations/{organization}"""

    @extend_schema(responses=OrganizationSerializer)
    def get(self, request: Request, user: str, organization: str) -> Response:
        """Return one organization a person is a member of, by id or name."""
        found = visible_user(self.user, user)
        rows = visible_organizations(self.user).filter(memberships__user=found)
        return answer(find_row(rows, "name", organization))


def answer(organization: Organization, code: int = status.HTTP_200_OK) -> Response:
    """Answer with an organization and its entity tag."""
    response = Response(OrganizationSerializer(organization).data, status=code)
    response["ETag"] = etag(selectors.mark_of_organization(organization))
    return response


urlpatterns = [
    path("organizations", OrganizationsView.as_view()),
    path("organizations/<str:organization>", OrganizationView.as_view()),
    path("users/<str:user>/organizations", UserOrganizationsView.as_view()),
    path("users/<str:user>/organizations/<str:organization>", UserOrganizationView.as_view()),
]
