"""The admin pages of workspaces and their queue: everything to look at, nothing to change.

Builds, jobs and agents are a state machine that services and daemons drive; a row edited here
would be a state nobody made.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from accounts.admin.base import (
    ReadableRelatedFilter,
    ReadOnlyAdmin,
    ReadOnlyInline,
    join_links,
    rows_link,
)
from accounts.policy import Resource
from accounts.system import PREBUILDS_USER_ID
from workspaces.enums import JobStatus
from workspaces.models import (
    Agent,
    AgentLog,
    BuildParameter,
    JobLog,
    ProvisionerDaemon,
    ProvisionerJob,
    ProvisionerKey,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)

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


class PrebuildFilter(admin.SimpleListFilter):
    """Prebuilds, or people's workspaces."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the two kinds."""
        return [("prebuild", "Prebuild"), ("claimed", "Of a person")]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Workspace]
    ) -> models.QuerySet[Workspace]:
        """Keep one kind."""
        match self.value():
            case "prebuild":
                return queryset.filter(owner_id=PREBUILDS_USER_ID)
            case "claimed":
                return queryset.exclude(owner_id=PREBUILDS_USER_ID)
        return queryset


class _OfWorkspaces(ReadOnlyAdmin[Any]):
    """Rows that live where their workspace lives."""

    resource = Resource.WORKSPACE


@admin.register(Workspace)
class WorkspaceAdmin(_OfWorkspaces):
    """Workspaces and prebuilds; the app starts, stops and deletes them."""

    organization_path = "organization_id"
    extra_fields = ("status", "lists")
    list_display = (
        "name",
        "owner",
        "template",
        "organization",
        "transition",
        "status",
        "version",
        "created_at",
        "deleted_at",
    )
    list_select_related = (
        "owner",
        "template",
        "organization",
        "latest_build__job",
        "latest_build__template_version",
    )
    list_filter = (
        PrebuildFilter,
        WorkspaceStatusFilter,
        ("deleted_at", admin.EmptyFieldListFilter),
        ("organization", ReadableRelatedFilter),
        ("template", ReadableRelatedFilter),
    )
    search_fields = ("name", "owner__username", "=id")

    @admin.display(description="latest build")
    def transition(self, workspace: Workspace) -> str:
        """Return what the latest build does."""
        build = workspace.latest_build
        return build.get_transition_display() if build else "-"

    @admin.display()
    def status(self, workspace: Workspace) -> str:
        """Return how the latest build stands."""
        build = workspace.latest_build
        return status_word(build.job) if build else "-"

    @admin.display()
    def version(self, workspace: Workspace) -> str:
        """Return the template version it runs."""
        build = workspace.latest_build
        return str(build.template_version) if build else "-"

    @admin.display(description="more")
    def lists(self, workspace: Workspace) -> SafeString:
        """Link to its history."""
        here = {"workspace__id__exact": workspace.pk}
        return join_links(
            rows_link(WorkspaceBuild, "Builds", **here), rows_link(ProvisionerJob, "Jobs", **here)
        )


class BuildParameterInline(ReadOnlyInline):
    """The values a build was made with."""

    model = BuildParameter
    fields = ("name", "value")


class ResourceInline(ReadOnlyInline):
    """What a build made."""

    model = WorkspaceResource
    fields = ("type", "name", "created_at")
    show_change_link = True


@admin.register(WorkspaceBuild)
class WorkspaceBuildAdmin(_OfWorkspaces):
    """Builds; their status is their job's."""

    organization_path = "workspace__organization_id"
    extra_fields = ("status", "log")
    inlines = (BuildParameterInline, ResourceInline)
    list_display = (
        "workspace",
        "build_number",
        "transition",
        "status",
        "stage",
        "reason",
        "initiator",
        "preset",
        "template_version",
        "created_at",
    )
    list_display_links = ("workspace", "build_number")
    list_select_related = ("workspace", "job", "initiator", "preset", "template_version")
    list_filter = (
        BuildStatusFilter,
        "transition",
        "stage",
        "reason",
        ("workspace__organization", ReadableRelatedFilter),
        ("workspace__template", ReadableRelatedFilter),
    )
    search_fields = ("workspace__name", "initiator__username", "=id")
    ordering = ("-created_at", "-build_number")

    @admin.display()
    def status(self, build: WorkspaceBuild) -> str:
        """Return how its job stands."""
        return status_word(build.job)

    @admin.display(description="log")
    def log(self, build: WorkspaceBuild) -> SafeString:
        """Link to what its job wrote."""
        return rows_link(JobLog, "Job log", job__id__exact=build.job_id)


