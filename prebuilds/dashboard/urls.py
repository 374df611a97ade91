"""The addresses of the pages."""

from django.urls import path

from prebuilds.dashboard.create_workspace import views as create_workspace
from prebuilds.dashboard.live import views as live
from prebuilds.dashboard.pools import views as pools
from prebuilds.dashboard.sign_in import views as sign_in
from prebuilds.dashboard.workspaces import views as workspaces

app_name = "dashboard"

urlpatterns = [
    path("", pools.page, name="pools"),
    path("pools/table", pools.table, name="pools_table"),
    path("live/pools", live.pools_stream, name="live_pools"),
    path("workspaces/", workspaces.index, name="workspaces"),
    path("workspaces/table", workspaces.table, name="workspaces_table"),
    path("workspaces/new/", create_workspace.page, name="create_workspace"),
    path("workspaces/<uuid:workspace_id>/", workspaces.page, name="workspace"),
    path("workspaces/<uuid:workspace_id>/state", workspaces.state, name="workspace_state"),
    path(
        "workspaces/<uuid:workspace_id>/<str:transition>",
        workspaces.change,
        name="workspace_change",
    ),
    path("sign-in/", sign_in.SignIn.as_view(), name="sign_in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign_out"),
]
