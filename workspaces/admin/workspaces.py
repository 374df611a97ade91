"""Workspaces and their builds; the app starts, stops and deletes them."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.admin.base import ReadableRelatedFilter, ReadOnlyInline, join_links, rows_link
from accounts.system import PREBUILDS_USER_ID
from workspaces.admin.base import (
    BuildStatusFilter,
    OfWorkspaces,
    WorkspaceStatusFilter,
    status_word,
)
from workspaces.models import (
    BuildParameter,
    JobLog,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)


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


@admin.register(Workspace)
class WorkspaceAdmin(OfWorkspaces):
    """Workspaces and prebuilds; the app starts, stops and deletes them."""

    organization_path = "organization_id"
    extra_fields = ("status", "lists")
    hidden_fields = ("pool_preset",)  # for the database; the latest build names the preset
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
class WorkspaceBuildAdmin(OfWorkspaces):
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


@admin.register(BuildParameter)
class BuildParameterAdmin(OfWorkspaces):
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
