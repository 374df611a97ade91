"""The audit log: rows that are only ever added, to look at."""

from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.models import AuditEntry
from accounts.policy import Resource


class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    """Who changed what, when and through which door."""

    resource = Resource.AUDIT_LOG
    list_display = ("at", "who", "source", "action", "object_type", "object_label")
    list_select_related = ("actor",)
    list_filter = ("source", "object_type", "action")
    search_fields = ("object_label", "actor__username", "=object_id")
    date_hierarchy = "at"
    ordering = ("-at", "-id")

    @admin.display(description="actor", ordering="actor__username")
    def who(self, entry: AuditEntry) -> str:
        """Return the person, or the door when nobody was signed in."""
        return str(entry.actor or entry.get_source_display())
