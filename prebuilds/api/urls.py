"""The addresses under /api/v2; the paths are Coder's where it has the endpoint."""

from django.urls import path

from prebuilds.api import agents, workspaces

urlpatterns = [
    path("workspaces", workspaces.WorkspaceListView.as_view()),
    path("workspaces/<uuid:workspace>", workspaces.WorkspaceView.as_view()),
    path("workspaces/<uuid:workspace>/builds", workspaces.WorkspaceBuildsView.as_view()),
    path(
        "organizations/<uuid:organization>/members/<str:user>/workspaces",
        workspaces.CreateWorkspaceView.as_view(),
    ),
    path("workspaceagents/me", agents.ManifestView.as_view()),
    path("workspaceagents/me/lifecycle", agents.LifecycleView.as_view()),
    path("workspaceagents/me/logs", agents.LogsView.as_view()),
    path("workspaceagents/me/heartbeat", agents.HeartbeatView.as_view()),
    path("workspaceagents/me/reinit", agents.reinit_stream),
]
