"""The audit log: who changed what, newest first."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.enums import AuditSource
from accounts.models import AuditEntry
from accounts.policy import Action, Resource
from prebuilds.api.base.pages import answer_page, list_of
from prebuilds.api.base.search import Filters, one_of, read_search
from prebuilds.api.base.serializers import PageQuery
from prebuilds.api.base.views import ApiView
from prebuilds.api.people import ReducedUserSerializer


class AuditQuery(PageQuery):
    """Which entries."""

    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=1000,
        help_text="`username:ana action:update resource_type:group date_from:2026-03-04`, "
        "or a part of what was changed.",
    )


class AuditDifferenceSerializer(serializers.Serializer[Any]):
    """One field, before and after."""

    old = serializers.JSONField(help_text="Any JSON, null included.")
    new = serializers.JSONField(help_text="Any JSON, null included.")
    secret = serializers.BooleanField(help_text="Always false: secrets are never written down.")


class AuditLogSerializer(serializers.Serializer[Any]):
    """One entry, with Coder's field names."""

    id = serializers.IntegerField()
    time = serializers.DateTimeField(source="at")
    ip = serializers.CharField(source="address", allow_null=True)
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field of that name
        choices=AuditSource.choices, help_text="Through which door it came."
    )
    action = serializers.CharField()
    resource_type = serializers.CharField(source="object_type")
    resource_id = serializers.CharField(source="object_id")
    resource_target = serializers.CharField(source="object_label")
    description = serializers.SerializerMethodField()
    diff = serializers.SerializerMethodField()
    user = ReducedUserSerializer(
        source="actor", allow_null=True, help_text="null: a command or the system itself."
    )

    def get_description(self, entry: AuditEntry) -> str:
        """Return the entry as a sentence."""
        who = entry.actor.username if entry.actor else entry.get_source_display()
        deed = entry.action.replace("_", " ")
        return f"{who}: {deed} {entry.object_type} {entry.object_label}"

    @extend_schema_field(serializers.DictField(child=AuditDifferenceSerializer()))
    def get_diff(self, entry: AuditEntry) -> dict[str, Any]:
        """Return the fields that changed."""
        return {
            name: {"old": entry.before.get(name), "new": entry.after.get(name), "secret": False}
            for name in {**entry.before, **entry.after}
        }


class AuditView(ApiView):
    """GET /audit"""

    @extend_schema(parameters=[AuditQuery], responses=list_of("audit_logs", AuditLogSerializer))
    def get(self, request: Request) -> Response:
        """Return the entries that match, newest first."""
        self.require(Action.READ, Resource.AUDIT_LOG)
        asked = self.query(AuditQuery)
        rows = AuditEntry.objects.select_related("actor").filter(read_search(asked["q"], FILTERS))
        return answer_page(
            request,
            rows.order_by("-at", "-id"),
            asked,
            lambda one: AuditLogSerializer(one).data,
            wrap="audit_logs",
        )


def _source(value: str) -> Q:
    return Q(source=one_of(value, AuditSource.values))


def _from(value: str) -> Q:
    return Q(at__gte=_midnight(value))


def _to(value: str) -> Q:
    """Return up to the end of the day."""
    return Q(at__lt=_midnight(value) + timedelta(days=1))


def _midnight(value: str) -> datetime:
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f'"{value[:64]}" is no day such as 2026-03-04.') from error
    if not 1900 <= day.year <= 9000:
        raise ValueError(f'"{value}" is too far away.')
    return datetime.combine(day, time.min, UTC)


FILTERS: Filters = {
    "": lambda value: Q(object_label__icontains=value),
    "username": lambda value: Q(actor__username__iexact=value),
    "action": lambda value: Q(action=value.lower()),
    "resource_type": lambda value: Q(object_type=value.lower()),
    "resource_id": lambda value: Q(object_id=value.lower()),
    "resource_target": lambda value: Q(object_label__iexact=value),
    "source": _source,
    "date_from": _from,
    "date_to": _to,
}

urlpatterns = [path("audit", AuditView.as_view())]
