"""Start a workspace with other values, or from its template's active version."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.audit import Actor
from prebuilds import services
from prebuilds.dashboard.base.access import actor_of, signed_in
from prebuilds.dashboard.base.plan import Plan, leave, render_plan
from prebuilds.dashboard.create_workspace.presentation import (
    parameter_fields,
    read_values,
)
from prebuilds.dashboard.workspaces.controls import address_of, find_own
from templates_app.errors import TemplatesError
from templates_app.models import ParameterDefinition, TemplateVersion
from templates_app.parameters import InvalidParameters
from workspaces.enums import Transition
from workspaces.errors import BuildInProgress, WorkspaceDormant, WorkspacesError
from workspaces.models import Workspace, WorkspaceBuild

METHODS: Final = ["GET", "HEAD", "POST"]


@signed_in
@require_http_methods(METHODS)
def values(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Start it with other parameter values; a failed start is retried so."""
    workspace, build = _find(request, workspace_id)
    plan = Plan(
        title=f"Start {workspace.name} with other values",
        sentence=f"It is built again from version {build.template_version.name}: its processes "
        "start anew, its files stay. Values that can only be chosen once are not asked for.",
        verb="Start",
    )
    return _ask(request, workspace, build, build.template_version, plan)


@signed_in
@require_http_methods(METHODS)
def update(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Start it from its template's active version."""
    workspace, build = _find(request, workspace_id)
    active = workspace.template.active_version or build.template_version
    is_current = active.pk == build.template_version_id
    plan = Plan(
        title=f"Update {workspace.name} to {active.name}",
        sentence=f"It is built again from version {active.name} instead of "
        f"{build.template_version.name}: its processes start anew, its files stay."
        + (f" New in {active.name}: {active.message}" if active.message else ""),
        verb=f"Update to {active.name}",
        impossible=f"It has the active version, {active.name}, already." if is_current else "",
    )
    return _ask(request, workspace, build, active, plan)


def _find(request: HttpRequest, workspace_id: UUID) -> tuple[Workspace, WorkspaceBuild]:
    workspace = find_own(request, workspace_id)
    build = workspace.latest_build
    assert build is not None
    return workspace, build


def _ask(
    request: HttpRequest,
    workspace: Workspace,
    build: WorkspaceBuild,
    version: TemplateVersion,
    plan: Plan,
) -> HttpResponse:
    """Show the plan with the values it will have; POST asks for the start."""
    had = dict(build.parameters.values_list("name", "value"))
    definitions = [one for one in version.parameter_definitions.all() if _is_open(one, had)]
    given, problems = _carried(definitions, had), dict[str, str]()
    if request.method == "POST":
        given = read_values(definitions, request.POST.dict())
        problems = _start(actor_of(request), workspace, version, given)
        if not problems:
            messages.success(request, f"{workspace.name} is starting from {version.name}.")
            return leave(request, address_of(workspace))
    shown = replace(
        plan,
        form="workspaces/values_form.html",
        impossible=plan.impossible or _obstacle(workspace, build),
    )
    context = {
        "fields": parameter_fields(definitions, fixed={}, given=given, problems=problems),
        "problem": problems.get("", ""),
    }
    return render_plan(
        request,
        shown,
        section="workspaces",
        back=address_of(workspace),
        context=context,
        status=422 if problems else 200,
    )


def _start(
    actor: Actor, workspace: Workspace, version: TemplateVersion, given: Mapping[str, str]
) -> dict[str, str]:
    """Ask for the start; return what is wrong, by parameter; what no input can mend under ""."""
    try:
        services.request_build(
            workspace=workspace,
            transition=Transition.START,
            actor=actor,
            template_version_id=version.pk,
            given=given,
            now=timezone.now(),
        )
    except InvalidParameters as error:
        others = "; ".join(str(one) for one in error.problems if one.field not in given)
        found = {one.field: one.detail for one in error.problems if one.field in given}
        return {**found, **({"": others} if others else {})}
    except (WorkspacesError, TemplatesError) as error:
        return {"": str(error)}
    return {}


def _is_open(definition: ParameterDefinition, had: Mapping[str, str]) -> bool:
    """Return whether the value may be chosen now: it may change, or was never chosen."""
    return definition.mutable or definition.name not in had


def _carried(definitions: Iterable[ParameterDefinition], had: Mapping[str, str]) -> dict[str, str]:
    """Return the values it goes on with; an ephemeral one is for one build only."""
    lasting = {one.name for one in definitions if not one.ephemeral}
    return {name: value for name, value in had.items() if name in lasting}


def _obstacle(workspace: Workspace, build: WorkspaceBuild) -> str:
    """Return why it cannot start now, before anybody fills in the form."""
    if build.job.completed_at is None:
        return str(BuildInProgress())
    return str(WorkspaceDormant()) if workspace.dormant_at is not None else ""
