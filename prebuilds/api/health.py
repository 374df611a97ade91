"""GET /healthz: does the whole product work? A living process proves nothing (docs/operations.md).

200 while the database answers and a cycle completed within three intervals; else 503 with what
is wrong. It needs no sign-in, so it tells nothing but that.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from prebuilds import selectors

INTERVALS: Final = 3


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
