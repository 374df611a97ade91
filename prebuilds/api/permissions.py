"""Which kind of caller an endpoint is for; what they may do is accounts.policy's matter."""

from rest_framework import permissions
from rest_framework.request import Request
from rest_framework.views import APIView

from workspaces.models import Agent


class IsAgent(permissions.BasePermission):
    """Let agents in, and nobody else."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether an agent is calling."""
        return isinstance(request.auth, Agent)
