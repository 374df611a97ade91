"""Do one thing to all pools that match: retry, invalidate, another number. The plan lists them.

The form carries the pools that were listed, so nothing is done that was not shown.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.listing import query_of
from prebuilds.dashboard.base.plan import Plan, PlanLine, leave, render_plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.pools.healths import HEALTHS, NEEDS_SOMEBODY
from prebuilds.dashboard.pools.look import eyes_of, list_readable_pools
from prebuilds.dashboard.pools.presentation import find_pools
from prebuilds.dashboard.pools.views import asked_of
from prebuilds.selectors import PoolRow
from templates_app import services

MOST: Final = 1_000
"""More prebuilds in each of many pools than this is a slip of the finger."""
NONE_MATCHES: Final = "No pool matches that you may change."


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: HttpRequest) -> HttpResponse:
    """Forget the failures of all matching pools, so that the next cycle builds again."""
    now = timezone.now()
    pools = [pool for pool in _chosen(request, now) if pool.health in NEEDS_SOMEBODY]
    if request.method == "POST":
        done = services.retry_presets(preset_ids=_keys(pools), now=now, actor=actor_of(request))
        messages.success(request, f"{say_count(done, 'pool')}: the failures are forgotten.")
        return leave(request, _back(request))
    plan = Plan(
        title="Retry all matching pools",
        sentence=f"The failures of {say_count(len(pools), 'pool')} are forgotten, and the next "
        "cycle builds what is missing. What is broken still fails, and is stopped again.",
        verb="Retry",
        lines=tuple(
            PlanLine(
                icon="refresh",
                tone=HEALTHS[pool.health].tone,
                text=HEALTHS[pool.health].word,
                subject=_label(pool),
            )
            for pool in pools
        ),
        form="pools/bulk_form.html",
        impossible="" if pools else "No matching pool that you may change has failed.",
    )
    return _show(request, plan, pools)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def invalidate(request: HttpRequest) -> HttpResponse:
    """Expire every prebuild of all matching pools, so that they are built anew."""
    now = timezone.now()
    pools = [pool for pool in _chosen(request, now) if _running(pool) or pool.starting]
    if request.method == "POST":
        done = services.invalidate_presets(
            preset_ids=_keys(pools), now=now, actor=actor_of(request)
        )
        said = f"{say_count(done, 'pool')}: every prebuild made before now is expired."
        messages.success(request, f"{said} The next cycle replaces them.")
        return leave(request, _back(request))
    lost = sum(map(_running, pools))
    plan = Plan(
        title="Invalidate all matching pools",
        sentence=f"{say_count(lost, 'prebuild')} in {say_count(len(pools), 'pool')} are expired at "
        "once and deleted, and others are built. Until those are ready, people wait for a build.",
        verb="Invalidate",
        danger=True,
        lines=tuple(
            PlanLine(
                icon="minus", tone="bad", text=f"expire {_running(pool)}", subject=_label(pool)
            )
            for pool in pools
        ),
        form="pools/bulk_form.html",
        impossible="" if pools else "No matching pool that you may change has a prebuild.",
    )
    return _show(request, plan, pools)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def set_desired(request: HttpRequest) -> HttpResponse:
    """Give all matching pools the same number of desired instances."""
    now = timezone.now()
    pools = _chosen(request, now)
    text = request.POST.get("desired_instances", "").strip()
    problem = _number_problem(text) if request.method == "POST" else ""
    if request.method == "POST" and not problem:
        done = services.set_desired_instances_of(
            preset_ids=_keys(pools),
            desired_instances=int(text),
            now=now,
            actor=actor_of(request),
        )
        said = f"{say_count(done, 'pool')}: {say_count(int(text), 'prebuild')} desired in each."
        messages.success(request, said)
        return leave(request, _back(request))
    plan = Plan(
        title="Set desired instances of all matching pools",
        sentence=f"{say_count(len(pools), 'pool')} get the same number. In the hours of a "
        "schedule, that schedule's number holds. The next cycle builds or deletes the difference.",
        verb="Set",
        lines=tuple(
            PlanLine(icon="adjustments", tone="busy", text=f"{pool.base} now", subject=_label(pool))
            for pool in pools
        ),
        form="pools/bulk_form.html",
        impossible="" if pools else NONE_MATCHES,
    )
    context = {"asks_number": True, "value": text, "problem": problem}
    return _show(request, plan, pools, context=context, status=422 if problem else 200)


def _chosen(request: HttpRequest, now: datetime) -> list[PoolRow]:
    """Return the pools the form carries, or those that match, as far as they may be changed."""
    subject = subject_of(current_user(request))
    if not subject.can_anywhere(Action.UPDATE, Resource.TEMPLATE):
        if subject.can_anywhere(Action.READ, Resource.TEMPLATE):
            raise PermissionDenied
        raise Http404("not for you")
    pools = list_readable_pools(eyes_of(current_user(request)), now=now).pools
    if request.method == "POST":
        listed = set(request.POST.get("presets", "").split(","))
        found: Iterable[PoolRow] = (pool for pool in pools if str(pool.preset_id) in listed)
    else:
        found = find_pools(pools, asked_of(request))
    return [
        pool
        for pool in found
        if pool.health != "draining"
        and subject.can(Action.UPDATE, Resource.TEMPLATE, organization_id=pool.organization_id)
    ]


def _show(
    request: HttpRequest,
    plan: Plan,
    pools: list[PoolRow],
    *,
    context: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    values = {"presets": ",".join(map(str, _keys(pools))), **(context or {})}
    return render_plan(
        request, plan, section="pools", back=_back(request), context=values, status=status
    )


def _back(request: HttpRequest) -> str:
    """Return the dashboard as it was filtered."""
    query = query_of(request, without=("back", "format"))
    return reverse("dashboard:pools") + (f"?{query}" if query else "")


def _number_problem(text: str) -> str:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > MOST:
        return f'"{text}" is not a whole number from 0 to {MOST}. Write digits, such as 3.'
    return ""


def _running(pool: PoolRow) -> int:
    return pool.ready + pool.unready + pool.expired


def _label(pool: PoolRow) -> str:
    return f"{pool.template_name} / {pool.preset_name}"


def _keys(pools: Iterable[PoolRow]) -> list[UUID]:
    return [pool.preset_id for pool in pools]
