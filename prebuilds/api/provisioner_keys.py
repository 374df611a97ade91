"""Provisioner keys: what remote daemons of an organization authenticate with."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Organization
from accounts.policy import Action, Resource
from prebuilds.api.base.serializers import Empty, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import visible_organization
from workspaces.models import ProvisionerKey
from workspaces.selectors import list_keys
from workspaces.services import provisioner_keys

TAGS_LIMIT = 50
TAG_LIMIT = 64


class KeySerializer(serializers.Serializer[Any]):
    """A key without its secret, with Coder's field names."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    organization = serializers.UUIDField(source="organization_id")
    tags = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


class CreatedKeySerializer(KeySerializer):
    """A key just made, with its secret: it is never shown again."""

    key = serializers.CharField()


class CreateKeySerializer(StrictSerializer):
    """What to call it, and which jobs its daemons may do."""

    name = serializers.CharField(max_length=64)
    tags = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=TAG_LIMIT), required=False
    )

    def validate_tags(self, tags: dict[str, str]) -> dict[str, str]:
        """Refuse more, and longer, than anybody needs."""
        if len(tags) > TAGS_LIMIT:
            raise serializers.ValidationError(
                f"{len(tags)} tags are too many; send at most {TAGS_LIMIT}."
            )
        for name in tags:
            if not (0 < len(name) <= TAG_LIMIT and name.isprintable()):
                raise serializers.ValidationError(
                    f"{name[:TAG_LIMIT]!r} cannot name a tag: use 1 to {TAG_LIMIT} printable "
                    "characters."
                )
        return tags


class KeysBaseView(ApiView):
    """Base of what is about one organization's keys."""

    def home(self, organization: UUID, action: Action) -> Organization:
        """Return the organization, if the caller may do this to its keys."""
        found = visible_organization(self.user, organization)
        self.require(action, Resource.PROVISIONER, organization_id=found.pk)
        return found


class KeysView(KeysBaseView):
    """GET and POST /organizations/{organization}/provisionerkeys"""

    error_statuses: ClassVar = (409,)

    @extend_schema(responses=KeySerializer(many=True))
    def get(self, request: Request, organization: UUID) -> Response:
        """Return the keys that let somebody in, by name."""
        home = self.home(organization, Action.READ)
        self.query(Empty)
        return Response([KeySerializer(key).data for key in _keys_of(home)])

    @extend_schema(request=CreateKeySerializer, responses={201: CreatedKeySerializer})
    def post(self, request: Request, organization: UUID) -> Response:
        """Make a key; its secret is in this answer and nowhere else."""
        home = self.home(organization, Action.CREATE)
        asked = self.body(CreateKeySerializer)
        key, secret = provisioner_keys.create_key(
            organization=home,
            name=asked["name"],
            tags=asked.get("tags", {}),
            actor=self.actor,
            now=timezone.now(),
        )
        answer = {**KeySerializer(key).data, "key": secret}
        return Response(answer, status=status.HTTP_201_CREATED)


class KeyView(KeysBaseView):
    """GET and DELETE /organizations/{organization}/provisionerkeys/{name}"""

    @extend_schema(responses=KeySerializer)
    def get(self, request: Request, organization: UUID, name: str) -> Response:
        """Return one key, without its secret."""
        home = self.home(organization, Action.READ)
        return Response(KeySerializer(_find(home, name)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization: UUID, name: str) -> Response:
        """Revoke a key: nobody gets in by it any more."""
        home = self.home(organization, Action.DELETE)
        if not provisioner_keys.revoke_key(
            key=_find(home, name), actor=self.actor, now=timezone.now()
        ):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


def _keys_of(home: Organization) -> list[ProvisionerKey]:
    return list_keys(organization_ids={home.pk})


def _find(home: Organization, name: str) -> ProvisionerKey:
    found = next((key for key in _keys_of(home) if key.name.lower() == name.lower()), None)
    if found is None:
        raise Http404
    return found


urlpatterns = [
    path("organizations/<uuid:organization>/provisionerkeys", KeysView.as_view()),
    path("organizations/<uuid:organization>/provisionerkeys/<str:name>", KeyView.as_view()),
]
