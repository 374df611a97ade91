"""A machine is gone for good: what saying so releases, and saying so."""

from datetime import datetime
from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.machines import may_forget
from prebuilds.dashboard.base.plan import leave, render_plan
from prebuilds.dashboard.provisioners.presentation import plan_forgetting, say_release
from workspaces.errors import MachineOnline, UnknownMachine
from workspaces.machines import Machine, count_holdings, find_machine, serving_organizations
from workspaces.services import machines

METHODS: Final = ["GET", "HEAD", "POST"]


@signed_in
@require_http_methods(METHODS)
def forget_machine(request: HttpRequest, machine: str) -> HttpResponse:
    """Say that a machine is gone for good; GET shows what that releases."""
    viewer, now = current_user(request), timezone.now()
    found = _find_machine(viewer, machine, now)
    if request.method == "POST":
        try:
            release = machines.forget_machine(machine=machine, actor=actor_of(request), now=now)
        except MachineOnline as error:
            messages.error(request, str(error))
        else:
            messages.success(request, say_release(found, release))
        return leave(request, reverse("dashboard:provisioners"))
    plan = plan_forgetting(found, count_holdings(machine))
    return render_plan(
        request, plan, section="provisioners", back=reverse("dashboard:provisioners")
    )


def _find_machine(viewer: User, machine: str, now: datetime) -> Machine:
    subject = subject_of(viewer)
    if not subject.can_anywhere(Action.READ, Resource.PROVISIONER):
        raise Http404("not for you")
    readable = subject.readable_organizations(Resource.PROVISIONER)
    try:
        found = find_machine(machine, now=now)
    except UnknownMachine as error:
        raise Http404(str(error)) from error
    homes = serving_organizations(machine)
    if readable is not None and None not in homes and not homes & readable:
        raise Http404("no such machine, or not for you")
    if not may_forget(viewer, machine):
        raise PermissionDenied
    return found
