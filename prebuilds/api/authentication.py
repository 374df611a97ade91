"""Who is calling: a person by session or token, an agent or a provisioner by its own."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts import audit, selectors
from accounts.errors import InvalidToken
from accounts.models import Token, User
from accounts.services import tokens
from prebuilds.api.throttling import count_failed_token
from workspaces import selectors as workspace_selectors
from workspaces.errors import UnknownAgentToken, UnknownProvisionerKey
from workspaces.models import Agent, ProvisionerKey
from workspaces.services import agents

TOKEN_HEADER = "Coder-Session-Token"  # noqa: S105  the header's name
KEY_HEADER = "Coder-Provisioner-Daemon-Key"


def bearer_of(request: Request | HttpRequest) -> str | None:
    """Return the token a request carries: `Authorization: Bearer …` or Coder's own header."""
    return token_in(request.headers)


def token_in(headers: Mapping[str, str]) -> str | None:
    """Return the token among headers whose names are written like `Coder-Session-Token`."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get(TOKEN_HEADER)


class TokenAuthentication(authentication.BaseAuthentication):
    """Sign a person in by an API token."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return user and token; None when the request carries no token."""
        secret = bearer_of(request)
        if secret is None:
            return None
        now = timezone.now()
        try:
            token = selectors.find_token(secret, now=now)
        except InvalidToken as error:
            count_failed_token(audit.address_of(request.META) or "")
            raise exceptions.AuthenticationFailed(str(error)) from error
        tokens.record_use(token=token, now=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Make a refusal a 401 and not a 403."""
        return "Bearer"


class AgentAuthentication(authentication.BaseAuthentication):
    """Sign an agent in by its token; `request.auth` is the agent."""

    def authenticate(self, request: Request) -> tuple[Any, Agent]:
        """Return nobody and the agent. An agent is no person: `request.user` stays empty."""
        try:
            agent = agents.authenticate(bearer_of(request) or "")
        except UnknownAgentToken as error:
            raise exceptions.AuthenticationFailed(str(error)) from error
        return None, agent

    def authenticate_header(self, request: Request) -> str:
        """Make a refusal a 401 and not a 403."""
        return "Bearer"


class ProvisionerKeyAuthentication(authentication.BaseAuthentication):
    """Sign a remote daemon in by its organization's key; `request.auth` is the key."""

    def authenticate(self, request: Request) -> tuple[Any, ProvisionerKey]:
        """Return nobody and the key. A daemon is no person: `request.user` stays empty."""
        secret = request.headers.get(KEY_HEADER) or bearer_of(request) or ""
        try:
            key = workspace_selectors.find_key(secret)
        except UnknownProvisionerKey as error:
            raise exceptions.AuthenticationFailed(str(error)) from error
        return None, key

    def authenticate_header(self, request: Request) -> str:
        """Make a refusal a 401 and not a 403."""
        return "Bearer"
