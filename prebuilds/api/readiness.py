"""GET /readyz: may this web process be sent traffic? Not: does the product work (health.py).

A load balancer asks and keeps people away meanwhile; nobody restarts a process for it. What a
restart would not mend, such as a reconciler that stands still, is none of its business.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from prebuilds import schema_state
from prebuilds.api.base.views import described_by
from prebuilds.api.health import STATUSES

BELIEVED_SECONDS: Final = 60.0
"""How long it counts that all migrations were applied; one that is missing is looked for anew."""

_leaving = threading.Event()


class Migrated:
    """Whether all migrations are applied; a yes is believed for a while, a no never."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._believed_until = float("-inf")

    @property
    def is_believed(self) -> bool:
        """Whether the last look was a yes, and not long ago."""
        return self._clock() < self._believed_until

    def look(self) -> bool:
        """Ask the database."""
        if schema_state.pending_migrations():
            return False
        self._believed_until = self._clock() + BELIEVED_SECONDS
        return True


_migrated = Migrated()


def refuse_traffic() -> None:
    """Answer 503 from now on: this process is about to end."""
    _leaving.set()


class ReadyzSerializer(serializers.Serializer[Any]):
    """What keeps this process from being sent traffic."""

    status = serializers.ChoiceField(choices=STATUSES)
    process = serializers.ChoiceField(choices=["ok", "stopping"])
    database = serializers.ChoiceField(choices=["ok", "unreachable"])
    migrations = serializers.ChoiceField(choices=["ok", "missing", "unknown"])


class ReadinessView(APIView):
    """What `readyz` answers, for the document; that function needs no toolkit to do it."""

    authentication_classes = ()
    permission_classes = ()
    error_statuses: ClassVar = None

    @extend_schema(responses={200: ReadyzSerializer, 503: ReadyzSerializer})
    def get(self, request: Request) -> Response:
        """Tell whether this process may be sent traffic: 200, else 503."""
        raise NotImplementedError


@described_by(ReadinessView)
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer whether this process may be sent traffic."""
    database, migrations = _look()
    words = {
        "process": "stopping" if _leaving.is_set() else "ok",
        "database": database,
        "migrations": migrations,
    }
    ready = set(words.values()) == {"ok"}
    body = {"status": "ok" if ready else "failing", **words}
    return JsonResponse(body, status=200 if ready else 503)


def _look() -> tuple[str, str]:
    """Return how the database is, and whether it is the one this code needs; two statements."""
    try:
        if _migrated.is_believed:
            return ("ok", "ok") if _answers() else ("unreachable", "unknown")
        return "ok", "ok" if _migrated.look() else "missing"
    except Error:
        return "unreachable", "unknown"


def _answers() -> bool:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    return connection.is_usable()
