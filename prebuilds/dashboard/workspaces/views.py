"""The list of workspaces, and one workspace: what it is, how it came to be, what it says."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import policy
from accounts.models import User
from prebuilds import services
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.export import asked_format, export
from prebuilds.dashboard.base.listing import list_page, sort_page
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.workspaces import queries
from prebuilds.dashboard.workspaces.presentation import agent_views, build_views, say_times
from prebuilds.dashboard.workspaces.rows import COLUMNS, EXPORT, rows_of, stream_rows
from prebuilds.dashboard.workspaces.status import status_of
from prebuilds.dashboard.workspaces.story import tell_story
from workspaces.enums import Transition
from workspaces.errors import WorkspacesError
from workspaces.models import Workspace
from workspaces.search import Search, read_search, search_words

MINE: Final = "owner:me"
CHIPS: Final = (
    (MINE, "Mine"),
    ("-owner:prebuilds", "People's"),
    ("owner:prebuilds", "Prebuilds"),
    ("status:failed", "Failed"),
    ("outdated:true", "Outdated"),
    ("", "All"),
)
DONE: Final = {
    Transition.START: "{name} is starting.",
    Transition.STOP: "{name} is stopping.",
    Transition.DELETE: "{name} is being deleted.",
}


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List workspaces: one's own, or what the search asks for among those one may read."""
    _keep_empty_search(request)
    if asked_format(request):
        order, _ = sort_page(request, COLUMNS, default="-created")
        found = _found(request, _search(request)).order_by(*order)
        return export(request, "workspaces", EXPORT, stream_rows(found.iterator(chunk_size=500)))
    context = {**_list(request), "chips": CHIPS}
    return render_page(request, "workspaces/list.html", context, section="workspaces")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    _keep_empty_search(request)
    return render_fragment(request, "workspaces/list.html#live", _list(request))


@signed_in
@require_safe
def words(request: HttpRequest) -> HttpResponse:
    """Return the words that complete a search, for the script of the search box."""
    response = JsonResponse(search_words(current_user(request)))
    response["Cache-Control"] = "no-store"
    return response


@signed_in
@require_safe
def page(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Show one workspace."""
    workspace = find_readable(current_user(request), workspace_id)
    context = {**_details(request, workspace), **_logs(workspace)}
    return render_page(request, "workspaces/page.html", context, section="workspaces")


@signed_in
@require_safe
def state(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Show how it is again."""
    workspace = find_readable(current_user(request), workspace_id)
    context = _details(request, workspace)
    return render_fragment(request, "workspaces/page.html#live", context)


@signed_in
@require_safe
def logs(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Show what it writes again."""
    workspace = find_readable(current_user(request), workspace_id)
    return render_fragment(request, "workspaces/page.html#logs", _logs(workspace))


@signed_in
@require_POST
def change(request: HttpRequest, workspace_id: UUID, transition: str) -> HttpResponse:
    """Ask for a start, stop or delete of a workspace."""
    user = current_user(request)
    workspace = find_readable(user, workspace_id)
    if transition not in Transition.values:
        raise Http404("no such change")
    wanted = Transition(transition)
    if not may_change(user, workspace, wanted):
        raise PermissionDenied
    try:
        services.request_build(
            workspace=workspace, transition=wanted, actor=actor_of(request), now=timezone.now()
        )
    except WorkspacesError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, DONE[wanted].format(name=workspace.name))
    return redirect("dashboard:workspace", workspace_id=workspace_id)


def find_readable(user: User, workspace_id: UUID) -> Workspace:
    """Return a workspace the person may read, a deleted one too; 404 for any other."""
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


def may_change(user: User, workspace: Workspace, transition: Transition) -> bool:
    """Return whether the person may ask for this build of this workspace."""
    organization, owner = workspace.organization_id, workspace.owner_id
    if transition == Transition.DELETE:
        return policy.can_delete_workspace(user, organization_id=organization, owner_id=owner)
    return policy.can(user, "update", "workspace", organization_id=organization, owner_id=owner)


def _keep_empty_search(request: HttpRequest) -> None:
    """Let a search for everything stay in the page's links, which leave out what is empty."""
    if request.GET.get("q") == "":
        changed = request.GET.copy()
        changed["q"] = " "
        request.GET = changed  # type: ignore[assignment]


def _search(request: HttpRequest) -> Search:
    return read_search(request.GET.get("q", MINE).strip(), current_user(request))


def _found(request: HttpRequest, search: Search) -> QuerySet[Workspace]:
    return queries.list_workspaces(current_user(request), search)


def _list(request: HttpRequest) -> dict[str, Any]:
    search = _search(request)
    order, headings = sort_page(request, COLUMNS, default="-created")
    listing = list_page(request, _found(request, search).order_by(*order))
    return {
        "search": search,
        "listing": listing,
        "headings": headings,
        "rows": rows_of(listing.rows),
        "as_of": timezone.now(),
    }


def _details(request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
    user, now = current_user(request), timezone.now()
    details = queries.load_details(workspace)
    build = details.build
    states = [agent.lifecycle_state for agent in details.agents]
    return {
        "workspace": workspace,
        "details": details,
        "status": status_of(build.transition, build.job.status, states),
        "story": tell_story(details),
        "agents": agent_views(details.agents, now=now),
        "builds": build_views(details.builds, now=now),
        "times": say_times(workspace, build, now=now),
        "is_outdated": workspace.template.active_version_id != build.template_version_id,
        "is_building": build.job.completed_at is None,
        "is_deleted": workspace.deleted_at is not None,
        "may_change": may_change(user, workspace, Transition.START),
        "may_delete": may_change(user, workspace, Transition.DELETE),
        "as_of": now,
    }


def _logs(workspace: Workspace) -> dict[str, Any]:
    build = workspace.latest_build
    assert build is not None
    return {
        "workspace": workspace,
        "build": build,
        "logs": queries.load_logs(workspace),
        "is_writing": build.job.completed_at is None,
        "logs_as_of": timezone.now(),
    }
