"""What can be done to a template: promote, deprecate, invalidate, delete. Each shows its plan."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.policy import Action
from prebuilds import observation, plans, services
from prebuilds.dashboard.base.access import actor_of, signed_in
from prebuilds.dashboard.base.plan import Plan, leave, render_plan
from prebuilds.dashboard.base.wording import say_count, say_list
from prebuilds.dashboard.template import foresight, queries
from prebuilds.dashboard.template.reach import find_changeable, find_version
from prebuilds.dashboard.template.search import workspaces_query
from prebuilds.dashboard.template.wording import (
    pool_lines,
    promotion_lines,
    say_pools,
    say_work,
)
from prebuilds.errors import TemplateInUse
from templates_app import services as template_services
from templates_app.errors import TemplateDeleted, TemplatesError
from templates_app.models import Template

MESSAGE_LIMIT: Final = 1000


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def promote(request: HttpRequest, template_id: UUID, version_id: UUID) -> HttpResponse:
    """Make a version the active one."""
    template, now = find_changeable(request, template_id), timezone.now()
    version = find_version(template, version_id)
    if request.method == "POST":
        return _promote(request, template, version_id)
    foreseen = plans.plan_promotion(version=version, now=now)
    before = template.active_version.name if template.active_version else "none"
    work = say_work(
        delete=foreseen.delete,
        cancel=foreseen.cancel,
        create=foreseen.create,
        hold=sum(one.pool.hold for one in foreseen.presets if one.pool),
        paused=foreseen.paused,
    )
    failing = sum(bool(one.problems) for one in foreseen.presets)
    is_active = version.pk == template.active_version_id
    shown = Plan(
        title=f"Promote {version.name} of {template}",
        sentence=f"New workspaces and pools use {version.name} instead of {before} from now on; "
        f"people's workspaces stay on their version until they update. {work}"
        f"{_warn(failing)}",
        verb="Promote",
        lines=promotion_lines(foreseen, version.name),
        impossible=_closed(template)
        or (f"{version.name} is the active version already." if is_active else ""),
    )
    return _show(request, template, shown)


def _promote(request: HttpRequest, template: Template, version_id: UUID) -> HttpResponse:
    try:
        promoted = template_services.promote_version(
            template_id=template.pk,
            version_id=version_id,
            now=timezone.now(),
            actor=actor_of(request),
        )
    except TemplatesError as error:
        messages.error(request, _words(error))
        return leave(request, _page(template))
    messages.success(
        request,
        f"{promoted.active_version} is the active version of {template}. Its pools fill, and "
        "those of other versions drain.",
    )
    if failing := template_services.promotion_problems(version_id):
        names = say_list([f"“{one.preset_name}”" for one in failing])
        messages.error(request, f"Nothing is built of {names} until the values are mended.")
    return leave(request, _page(template))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def invalidate(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Expire every prebuild of the active version, so that its pools are built anew."""
    template, now = find_changeable(request, template_id), timezone.now()
    if request.method == "POST":
        stamped = template_services.invalidate_template(
            template_id=template.pk, now=now, actor=actor_of(request)
        )
        messages.success(
            request,
            f"{template}: every prebuild made before now is expired, in "
            f"{say_count(len(stamped), 'preset')}. They are replaced.",
        )
        return leave(request, _page(template))
    pools = foresight.foresee_invalidation(template.pk, now)
    shown = Plan(
        title=f"Invalidate all prebuilds of {template}",
        sentence="Nobody gets a prebuild made before now any more, at once. Until new ones are "
        f"ready, people wait for a build. {say_pools(pools, paused=observation.is_paused(now))}",
        verb="Invalidate",
        lines=pool_lines(pools),
        danger=True,
        impossible=_closed(template),
    )
    return _show(request, template, shown)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def deprecate(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Let nobody make workspaces from it any more, and say why; its pools drain."""
    template, now = find_changeable(request, template_id), timezone.now()
    text, problem = request.POST.get("message", template.deprecation_message).strip(), ""
    if request.method == "POST":
        problem = _message_problem(text)
        if not problem:
            return _deprecate(request, template, text)
    pools = foresight.foresee_deprecation(template.pk, now)
    shown = Plan(
        title=f"Deprecate {template}",
        sentence="Nobody can make a workspace from it any more, and its pools drain. People keep "
        "the workspaces they have. It can be taken back. "
        f"{say_pools(pools, paused=observation.is_paused(now))}",
        verb="Deprecate" if not template.deprecation_message else "Change the message",
        lines=pool_lines(pools),
        danger=True,
        form="template/deprecate_form.html",
        impossible=_closed(template),
    )
    context = {"message": text, "problem": problem}
    return _show(request, template, shown, context, status=422 if problem else 200)


def _deprecate(request: HttpRequest, template: Template, text: str) -> HttpResponse:
    try:
        changed = template_services.deprecate_template(
            template_id=template.pk, message=text, actor=actor_of(request), now=timezone.now()
        )
    except TemplateDeleted as error:
        messages.error(request, _words(error))
    else:
        said = "is deprecated. Its pools drain" if changed else "was deprecated with these words"
        messages.success(request, f"{template} {said}.")
    return leave(request, _page(template))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def revive(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Take a deprecation back: workspaces can be made from it again, and its pools fill."""
    template, now = find_changeable(request, template_id), timezone.now()
    if request.method == "POST":
        return _revive(request, template)
    wanted = queries.wanted_when_revived(template, now=now)
    shown = Plan(
        title=f"Take {template} back into use",
        sentence="People can make workspaces from it again, and its pools fill: "
        f"{say_count(sum(wanted.values()), 'prebuild')} desired in "
        f"{say_count(len(wanted), 'pool')} of {template.active_version}."
        + _if_paused(observation.is_paused(now)),
        verb="Take back the deprecation",
        lines=pool_lines(foresight.foresee_revival(template.pk, now)),
        impossible=_closed(template)
        or ("" if template.deprecation_message else "It is not deprecated."),
    )
    return _show(request, template, shown)


def _revive(request: HttpRequest, template: Template) -> HttpResponse:
    try:
        changed = template_services.deprecate_template(
            template_id=template.pk, message="", actor=actor_of(request), now=timezone.now()
        )
    except TemplateDeleted as error:
        messages.error(request, _words(error))
    else:
        said = "is in use again. Its pools fill" if changed else "was not deprecated"
        messages.success(request, f"{template} {said}.")
    return leave(request, _page(template))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Delete a template nobody has a workspace of; its pools drain first."""
    template, now = find_changeable(request, template_id, Action.DELETE), timezone.now()
    if request.method == "POST":
        return _delete(request, template)
    pools = foresight.foresee_deletion(template.pk, now)
    used = queries.people_have(template)
    shown = Plan(
        title=f"Delete {template}",
        sentence="Its pools drain, its name is free for another template, and its history stays. "
        f"It cannot be taken back. {say_pools(pools, paused=observation.is_paused(now))}",
        verb="" if used else "Delete",
        lines=pool_lines(pools),
        danger=True,
        impossible=_closed(template),
        form="template/in_use.html" if used else "",
    )
    context = {"refusal": TemplateInUse(used), "workspaces_query": workspaces_query(template)}
    return _show(request, template, shown, context)


def _delete(request: HttpRequest, template: Template) -> HttpResponse:
    try:
        services.delete_template(
            template_id=template.pk, updated_at=None, actor=actor_of(request), now=timezone.now()
        )
    except (TemplateInUse, TemplatesError) as error:
        messages.error(request, _words(error))
    else:
        messages.success(request, f"{template} is deleted. Its pools drain.")
    return leave(request, _page(template))


def _message_problem(text: str) -> str:
    if not text:
        return "Say what people should use instead: it is shown to them."
    if len(text) > MESSAGE_LIMIT or "\0" in text:
        return f"At most {MESSAGE_LIMIT} characters; these are {len(text)}."
    return ""


def _warn(failing: int) -> str:
    if not failing:
        return ""
    some = say_count(failing, "preset")
    return f" {some} would fail: nothing is built of {'it' if failing == 1 else 'them'}."


def _if_paused(paused: bool) -> str:
    return " Reconciliation is paused, so they fill once somebody resumes it." if paused else ""


def _closed(template: Template) -> str:
    return "" if template.deleted_at is None else str(TemplateDeleted.__doc__)


def _words(error: Exception) -> str:
    return str(error) or str(error.__doc__)


def _show(
    request: HttpRequest,
    template: Template,
    plan: Plan,
    context: Mapping[str, object] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    return render_plan(
        request,
        plan,
        section="templates",
        back=_page(template),
        context=context,
        status=status,
    )


def _page(template: Template) -> str:
    return reverse("dashboard:template", args=[template.pk])
