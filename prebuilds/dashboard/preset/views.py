"""One preset: its pool now, what it did, what comes next."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.policy import Action, Resource
from prebuilds.dashboard.base.access import signed_in
from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.live.views import person, stream_looks
from prebuilds.dashboard.preset import queries
from prebuilds.dashboard.preset.heat import Week, draw_week
from prebuilds.dashboard.preset.presentation import group_decisions, present_pool
from prebuilds.dashboard.preset.queries import Look
from prebuilds.dashboard.preset.reach import may, require_readable
from prebuilds.dashboard.preset.timeline import (
    LONGEST,
    SPANS,
    Timeline,
    draw_timeline,
    marks_from,
)
from prebuilds.dashboard.preset.troubles import advise, present_attempts
from prebuilds.trends import HourPoint, read_hours
from templates_app.forecast import Forecast, look_ahead
from templates_app.models import Preset
from templates_app.schedules import Schedule, ScheduleError


@signed_in
@require_safe
def page(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Show one preset the person may read."""
    now = timezone.now()
    look = _look(request, preset_id, now)
    preset, forecast = look.preset, _forecast(look, now)
    context = _live(request, look, forecast, now)
    hours = read_hours(preset_id=preset.pk, since=now - LONGEST, until=now)
    context |= {
        "template": preset.version.template,
        "icon": icon_name(preset.icon, "stack-2"),
        "may_edit": may(request, preset, Action.UPDATE, Resource.TEMPLATE),
        "timeline": _timeline(request, preset, hours, context, now),
        "spans": SPANS.values(),
        "week": _week(look, forecast, hours, now),
        "attempts": _attempts(preset, now - LONGEST) if context["may_read_members"] else (),
    }
    if not look.paused:
        context["pause"] = None  # known already: the banner of all pages need not ask
    return render_page(request, "preset/page.html", context, section="pools")


@signed_in
@require_safe
def state(request: HttpRequest, preset_id: UUID) -> HttpResponse:
    """Show its live part again: what its stream has just seen, or else what is there."""
    now = timezone.now()
    look = queries.LOOKS.find(preset_id)
    if look is None:
        look = _look(request, preset_id, now)
    require_readable(request, look.preset)
    context = _live(request, look, _forecast(look, now), now)
    return render_fragment(request, "preset/page.html#live", context)


@require_safe
async def stream(request: HttpRequest, preset_id: UUID) -> HttpResponseBase:
    """Stream a `stale` event for every change, once the next look at the pool was taken."""
    user = await person(request)
    if user is None:
        return HttpResponse(status=401)
    request.user = user
    preset = await sync_to_async(_readable)(request, preset_id, timezone.now())

    def look() -> Look:
        now = timezone.now()
        return queries.look_at(queries.read_preset(preset_id, now) or preset, now)

    return stream_looks(queries.LOOKS, preset_id, look)


def _look(request: HttpRequest, preset_id: UUID, now: datetime) -> Look:
    return queries.look_at(_readable(request, preset_id, now), now)


def _readable(request: HttpRequest, preset_id: UUID, now: datetime) -> Preset:
    return require_readable(request, queries.read_preset(preset_id, now))


def _live(
    request: HttpRequest, look: Look, forecast: Forecast | None, now: datetime
) -> dict[str, Any]:
    preset = look.preset
    return {
        "preset": preset,
        "pool": present_pool(look, forecast=forecast, usual=look.usual, now=now),
        "decisions": group_decisions(look.recent),
        "may_read_members": may(request, preset, Action.READ, Resource.WORKSPACE),
        "may_read_runs": may(request, preset, Action.READ, Resource.RECONCILE_RUN),
        "is_active": preset.version.template.active_version_id == preset.version_id,
        "as_of": look.as_of,
    }


def _forecast(look: Look, now: datetime) -> Forecast | None:
    """Look ahead; nothing when there is no pool, or its schedule cannot be read."""
    if look.preset.desired_instances is None:
        return None
    rows = [Schedule(expression=text, desired_instances=number) for text, number in look.schedules]
    try:
        return look_ahead(
            base=look.preset.desired_instances,
            zone=look.preset.scheduling_timezone or "UTC",
            schedules=rows,
            start=now,
        )
    except ScheduleError:  # the pool's reason says which; it goes on with its own number
        return None


def _week(
    look: Look, forecast: Forecast | None, hours: Iterable[HourPoint], now: datetime
) -> Week | None:
    if forecast is None:
        return None
    return draw_week(forecast, zone=look.preset.scheduling_timezone, now=now, history=hours)


def _timeline(
    request: HttpRequest,
    preset: Preset,
    hours: list[HourPoint],
    context: dict[str, Any],
    now: datetime,
) -> Timeline:
    """Draw the curves; to those who may read cycles with notices and what people did."""
    span = SPANS.get(request.GET.get("span", ""), SPANS["7d"])
    since = now - span.length - timedelta(hours=1)
    if not context["may_read_runs"]:
        return draw_timeline(hours, (), span=span, now=now)
    notices = list(queries.notices_of(preset, since=since, now=now))
    context["notices"] = advise(notices, may=partial(may, request, preset))
    marks = marks_from(queries.marks_of(preset, since=since), notices)
    return draw_timeline(hours, marks, span=span, now=now)


def _attempts(preset: Preset, since: datetime) -> list[Any]:
    return list(present_attempts(queries.failed_attempts(preset, since=since), preset))
