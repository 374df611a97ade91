"""API tokens of people: listed, made (the secret is shown once), revoked."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy
from accounts.enums import TokenScope
from accounts.models import Token, User
from accounts.policy import Action, Resource
from accounts.services import tokens
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.serializers import PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import find_row, visible_user

DEFAULT_LIFETIME: Final = timedelta(days=30)
LONGEST_LIFETIME: Final = timedelta(days=3650)


class TokenSerializer(serializers.Serializer[Any]):
    """A token, with Coder's field names; never its secret."""

    id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    token_name = serializers.CharField(source="name")
    scope = serializers.ChoiceField(choices=TokenScope.choices)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="null: it does not end.")
    last_used = serializers.DateTimeField(
        source="last_used_at", allow_null=True, help_text="Exact to the minute."
    )


class TokensQuery(PageQuery):
    """Which tokens."""

    include_expired = serializers.BooleanField(default=False)


class CreateTokenSerializer(StrictSerializer):
    """A token to be."""

    token_name = serializers.CharField(max_length=64)
    scope = serializers.ChoiceField(choices=TokenScope.choices, default=TokenScope.USE)
    lifetime_seconds = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=int(LONGEST_LIFETIME.total_seconds()),
        help_text="Default: 30 days.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Instead of a lifetime; null: it does not end."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want one end, not two."""
        if "lifetime_seconds" in attrs and "expires_at" in attrs:
            raise serializers.ValidationError(
                {"expires_at": ["Send either lifetime_seconds or expires_at."]}
            )
        return attrs


class CreatedTokenSerializer(serializers.Serializer[Any]):
    """A token just made."""

    key = serializers.CharField(help_text="The secret. It is shown only now.")
    id = serializers.UUIDField()


class TokenView(ApiView):
    """Base of what shows or changes somebody's tokens."""

    write_scope = TokenScope.USE

    @property
    def held(self) -> TokenScope:
        """Return the widest scope the caller may hand on: a session's, or that of their token."""
        token = self.request.auth
        return TokenScope(token.scope) if isinstance(token, Token) else TokenScope.MANAGE

    def readable(self, user: str) -> User:
        """Return a person whose tokens the caller may list."""
        found = visible_user(self.user, user)
        if not policy.can(self.user, Action.READ, Resource.USER, owner_id=found.pk):
            raise PermissionDenied
        return found

    def changeable(self, user: str) -> User:
        """Return a person whose tokens the caller may make and revoke: as good as a password."""
        found = visible_user(self.user, user)
        if found == self.user:
            return found
        may = policy.can(self.user, Action.UPDATE, Resource.USER)
        if self.held == TokenScope.MANAGE and may and policy.may_change(self.user, found):
            return found
        raise PermissionDenied


class TokensView(TokenView):
    """GET and POST /users/{user}/keys/tokens"""

    error_statuses: ClassVar = (409,)

    @extend_schema(parameters=[TokensQuery], responses=TokenSerializer(many=True))
    def get(self, request: Request, user: str) -> Response:
        """Return a person's tokens, newest first."""
        owner = self.readable(user)
        asked = self.query(TokensQuery)
        rows = live_tokens(owner)
        if not asked["include_expired"]:
            rows = rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))
        return answer_page(request, rows, asked, lambda one: TokenSerializer(one).data)

    @extend_schema(request=CreateTokenSerializer, responses={201: CreatedTokenSerializer})
    def post(self, request: Request, user: str) -> Response:
        """Make a token; of the caller's own scope at most."""
        owner, now = self.changeable(user), timezone.now()
        asked = self.body(CreateTokenSerializer)
        token, secret = tokens.create_token(
            user=owner,
            name=asked["token_name"],
            scope=TokenScope(asked["scope"]),
            expires_at=end_of(asked, now),
            actor=self.actor,
            within=self.held,
            now=now,
        )
        return Response({"key": secret, "id": token.pk}, status=status.HTTP_201_CREATED)


class OneTokenView(TokenView):
    """GET and DELETE /users/{user}/keys/tokens/{token}, and /users/{user}/keys/{token}"""

    @extend_schema(responses=TokenSerializer)
    def get(self, request: Request, user: str, token: UUID | str) -> Response:
        """Return a token by id or name."""
        found = find_row(live_tokens(self.readable(user)), "name", token)
        return Response(TokenSerializer(found).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, user: str, token: UUID | str) -> Response:
        """Revoke a token; it is of no use from now on."""
        found = find_row(live_tokens(self.changeable(user)), "name", token)
        if not tokens.revoke_token(token=found, actor=self.actor, now=timezone.now()):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


def live_tokens(owner: User) -> QuerySet[Token]:
    """Return the tokens that were not revoked, newest first."""
    rows = Token.objects.filter(user=owner, revoked_at__isnull=True)
    return rows.select_related("user").order_by("-created_at", "id")


def end_of(asked: dict[str, Any], now: datetime) -> datetime | None:
    """Return when the token a request asks for ends; None for never."""
    if "expires_at" not in asked:
        span = asked.get("lifetime_seconds")
        return now + (timedelta(seconds=span) if span else DEFAULT_LIFETIME)
    end: datetime | None = asked["expires_at"]
    if end is not None and end > now + LONGEST_LIFETIME:
        raise serializers.ValidationError(
            {"expires_at": [f"Name a time within {LONGEST_LIFETIME.days} days, or null."]}
        )
    return end


urlpatterns = [
    path("users/<str:user>/keys/tokens", TokensView.as_view()),
    path("users/<str:user>/keys/tokens/<str:token>", OneTokenView.as_view()),
    path("users/<str:user>/keys/<uuid:token>", OneTokenView.as_view()),
]
