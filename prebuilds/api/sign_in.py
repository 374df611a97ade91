"""Sign in for a token, and out again."""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import logout
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit
from accounts.enums import AuditSource, TokenScope
from accounts.models import Token
from accounts.services import sign_in, tokens
from prebuilds.api.base.serializers import Empty, StrictSerializer
from prebuilds.api.base.views import ApiView


class LoginSerializer(StrictSerializer):
    """Who, by name or by address, and their password."""

    username = serializers.CharField(max_length=64, required=False)
    email = serializers.CharField(max_length=254, required=False)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want one name, not two."""
        if ("username" in attrs) == ("email" in attrs):
            raise serializers.ValidationError({"username": ["Send either username or email."]})
        return attrs


class SessionTokenSerializer(serializers.Serializer[Any]):
    """The token of somebody who signed in."""

    session_token = serializers.CharField(help_text="Send it as Coder-Session-Token or bearer.")


class SignedOutSerializer(serializers.Serializer[Any]):
    """A word that it is done."""

    message = serializers.CharField()


class LoginView(ApiView):
    """POST /users/login"""

    authentication_classes = ()
    permission_classes = ()
    error_statuses: ClassVar = (401,)

    @extend_schema(request=LoginSerializer, responses={201: SessionTokenSerializer})
    def post(self, request: Request) -> Response:
        """Return a token that does what the person may, and ends when a session would."""
        asked = self.body(LoginSerializer)
        attempt = sign_in.Attempt(
            username=asked.get("username", ""),
            email=asked.get("email", ""),
            actor=audit.actor_at(request.META, user=None, source=AuditSource.API),
            kept=request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE_NAME, ""),
        )
        _, secret = sign_in.sign_in(
            attempt=attempt,
            password=asked["password"],
            lifetime=timedelta(seconds=settings.SESSION_COOKIE_AGE),
            now=timezone.now(),
        )
        return Response({"session_token": secret}, status=status.HTTP_201_CREATED)


class LogoutView(ApiView):
    """POST /users/logout"""

    write_scope = TokenScope.READ

    @extend_schema(request=None, responses=SignedOutSerializer)
    def post(self, request: Request) -> Response:
        """Revoke the token the request carries, or end its session."""
        self.body(Empty)
        if isinstance(request.auth, Token):
            tokens.revoke_token(token=request.auth, actor=self.actor, now=timezone.now())
        else:
            logout(request._request)  # noqa: SLF001  the session is the plain request's
        return Response({"message": "You are signed out."})


urlpatterns = [
    path("users/login", LoginView.as_view()),
    path("users/logout", LogoutView.as_view()),
]
