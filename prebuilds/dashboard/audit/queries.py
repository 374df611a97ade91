"""What the audit log's page reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from django.db.models import Q, QuerySet

from accounts.enums import AuditSource
from accounts.models import AuditEntry

NEWEST: Final = 5_000
"""The filters offer the words of this many newest entries, so that a long log stays quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What one looks for; empty means anything."""

    actor: str = ""
    action: str = ""
    type: str = ""
    source: str = ""
    text: str = ""
    since: date | None = None


def list_entries(filters: Filters) -> QuerySet[AuditEntry]:
    """Return the entries that match, newest first."""
    rows = AuditEntry.objects.select_related("actor").order_by("-at", "-pk")
    if filters.actor:
        rows = rows.filter(_actor(filters.actor))
    if filters.action:
        rows = rows.filter(action=filters.action)
    if filters.type:
        rows = rows.filter(object_type=filters.type)
    if filters.source in AuditSource.values:
        rows = rows.filter(source=filters.source)
    if filters.text:
        rows = rows.filter(Q(object_label__icontains=filters.text) | Q(object_id=filters.text))
    if filters.since:
        rows = rows.filter(at__gte=datetime.combine(filters.since, time.min, UTC))
    return rows


def known_words() -> tuple[Sequence[str], Sequence[str]]:
    """Return the actions and the types of objects that recent entries name; one statement."""
    newest = AuditEntry.objects.order_by("-at").values("pk")[:NEWEST]
    rows = AuditEntry.objects.filter(pk__in=newest).order_by()
    pairs = set(rows.values_list("action", "object_type").distinct())
    return sorted({action for action, _ in pairs}), sorted({kind for _, kind in pairs})


def _actor(text: str) -> Q:
    return Q(actor__username__icontains=text) | Q(actor__name__icontains=text)
