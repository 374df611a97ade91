"""What the page of notices reads."""

from datetime import datetime
from typing import Any, Final

from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from accounts import policy
from accounts.models import Organization, User
from accounts.policy import Resource
from prebuilds.models import Notice, NoticeKind
from prebuilds.notices.reading import count_cold_starts

STATES: Final = {
    "open": Q(closed_at__isnull=True),
    "past": Q(closed_at__isnull=False),
    "all": Q(),
}


def list_notices(
    viewer: User, *, state: str, kind: str, organization: str, now: datetime
) -> "QuerySet[Any, Any]":
    """Return the notices the viewer may read, with how long each lasts and what it costs."""
    rows = Notice.objects.select_related(
        "organization", "preset__version__template", "claim__workspace"
    ).annotate(
        harm=Coalesce("cold_starts", count_cold_starts(until=now)),
        lasted=ExpressionWrapper(
            Coalesce("closed_at", Value(now)) - F("opened_at"), output_field=DurationField()
        ),
    )
    readable = policy.subject_of(viewer).readable_organizations(Resource.TEMPLATE)
    if readable is not None:
        rows = rows.filter(organization__in=readable)
    if kind in NoticeKind.values:
        rows = rows.filter(kind=kind)
    if organization:
        rows = rows.filter(organization__name=organization)
    return rows.filter(STATES[state])


def organizations_of(viewer: User) -> "QuerySet[Organization]":
    """Return the organizations whose notices the viewer may read, by name."""
    readable = policy.subject_of(viewer).readable_organizations(Resource.TEMPLATE)
    rows = Organization.objects.order_by("name")
    return rows if readable is None else rows.filter(pk__in=readable)
