"""Which kind of caller an endpoint is for; what they may do is accounts.policy's matter."""

from typing import TYPE_CHECKING

from rest_framework import permissions
from rest_framework.request import Request

from accounts.enums import TokenScope
from accounts.models import Token
from workspaces.models import Agent

if TYPE_CHECKING:  # the settings name this module, and the views read the settings
    from rest_framework.views import APIView


class IsAgent(permissions.BasePermission):
    """Let agents in, and nobody else."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether an agent is calling."""
        return isinstance(request.auth, Agent)


class TokenScopeAllows(permissions.BasePermission):
    """Keep a token to its scope: `read` reads; changing something takes `use` or `manage`."""

    message = "This token may only read. Make one with the scope use or manage."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether the token, if there is one, covers the method."""
        if not isinstance(request.auth, Token) or request.method in permissions.SAFE_METHODS:
            return True
        return request.auth.scope != TokenScope.READ
