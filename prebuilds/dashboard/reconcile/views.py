"""The plan of the next cycle, a cycle now, pause and resume."""

from datetime import datetime, timedelta
from typing import Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.policy import Action, Resource, subject_of
from prebuilds import observation, reconciler, services
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.plan import Plan, leave, render_plan
from prebuilds.dashboard.base.wording import say_count, say_list
from prebuilds.dashboard.reconcile.presentation import plan_lines, plan_sentence
from prebuilds.models import Trigger

HOURS: Final = (("", "until somebody resumes"), ("1", "1 hour"), ("8", "8 hours"), ("24", "a day"))


class PauseForm(forms.Form):
    """Why somebody pauses, and for how long."""

    reason = forms.CharField(max_length=500, help_text="Shown to everybody who meets the pause.")
    hours = forms.ChoiceField(choices=HOURS, required=False, label="For")


@signed_in
@require_safe
def plan(request: HttpRequest) -> HttpResponse:
    """Show what a cycle would do now, for the pools the person may read."""
    _require(request, Action.READ, Resource.RECONCILE_RUN)
    now = timezone.now()
    decisions = _readable(request, reconciler.plan_cycle(policy=current_policy(), now=now))
    shown = Plan(
        title="Plan of the next cycle",
        sentence=plan_sentence(decisions, paused=observation.is_paused(now)),
        verb="",
        lines=plan_lines(decisions),
    )
    return render_plan(request, shown, section="pools", back=_pools())


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def run(request: HttpRequest) -> HttpResponse:
    """Run a cycle now; GET shows its plan."""
    _require(request, Action.CREATE, Resource.RECONCILE_RUN)
    if request.method == "POST":
        cycle = reconciler.run_cycle(
            trigger=Trigger.PERSON, policy=current_policy(), clock=timezone.now
        )
        _say(request, cycle)
        return leave(request, _pools())
    now = timezone.now()
    decisions = reconciler.plan_cycle(policy=current_policy(), now=now)
    paused = observation.is_paused(now)
    shown = Plan(
        title="Reconcile now",
        sentence=plan_sentence(decisions, paused=paused),
        verb="Reconcile now",
        lines=plan_lines(decisions),
        impossible="Reconciliation is paused. Resume it first." if paused else "",
    )
    return render_plan(request, shown, section="pools", back=_pools())


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def pause(request: HttpRequest) -> HttpResponse:
    """Pause reconciliation, with a reason and perhaps an end."""
    _require(request, Action.UPDATE, Resource.PREBUILDS_SETTINGS)
    form = PauseForm(request.POST or None)
    now = timezone.now()
    if request.method == "POST" and form.is_valid():
        services.pause_reconciliation(
            actor=actor_of(request),
            reason=form.cleaned_data["reason"],
            until=_end(form.cleaned_data["hours"], now),
            now=now,
        )
        messages.success(request, "Paused: no prebuild is created or deleted until it is resumed.")
        return leave(request, _pools())
    shown = Plan(
        title="Pause reconciliation",
        sentence="No prebuild will be created, deleted or cancelled, in any pool. Builds under way "
        "are finished, and people can still claim what is ready: pools run empty.",
        verb="Pause",
        danger=True,
        form="reconcile/pause_form.html",
    )
    context = {"form": form}
    status = 200 if request.method != "POST" else 422
    return render_plan(
        request, shown, section="pools", back=_pools(), context=context, status=status
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest) -> HttpResponse:
    """Resume reconciliation; GET shows what the first cycle will do."""
    _require(request, Action.UPDATE, Resource.PREBUILDS_SETTINGS)
    now = timezone.now()
    if request.method == "POST":
        if services.resume_reconciliation(actor=actor_of(request), now=now):
            messages.success(request, "Resumed: the next cycle starts within a second.")
        else:
            messages.info(request, "It was not paused: nothing changed.")
        return leave(request, _pools())
    decisions = reconciler.plan_cycle(policy=current_policy(), now=now)
    shown = Plan(
        title="Resume reconciliation",
        sentence=f"The first cycle will do this. {plan_sentence(decisions, paused=False)}",
        verb="Resume",
        lines=plan_lines(decisions),
    )
    return render_plan(request, shown, section="pools", back=_pools())


def _say(request: HttpRequest, cycle: reconciler.Cycle) -> None:
    if not cycle.lock_acquired:
        messages.info(request, "Another cycle is running at this moment: nothing was done twice.")
        return
    if cycle.paused:
        messages.info(request, "Reconciliation is paused: nothing was done.")
        return
    done = [
        f"{number} {count}"
        for count in ("created", "deleted", "cancelled", "held")
        if (number := cycle.total(count))
    ]
    looked = say_count(cycle.presets_total, "pool")
    messages.success(request, f"{looked} looked at: {say_list(done) or 'nothing to do'}.")
    if cycle.failed:
        failed = say_count(len(cycle.failed), "pool")
        messages.error(request, f"{failed} met an error. The cycle's page has its words.")


def _readable(request: HttpRequest, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """Leave out the pools of organizations whose templates the person may not read."""
    organizations = subject_of(current_user(request)).readable_organizations(Resource.TEMPLATE)
    if organizations is None:
        return decisions
    return tuple(one for one in decisions if one.preset.organization_id in organizations)


def _require(request: HttpRequest, action: Action, resource: Resource) -> None:
    subject = subject_of(current_user(request))
    if subject.can_anywhere(action, resource):
        return
    if action == Action.READ or not subject.can_anywhere(Action.READ, resource):
        raise Http404("not for you")
    raise PermissionDenied


def _end(hours: str, now: datetime) -> datetime | None:
    return now + timedelta(hours=int(hours)) if hours else None


def _pools() -> str:
    return reverse("dashboard:pools")
