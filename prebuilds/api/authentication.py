"""Who is calling: a person by session or token, or an agent by its own token."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts import selectors
from accounts.errors import InvalidToken
from accounts.models import Token, User
from workspaces.errors import UnknownAgentToken
from workspaces.models import Agent
from workspaces.services import agents

TOKEN_HEADER = "Coder-Session-Token"  # noqa: S105  the header's name


def bearer_of(request: Request | HttpRequest) -> str | None:
    """Return the token a request carries: `Authorization: Bearer …` or Coder's own header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get(TOKEN_HEADER)


class TokenAuthentication(authentication.BaseAuthentication):
    """Sign a person in by an API token."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return user and token; None when the request carries no token."""
        secret = bearer_of(request)
        if secret is None:
            return None
        try:
            token = selectors.find_token(secret, now=timezone.now())
        except InvalidToken as error:
            raise exceptions.AuthenticationFailed(str(error)) from error
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
