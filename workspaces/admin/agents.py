"""What builds leave behind: resources, agents and what these wrote."""

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.admin.base import ReadableRelatedFilter, rows_link
from workspaces.admin.base import LogAdmin, OfWorkspaces
from workspaces.models import Agent, AgentLog, WorkspaceResource


@admin.register(WorkspaceResource)
class WorkspaceResourceAdmin(OfWorkspaces):
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
class AgentAdmin(OfWorkspaces):
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
class AgentLogAdmin(LogAdmin):
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
