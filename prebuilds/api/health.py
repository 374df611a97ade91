"""GET /healthz: does the whole product work? A living process proves nothing (docs/operations.md).

200 while the database answers and a cycle completed within three intervals; else 503 with what
is wrong. It needs no sign-in, so it tells nothing but that.
"""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from prebuilds import selectors
from prebuilds.api.base.views import described_by

INTERVALS: Final = 3
STATUSES: Final = ["ok", "failing"]


class HealthzSerializer(serializers.Serializer[Any]):
    """What is well and what is not."""

    status = serializers.ChoiceField(choices=STATUSES)
    database = serializers.ChoiceField(choices=["ok", "unreachable"])
    last_cycle = serializers.ChoiceField(choices=["ok", "stale", "none yet", "unknown"])
    last_cycle_age_seconds = serializers.FloatField(allow_null=True)


class HealthView(APIView):
    """What `healthz` answers, for the document; that function needs no toolkit to do it."""

    authentication_classes = ()
    permission_classes = ()
    error_statuses: ClassVar = None

    @extend_schema(responses={200: HealthzSerializer, 503: HealthzSerializer})
    def get(self, request: Request) -> Response:
        """Tell whether this process, its database and the reconciler are well: 200, else 503."""
        raise NotImplementedError


@described_by(HealthView)
@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer whether this process, its database and the reconciler are well."""
    try:
        completed_at = selectors.last_cycle_at()
    except Error:
        return _answer(database="unreachable", cycle="unknown", age=None)
    if completed_at is None:
        return _answer(database="ok", cycle="none yet", age=None)
    age = timezone.now() - completed_at
    limit = INTERVALS * max(settings.PREBUILDS_RECONCILIATION_INTERVAL, timedelta(minutes=1))
    return _answer(database="ok", cycle="ok" if age <= limit else "stale", age=age)


def _answer(*, database: str, cycle: str, age: timedelta | None) -> JsonResponse:
    well = database == cycle == "ok"
    return JsonResponse(
        {
            "status": "ok" if well else "failing",
            "database": database,
            "last_cycle": cycle,
            "last_cycle_age_seconds": round(age.total_seconds(), 1) if age is not None else None,
        },
        status=200 if well else 503,
    )
