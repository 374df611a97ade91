"""Stop or delete many workspaces: those that were ticked, or all that match the search.

The form carries the workspaces that were listed, so nothing is done that was not shown.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import User
from prebuilds import services
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.plan import Plan, PlanLine, leave, render_plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.workspaces.queries import choose_workspaces
from prebuilds.dashboard.workspaces.views import MINE, may_change
from workspaces.enums import JobStatus, Transition
from workspaces.models import Workspace
from workspaces.search import read_search

MOST: Final = 500
"""Done at once; each is a transaction of its own."""
REFUSALS_SAID: Final = 10
NONE_CHOSEN: Final = "No workspace is ticked. Tick some in the list, or choose all that match."
NOTHING_LEFT: Final = "None of them can be changed so: nothing to do."
WORDS: Final = {
    Transition.STOP: ("Stop", "player-stop", "warn"),
    Transition.DELETE: ("Delete", "trash", "bad"),
}
SENTENCES: Final = {
    Transition.STOP: "Their processes end and unsaved work in them is lost. They can be started "
    "again at any time.",
    Transition.DELETE: "Their processes end and all their files are removed. This cannot be "
    "undone. Where a pool then holds fewer than desired, new prebuilds are built.",
}
DONE: Final = {Transition.STOP: "asked to stop", Transition.DELETE: "being deleted"}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    """Stop or delete them; GET lists what will be done, and what will not."""
    viewer, transition = current_user(request), _transition(request)
    if request.method == "POST":
        listed = _listed(viewer, request.POST.get("workspaces", "").split(","))
        allowed = [one for one in listed if may_change(viewer, one, transition)]
        outcome = services.request_builds(
            workspaces=allowed,
            transition=transition,
            actor=actor_of(request),
            now=timezone.now(),
        )
        _say(request, transition, outcome)
        return leave(request, _back(request))
    chosen = _chosen(request, viewer)
    obstacles = {one.pk: _obstacle(viewer, one, transition) for one in chosen}
    doable = [one for one in chosen if not obstacles[one.pk]]
    plan = _plan(transition, doable, [one for one in chosen if obstacles[one.pk]], obstacles)
    context = {"listed": ",".join(str(one.pk) for one in doable), "transition": transition}
    return render_plan(request, plan, section="workspaces", back=_back(request), context=context)


def _plan(
    transition: Transition,
    doable: Sequence[Workspace],
    others: Sequence[Workspace],
    obstacles: dict[UUID, str],
) -> Plan:
    verb, icon, tone = WORDS[transition]
    number = say_count(len(doable), "workspace")
    kept = f" {len(others)} {'stays as it is' if len(others) == 1 else 'stay as they are'}."
    problem = "" if doable else NOTHING_LEFT if others else NONE_CHOSEN
    return Plan(
        title=f"{verb} {number}",
        sentence=SENTENCES[transition] + (kept if others else ""),
        verb=f"{verb} {number}",
        lines=(
            *(PlanLine(icon=icon, tone=tone, text=verb, subject=_label(one)) for one in doable),
            *(
                PlanLine(
                    icon="player-pause",
                    tone="off",
                    text="stays",
                    subject=f"{_label(one)}: {obstacles[one.pk]}",
                )
                for one in others
            ),
        ),
        danger=transition == Transition.DELETE,
        form="workspaces/bulk_form.html",
        impossible=problem,
    )


def _obstacle(viewer: User, workspace: Workspace, transition: Transition) -> str:
    """Return why this cannot be done to a workspace; an empty text when it can."""
    build = workspace.latest_build
    if not may_change(viewer, workspace, transition):
        return "you may not change it"
    if build is None or build.job.completed_at is None:
        return "a build of it is under way"
    if transition == Transition.STOP and build.transition == Transition.STOP:
        return "it is stopped already" if build.job.status == JobStatus.SUCCEEDED else ""
    return ""


def _say(request: HttpRequest, transition: Transition, outcome: services.RequestedBuilds) -> None:
    """Say how many were asked, how many refused and why."""
    if outcome.asked:
        messages.success(request, f"{say_count(outcome.asked, 'workspace')} {DONE[transition]}.")
    elif not outcome.refusals:
        messages.info(request, "Nothing was changed.")
    for reason in dict.fromkeys(one.reason for one in outcome.refusals):
        names = [one.name for one in outcome.refusals if one.reason == reason]
        shown = ", ".join(names[:REFUSALS_SAID]) + (" and others" * (len(names) > REFUSALS_SAID))
        messages.error(request, f"{len(names)} refused: {shown}. {reason}")


def _chosen(request: HttpRequest, viewer: User) -> list[Workspace]:
    """Return the ticked workspaces, or those that match; the newest MOST of them."""
    if request.GET.get("all") == "yes":
        search = read_search(request.GET.get("q", MINE), viewer)
        if search.problems:
            return []
        return list(choose_workspaces(viewer, search=search)[:MOST])
    return _listed(viewer, request.GET.getlist("workspace"))


def _listed(viewer: User, texts: Iterable[str]) -> list[Workspace]:
    ids = [wanted for wanted in map(_id, texts) if wanted is not None]
    return list(choose_workspaces(viewer, ids=ids)[:MOST])


def _transition(request: HttpRequest) -> Transition:
    asked = request.POST.get("transition") or request.GET.get("transition", "")
    found = next((each for each in WORDS if each.value == asked), None)
    if found is None:
        raise Http404("no such change")
    return found


def _label(workspace: Workspace) -> str:
    owner = "prebuild" if workspace.is_prebuild else workspace.owner.display_name
    return f"{workspace.name} ({owner})"


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _back(request: HttpRequest) -> str:
    query = urlencode({"q": request.GET["q"]}) if "q" in request.GET else ""
    return reverse("dashboard:workspaces") + (f"?{query}" if query else "")
