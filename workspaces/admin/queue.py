"""The queue: jobs, what they wrote, the daemons that do them and the keys daemons hold."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.admin.base import ReadableRelatedFilter, ReadOnlyAdmin, rows_link
from accounts.policy import Resource
from workspaces.admin.base import JobStatusFilter, LogAdmin, OfWorkspaces, status_word
from workspaces.models import JobLog, ProvisionerDaemon, ProvisionerJob, ProvisionerKey


@admin.register(ProvisionerJob)
class ProvisionerJobAdmin(OfWorkspaces):
    """The queue. Leases are not shown: holding one is being the daemon."""

    organization_path = "organization_id"
    extra_fields = ("log",)
    list_display = (
        "workspace",
        "status_label",
        "priority",
        "initiator",
        "daemon",
        "created_at",
        "started_at",
        "completed_at",
        "error_code",
    )
    list_select_related = ("workspace", "initiator", "daemon")
    list_filter = (
        JobStatusFilter,
        "priority",
        "error_code",
        ("organization", ReadableRelatedFilter),
    )
    search_fields = ("workspace__name", "initiator__username", "=id")
    ordering = ("-created_at", "id")

    @admin.display(description="status", ordering="status")
    def status_label(self, job: ProvisionerJob) -> str:
        """Return its status as people say it."""
        return status_word(job)

    @admin.display(description="log")
    def log(self, job: ProvisionerJob) -> SafeString:
        """Link to what it wrote."""
        return rows_link(JobLog, "Job log", job__id__exact=job.pk)


@admin.register(JobLog)
class JobLogAdmin(LogAdmin):
    """What builds wrote."""

    organization_path = "job__organization_id"
    list_display = ("at", "workspace", "stage", "level", "line")
    list_select_related = ("job__workspace",)
    list_filter = ("level", ("job__organization", ReadableRelatedFilter))
    search_fields = ("job__workspace__name", "=job__id")

    @admin.display()
    def workspace(self, row: JobLog) -> str:
        """Return whose build it was."""
        return str(row.job.workspace)


class _Provisioners(ReadOnlyAdmin[Any]):
    """Daemons and what they authenticate with."""

    resource = Resource.PROVISIONER
    organization_path = "organization_id"


@admin.register(ProvisionerKey)
class ProvisionerKeyAdmin(_Provisioners):
    """Keys, without what would let one use them."""

    list_display = ("name", "organization", "created_at", "revoked_at")
    list_select_related = ("organization",)
    list_filter = (
        ("organization", ReadableRelatedFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("name", "organization__name")


@admin.register(ProvisionerDaemon)
class ProvisionerDaemonAdmin(_Provisioners):
    """Daemons, running or gone."""

    list_display = (
        "name",
        "hostname",
        "organization",
        "version",
        "concurrency",
        "started_at",
        "last_seen_at",
        "stopped_at",
    )
    list_select_related = ("organization",)
    list_filter = (
        ("stopped_at", admin.EmptyFieldListFilter),
        ("organization", ReadableRelatedFilter),
    )
    search_fields = ("name", "hostname", "=machine")
    ordering = ("-last_seen_at", "name")
