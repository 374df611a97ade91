"""The list of workspaces, and one workspace: what it is, how it came to be, what it says."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import policy
from accounts.models import User
from prebuilds import services
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.workspaces import queries
from prebuilds.dashboard.workspaces.search import MINE, read_search
from prebuilds.dashboard.workspaces.status import Status, status_of
from prebuilds.dashboard.workspaces.story import tell_story
from workspaces.enums import Transition
from workspaces.errors import WorkspacesError
from workspaces.models import Workspace

PAGE_SIZE = 50
DONE = {
    Transition.START: "{name} is starting.",
    Transition.STOP: "{name} is stopping.",
    Transition.DELETE: "{name} is being deleted.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One workspace of the list."""

    workspace: Workspace
    status: Status


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List workspaces: one's own, or what the search asks for among those one may read."""
    return render_page(request, "workspaces/list.html", _list(request), section="workspaces")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    return render_fragment(request, "workspaces/list.html#live", _list(request))


def _list(request: HttpRequest) -> dict[str, object]:
    user = current_user(request)
    search = read_search(request.GET.get("q", MINE), user)
    found = Paginator(queries.list_workspaces(user, search.condition), PAGE_SIZE)
    shown = found.get_page(request.GET.get("page"))
    workspaces = list(shown.object_list)
    states = queries.agent_states(workspaces)
    return {
        "search": search,
        "search_query": urlencode({"q": search.text}),
        "shown": shown,
        "rows": [_row(workspace, states) for workspace in workspaces],
        "may_read_all": policy.can(user, "read", "workspace"),
        "as_of": timezone.now(),
    }


def _row(workspace: Workspace, states: dict[UUID, list[str]]) -> Row:
    build = workspace.latest_build
    if build is None:
        raise ValueError(f"workspace {workspace.pk} has no build")
    agents = states.get(build.pk, [])
    return Row(workspace=workspace, status=status_of(build.transition, build.job.status, agents))


@signed_in
@require_safe
def page(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Show one workspace."""
    context = _details(request, workspace_id)
    return render_page(request, "workspaces/page.html", context, section="workspaces")


@signed_in
@require_safe
def state(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Show its live part again."""
    return render_fragment(request, "workspaces/page.html#live", _details(request, workspace_id))


@signed_in
@require_POST
def change(request: HttpRequest, workspace_id: UUID, transition: str) -> HttpResponse:
    """Ask for a start, stop or delete of a workspace."""
    user = current_user(request)
    workspace = _readable(user, workspace_id)
    if transition not in Transition.values:
        raise Http404("no such change")
    wanted = Transition(transition)
    if not _may_change(user, workspace, wanted):
        raise PermissionDenied
    try:
        services.request_build(
            workspace=workspace, transition=wanted, actor=user, now=timezone.now()
        )
    except WorkspacesError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, DONE[wanted].format(name=workspace.name))
    return redirect("dashboard:workspace", workspace_id=workspace_id)


def _details(request: HttpRequest, workspace_id: UUID) -> dict[str, object]:
    user = current_user(request)
    workspace = _readable(user, workspace_id)
    details = queries.load_details(workspace)
    agents = [agent.lifecycle_state for agent in details.agents]
    status = status_of(details.build.transition, details.build.job.status, agents)
    return {
        "workspace": workspace,
        "details": details,
        "status": status,
        "story": tell_story(details),
        "is_deleted": workspace.deleted_at is not None,
        "may_change": _may_change(user, workspace, Transition.START),
        "may_delete": _may_change(user, workspace, Transition.DELETE),
        "as_of": timezone.now(),
    }


def _readable(user: User, workspace_id: UUID) -> Workspace:
    workspace = queries.find_workspace(workspace_id)
    if workspace is None or not policy.can(
        user,
        "read",
        "workspace",
        organization_id=workspace.organization_id,
        owner_id=workspace.owner_id,
    ):
        raise Http404("no such workspace, or not for you")
    return workspace


def _may_change(user: User, workspace: Workspace, transition: Transition) -> bool:
    organization, owner = workspace.organization_id, workspace.owner_id
    if transition == Transition.DELETE:
        return policy.can_delete_workspace(user, organization_id=organization, owner_id=owner)
    return policy.can(user, "update", "workspace", organization_id=organization, owner_id=owner)
