"""The OpenAPI document: what every operation shares, so that no resource has to repeat it."""

import re
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import IsAuthenticated

from prebuilds.api.base.serializers import ErrorSerializer, StrictSerializer

READS_A_BODY = ("POST", "PUT", "PATCH")


class HouseSchema(AutoSchema):
    """Adds the errors an operation can answer, and tags it with its resource.

    A view names what is special to it in `error_statuses`, such as 409; the rest follows from
    its method, path and permissions.
    """

    def get_tags(self) -> list[str]:
        """Return the resource's file as the one tag."""
        return [type(self.view).__module__.rpartition(".")[2].replace("_", " ")]

    def get_summary(self) -> str:
        """Return the first sentence of the description."""
        text = " ".join(self.get_description().split())
        return re.split(r"(?<=[.:;]) ", text, maxsplit=1)[0].rstrip(".:;")

    def get_operation_id(self) -> str:
        """Return a name of its own for every method and path."""
        path = self.path.removeprefix("/api/v2")
        parts = [part.strip("{}").replace("-", "_") for part in path.split("/")]
        return "_".join([self.method.lower(), *filter(None, parts)])

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        """Say of strict input that it takes no other fields."""
        schema: dict[str, Any] = super()._map_basic_serializer(  # type: ignore[no-untyped-call]
            serializer, direction
        )
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for code in self._error_statuses():
            bodies.setdefault(str(code), self._error_body(code, direction))
        return dict(sorted(bodies.items()))

    def _error_statuses(self) -> set[int]:
        special = getattr(self.view, "error_statuses", ())
        if special is None:  # it reads nothing and asks nobody
            return set()
        statuses = {400, 406, 429, *special}
        if self.method in READS_A_BODY:
            statuses |= {413, 415}
        if "{" in self.path:
            statuses.add(404)
        if self.view.permission_classes:
            statuses |= {401, 403}
            if IsAuthenticated in self.view.permission_classes:
                statuses.add(404)
        return statuses

    def _error_body(self, code: int, direction: Any) -> dict[str, Any]:
        body: dict[str, Any] = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ErrorSerializer, str(code), direction=direction
        )
        return body | {"description": HTTPStatus(code).phrase}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How people and their scripts sign in."""

    target_class = "prebuilds.api.authentication.TokenAuthentication"
    name = ["token", "coderSessionToken"]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        """Either header will do."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> Any:
        """Describe both headers."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An API token."},
            {"type": "apiKey", "in": "header", "name": "Coder-Session-Token"},
        ]


class AgentScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How agents sign in."""

    target_class = "prebuilds.api.authentication.AgentAuthentication"
    name = "agentToken"

    def get_security_definition(self, auto_schema: Any) -> Any:
        """Describe the header."""
        return {"type": "http", "scheme": "bearer", "description": "An agent's own token."}


class ProvisionerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How remote daemons sign in."""

    target_class = "prebuilds.api.authentication.ProvisionerKeyAuthentication"
    name = ["provisionerKey", "coderProvisionerDaemonKey"]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        """Either header will do."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> Any:
        """Describe both headers."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An organization's key."},
            {"type": "apiKey", "in": "header", "name": "Coder-Provisioner-Daemon-Key"},
        ]