@admin.register(ProvisionerJob)
class ProvisionerJobAdmin(_OfWorkspaces):
    """The queue. Leases are not shown: holding one is being the daemon."""

    organization_path = "organization_id"
    extra_fields = ("log",)
    list_display = (
        "id",
        "status_label",
        "workspace",
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


class _LogAdmin(_OfWorkspaces):
    """Lines of logs, the newest first."""

    ordering = ("-id",)
    list_per_page = 200

    @admin.display(description="output")
    def line(self, row: Any) -> str:
        """Return the line, cut to the width of a list."""
        return Truncator(row.output).chars(LINE_WIDTH)


@admin.register(JobLog)
class JobLogAdmin(_LogAdmin):
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


@admin.register(WorkspaceResource)
class WorkspaceResourceAdmin(_OfWorkspaces):
    """What builds made."""

    organization_path = "build__workspace__organization_id"
    list_display = ("name", "type", "workspace", "build", "created_at")
    list_select_related = ("build__workspace",)
    list_filter = ("type", ("build__workspace__organization", ReadableRelatedFilter))
    search_fields = ("name", "build__workspace__name")
    ordering = ("-created_at", "id")

    @admin.display()
    def workspace(self, resource: WorkspaceResource) -> str:
        """Return what it belongs to."""
        return str(resource.build.workspace)


@admin.register(Agent)
class AgentAdmin(_OfWorkspaces):
    """Agents as they last reported themselves; never their tokens, nor digests of them."""

    organization_path = "resource__build__workspace__organization_id"
    extra_fields = ("log",)
    list_display = (
        "name",
        "workspace",
        "lifecycle_state",
        "ready_at",
        "last_connected_at",
        "disconnected_at",
        "created_at",
    )
    list_select_related = ("resource__build__workspace",)
    list_filter = (
        "lifecycle_state",
        ("resource__build__workspace__organization", ReadableRelatedFilter),
    )
    search_fields = ("resource__build__workspace__name", "=id")
    ordering = ("-created_at", "id")

    @admin.display()
    def workspace(self, agent: Agent) -> str:
        """Return where it lives."""
        return str(agent.resource.build.workspace)

    @admin.display(description="log")
    def log(self, agent: Agent) -> SafeString:
        """Link to what its start-up wrote."""
        return rows_link(AgentLog, "Agent log", agent__id__exact=agent.pk)


@admin.register(AgentLog)
class AgentLogAdmin(_LogAdmin):
    """What start-ups wrote."""

    organization_path = "agent__resource__build__workspace__organization_id"
    list_display = ("at", "workspace", "stage", "level", "line")
    list_select_related = ("agent__resource__build__workspace",)
    list_filter = (
        "level",
        ("agent__resource__build__workspace__organization", ReadableRelatedFilter),
    )
    search_fields = ("agent__resource__build__workspace__name", "=agent__id")

    @admin.display()
    def workspace(self, row: AgentLog) -> str:
        """Return where the agent lives."""
        return str(row.agent.resource.build.workspace)


@admin.register(BuildParameter)
class BuildParameterAdmin(_OfWorkspaces):
    """The values builds were made with."""

    organization_path = "build__workspace__organization_id"
    list_display = ("name", "value", "workspace", "build")
    list_select_related = ("build__workspace",)
    list_filter = (("build__workspace__organization", ReadableRelatedFilter),)
    search_fields = ("name", "build__workspace__name")
    ordering = ("-build__created_at", "name")

    @admin.display()
    def workspace(self, parameter: BuildParameter) -> str:
        """Return whose build it was."""
        return str(parameter.build.workspace)


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
    search_fields = ("name", "hostname")
    ordering = ("-last_seen_at", "name")
