"""The addresses under /api/v2; each resource lists its own. Paths are Coder's where it has them."""

from typing import Any, Final

from django.urls import include, path

RESOURCES: Final = (
    "workspaces",
    "create_workspace",
    "workspace_builds",
    "build_logs",
    "workspace_lifecycle",
    "workspace_agents",
    "jobs",
    "cancel_pending",
    "provisioner_daemons",
    "provisioner_keys",
    "prebuilds_settings",
    "prebuilds_state",
    "runs",
    "notices",
    "claims",
    "agents",
    "provisioner",
    "provisioner_jobs",
    "templates",
    "template_versions",
    "presets",
    "sign_in",
    "users",
    "tokens",
    "organizations",
    "members",
    "groups",
    "audit",
    "documents",  # last: it answers whatever nobody else does
)

urlpatterns: list[Any] = [path("", include(f"prebuilds.api.{resource}")) for resource in RESOURCES]
