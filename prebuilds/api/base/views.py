"""The view every endpoint for people starts from: strict input, one policy question, scopes."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts import audit, policy
from accounts.audit import Actor
from accounts.enums import AuditSource, TokenScope
from accounts.models import User
from accounts.policy import Action, Resource
from prebuilds.api.base.serializers import STRICT_TYPES

Plain = TypeVar("Plain", bound=Callable[..., Any])


class ApiView(APIView):
    """An endpoint for people, signed in by session or by token."""

    write_scope: ClassVar[TokenScope] = TokenScope.MANAGE
    """The scope a token needs for a method that changes something; reading takes `read`."""

    @property
    def user(self) -> User:
        """Return the caller."""
        return user_of(self.request)

    @property
    def actor(self) -> Actor:
        """Return the caller as the audit log names them."""
        return audit.actor_at(self.request.META, user=self.user, source=AuditSource.API)

    def body(self, shape: type[Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """Return the request's body, checked; an error names every field at fault."""
        asked = shape(data=self.request.data, partial=partial, context={STRICT_TYPES: True})
        asked.is_valid(raise_exception=True)
        return cast("dict[str, Any]", asked.validated_data)

    def query(self, shape: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the query parameters, checked like a body: an unknown one is an error too."""
        asked = shape(data=self.request.query_params.dict())
        asked.is_valid(raise_exception=True)
        return cast("dict[str, Any]", asked.validated_data)

    def require(
        self,
        action: Action,
        resource: Resource,
        *,
        organization_id: UUID | None = None,
        owner_id: UUID | None = None,
    ) -> None:
        """Ask the policy: 404 for what the caller may not know of, 403 for what they may see."""
        where = {"organization_id": organization_id, "owner_id": owner_id}
        if policy.can(self.user, action, resource, **where):
            return
        if action == Action.READ or not policy.can(self.user, Action.READ, resource, **where):
            raise Http404
        raise PermissionDenied

    def permit(
        self, action: Action, resource: Resource, *, organization_id: UUID | None = None
    ) -> None:
        """Ask the policy about what the caller knows of already, such as a list: 403 at worst."""
        if not policy.can(self.user, action, resource, organization_id=organization_id):
            raise PermissionDenied


def described_by(view: type[APIView]) -> Callable[[Plain], Plain]:
    """Let a plain function appear in the OpenAPI document as the class that describes it."""

    def describe(function: Plain) -> Plain:
        function.__dict__ |= {"cls": view, "initkwargs": {}}
        return function

    return describe


def user_of(request: Request) -> User:
    """Return who is calling; only for endpoints that let nobody else in."""
    assert isinstance(request.user, User)
    return request.user
