"""What the pages of workspaces and of their queue share."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.text import Truncator

from accounts.admin.base import ReadOnlyAdmin
from accounts.policy import Resource
from workspaces.enums import JobStatus
from workspaces.models import ProvisionerJob

LINE_WIDTH = 120


def status_word(job: ProvisionerJob) -> str:
    """Return a job's status as people say it."""
    return str(JobStatus(job.status).label)


class StatusFilter(admin.SimpleListFilter):
    """Rows whose job is in one status; `path` leads there."""

    title = "status"
    parameter_name = "status"
    path: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the statuses."""
        return list(JobStatus.choices)

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """Keep the rows in it."""
        return queryset.filter(**{self.path: self.value()}) if self.value() else queryset


class JobStatusFilter(StatusFilter):
    """For jobs."""

    path = "status"


class BuildStatusFilter(StatusFilter):
    """For builds: the status of the job."""

    path = "job__status"


class WorkspaceStatusFilter(StatusFilter):
    """For workspaces: the status of the latest build."""

    path = "latest_build__job__status"


class OfWorkspaces(ReadOnlyAdmin[Any]):
    """Rows that live where their workspace lives."""

    resource = Resource.WORKSPACE


class LogAdmin(OfWorkspaces):
    """Lines of logs, the newest first."""

    ordering = ("-id",)
    list_per_page = 200

    @admin.display(description="output")
    def line(self, row: Any) -> str:
        """Return the line, cut to the width of a list."""
        return Truncator(row.output).chars(LINE_WIDTH)
