"""django-q's own rows, read-only in the place of its pages.

One bad schedule would stop every schedule.
"""

from typing import Any, ClassVar, Final

from django.apps import apps
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyAdmin
from accounts.policy import Resource


class _QueueAdmin(ReadOnlyAdmin[Any]):
    """A page of django-q's rows, in the place of its own."""

    resource = Resource.RECONCILE_RUN


class QueueScheduleAdmin(_QueueAdmin):
    """Schedules; `manage.py setup_schedules` writes them."""

    list_display = ("name", "func", "schedule_type", "minutes", "repeats", "next_run")
    search_fields = ("name", "func")


class QueueSuccessAdmin(_QueueAdmin):
    """Tasks that ended well."""

    success: ClassVar[bool] = True
    list_display = ("name", "func", "started", "stopped", "attempt_count")
    search_fields = ("name", "func")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Keep one kind: both are proxies of one table."""
        return super().get_queryset(request).filter(success=self.success)


class QueueFailureAdmin(QueueSuccessAdmin):
    """Tasks that failed."""

    success = False


class QueueWaitingAdmin(_QueueAdmin):
    """Tasks that wait. Their payload is signed and pickled, and of no use to a reader."""

    hidden_fields = ("payload",)
    list_display = ("id", "key", "lock")


QUEUE_PAGES: Final = {
    "Schedule": QueueScheduleAdmin,
    "Success": QueueSuccessAdmin,
    "Failure": QueueFailureAdmin,
    "OrmQ": QueueWaitingAdmin,
}


def register_pages() -> None:
    """Take the place of the library's pages."""
    for name, page in QUEUE_PAGES.items():
        model = apps.get_model("django_q", name)
        admin.site.unregister(model)
        admin.site.register(model, page)
