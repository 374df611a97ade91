"""Which kind of caller an endpoint is for; what they may do is accounts.policy's matter."""

from typing import TYPE_CHECKING

from rest_framework import permissions
from rest_framework.request import Request

from accounts.enums import TokenScope
from accounts.models import Token
from workspaces.models import Agent, ProvisionerKey

if TYPE_CHECKING:  # the settings name this module, and the views read the settings
    from rest_framework.views import APIView


class IsAgent(permissions.BasePermission):
    """Let agents in, and nobody else."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether an agent is calling."""
        return isinstance(request.auth, Agent)


class IsProvisioner(permissions.BasePermission):
    """Let daemons with a provisioner key in, and nobody else."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether a daemon is calling."""
        return isinstance(request.auth, ProvisionerKey)


class TokenScopeAllows(permissions.BasePermission):
    """Keep a token to its scope: reading takes `read`, changing what the view names."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether the token, if there is one, covers the method."""
        if not isinstance(request.auth, Token):
            return True
        needed = TokenScope.READ
        if request.method not in permissions.SAFE_METHODS:
            needed = getattr(view, "write_scope", TokenScope.MANAGE)
        held = TokenScope(request.auth.scope)
        self.message = f"This needs a token of the scope {needed}; this one has {held}."
        return held.includes(needed)
