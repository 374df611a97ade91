"""What the owner of a workspace may set: its name and its times (semantics.md 16).

A prebuild has none of these controls: its pool decides about it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.forms import HouseForm, ask, sent
from prebuilds.dashboard.base.plan import Plan
from prebuilds.dashboard.base.wording import say_duration
from prebuilds.dashboard.workspaces.autostart_words import read_plain, say_schedule
from prebuilds.dashboard.workspaces.forms import AutostartForm, ExtendForm, RenameForm, TtlForm
from prebuilds.dashboard.workspaces.views import find_readable, may_change
from workspaces.enums import Transition
from workspaces.models import Workspace
from workspaces.services import lifecycle
from workspaces.services import workspaces as workspace_services

METHODS: Final = ["GET", "HEAD", "POST"]


@signed_in
@require_http_methods(METHODS)
def rename(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Give it another name."""
    workspace = find_own(request, workspace_id)
    form = RenameForm(sent(request), initial={"name": workspace.name})

    def do(values: dict[str, Any]) -> str:
        renamed = workspace_services.rename_workspace(
            workspace_id=workspace.pk,
            name=values["name"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"{workspace.name} is now called {renamed.name}."

    plan = Plan(
        title=f"Rename {workspace.name}",
        sentence="Its files and processes stay as they are.",
        verb="Rename",
    )
    return _ask(request, workspace, plan, form, do)


@signed_in
@require_http_methods(METHODS)
def autostop(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Say how long each start lasts."""
    workspace = find_own(request, workspace_id)
    hours = workspace.ttl_seconds and round(workspace.ttl_seconds / 3600, 2)
    form = TtlForm(sent(request), initial={"hours": hours})

    def do(_values: dict[str, Any]) -> str:
        changed = lifecycle.set_ttl(
            workspace_id=workspace.pk,
            ttl_seconds=form.seconds,
            now=timezone.now(),
            actor=actor_of(request),
        )
        if changed.ttl_seconds is None:
            return f"{workspace.name} stops only when somebody stops it."
        span = say_duration(timedelta(seconds=changed.ttl_seconds))
        return f"{workspace.name} stops {span} after each start, from the next one on."

    plan = Plan(
        title=f"Autostop of {workspace.name}",
        sentence="It holds from the next start on; the deadline of the start that runs stays, "
        "unless you leave this empty.",
        verb="Save",
    )
    return _ask(request, workspace, plan, form, do)


@signed_in
@require_http_methods(METHODS)
def extend(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Let the start that runs last longer."""
    workspace = find_own(request, workspace_id)
    build = workspace.latest_build
    deadline = build.deadline if build else None
    form = ExtendForm(sent(request))

    def do(_values: dict[str, Any]) -> str:
        now = timezone.now()
        wanted = max(deadline or now, now) + form.longer
        lifecycle.extend_deadline(
            workspace_id=workspace.pk, deadline=wanted, now=now, actor=actor_of(request)
        )
        return f"{workspace.name} runs for another {say_duration(wanted - now)}."

    plan = Plan(
        title=f"Let {workspace.name} run longer",
        sentence="Only this start; the next one lasts as long as set under Autostop.",
        verb="Run longer",
        impossible="" if deadline else "It has no deadline: it runs until somebody stops it.",
    )
    return _ask(request, workspace, plan, form, do)


@signed_in
@require_http_methods(METHODS)
def autostart(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Say on which days, and when, it starts by itself."""
    workspace = find_own(request, workspace_id)
    schedule = workspace.autostart_schedule
    plain = read_plain(schedule) if schedule else None
    initial = {"days": plain.days, "at": plain.at, "zone": plain.zone} if plain else {}
    form = AutostartForm(sent(request), initial=initial)

    def do(_values: dict[str, Any]) -> str:
        changed = lifecycle.set_autostart(
            workspace_id=workspace.pk,
            schedule=form.schedule,
            now=timezone.now(),
            actor=actor_of(request),
        )
        if not changed.autostart_schedule:
            return f"{workspace.name} does not start by itself."
        return f"{workspace.name} starts by itself: {say_schedule(changed.autostart_schedule)}."

    sentence = "At that time it is started if it is stopped then."
    if schedule and plain is None:
        sentence += f" Now it follows {schedule}, which says more than this form can; saving here "
        sentence += "replaces it."
    plan = Plan(title=f"Autostart of {workspace.name}", sentence=sentence, verb="Save")
    return _ask(request, workspace, plan, form, do)


@signed_in
@require_http_methods(METHODS)
def wake(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Wake a dormant workspace."""
    workspace = find_own(request, workspace_id)
    plan = Plan(
        title=f"Wake {workspace.name}",
        sentence="It can be started again, and will not be deleted for being dormant.",
        verb="Wake it",
    )
    said = f"{workspace.name} is awake: start it when you need it."
    return _set_dormancy(request, workspace, plan, dormant=False, said=said)


@signed_in
@require_http_methods(METHODS)
def sleep(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Put a workspace to sleep."""
    workspace = find_own(request, workspace_id)
    seconds = workspace.template.time_til_dormant_autodelete_seconds
    end = f" It is deleted after {say_duration(timedelta(seconds=seconds))}." if seconds else ""
    plan = Plan(
        title=f"Make {workspace.name} dormant",
        sentence=f"It stops, keeps its files and cannot be started until it is woken.{end}",
        verb="Make it dormant",
        danger=True,
    )
    said = f"{workspace.name} is dormant."
    return _set_dormancy(request, workspace, plan, dormant=True, said=said)


def find_own(request: HttpRequest, workspace_id: UUID) -> Workspace:
    """Return a live workspace of a person that the viewer may change; 404 or 403 for any other."""
    viewer = current_user(request)
    workspace = find_readable(viewer, workspace_id)
    if workspace.is_prebuild or workspace.deleted_at is not None:
        raise Http404("a prebuild, or deleted: it has no such control")
    if not may_change(viewer, workspace, Transition.START):
        raise PermissionDenied
    return workspace


def address_of(workspace: Workspace) -> str:
    """Return the address of the workspace's page."""
    return reverse("dashboard:workspace", args=[workspace.pk])


def _set_dormancy(
    request: HttpRequest, workspace: Workspace, plan: Plan, *, dormant: bool, said: str
) -> HttpResponse:
    def do(_values: dict[str, Any]) -> str:
        lifecycle.set_dormancy(
            workspace_id=workspace.pk, dormant=dormant, now=timezone.now(), actor=actor_of(request)
        )
        return said

    return _ask(request, workspace, plan, HouseForm(sent(request)), do)


def _ask(
    request: HttpRequest,
    workspace: Workspace,
    plan: Plan,
    form: HouseForm,
    do: Callable[[dict[str, Any]], str],
) -> HttpResponse:
    return ask(request, plan, form, do, section="workspaces", back=address_of(workspace))
