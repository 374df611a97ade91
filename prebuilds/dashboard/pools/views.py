"""The start page: will the next person get a warm workspace, and if not, why?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.policy import Action, Resource, Subject, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import list_page, query_of
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.pools import presentation
from prebuilds.dashboard.pools.attention import Trouble, list_troubles
from prebuilds.dashboard.pools.look import (
    LOOKS,
    PoolsLook,
    eyes_of,
    list_readable_pools,
    look_at_pools,
)
from prebuilds.dashboard.pools.presentation import Asked, find_pools, view_pool
from prebuilds.dashboard.pools.tiles import Lists, Numbers, Tile, make_tiles
from prebuilds.selectors import PoolRow
from prebuilds.trends import read_days

POOLS_SHOWN: Final = 50
EXPORT: Final = (
    *(
        Field(name=name, path=f"row.{name}")
        for name in (
            "organization_name",
            "template_name",
            "preset_name",
            "preset_id",
            "version_name",
            "is_active_version",
            "desired",
            "ready",
            "unready",
            "starting",
            "expired",
            "stopping",
            "deleting",
            "health",
            "reason",
            "next_at",
        )
    ),
    Field(name="claims_24h", path="served.warm"),
    Field(name="misses_24h", path="served.cold"),
    Field(name="warm_rate_24h", path="served.rate"),
    Field(name="next_step_at", path="step.at"),
    Field(name="next_step_desired", path="step.instances"),
)


@signed_in
@require_safe
def page(request: HttpRequest) -> HttpResponseBase:
    """Show every pool the person may read, or give the matching ones away as a file."""
    now = timezone.now()
    if asked_format(request):
        pools = list_readable_pools(eyes_of(current_user(request)), now=now).pools
        found = find_pools(pools, asked_of(request))
        return export(request, "pools", EXPORT, _view_all(found, now))
    look = look_at_pools(eyes_of(current_user(request)), now=now)
    return render_page(request, "pools/page.html", _context(request, look, now), section="pools")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """Show the live part again: what its stream has just seen, or else what is there."""
    now, eyes = timezone.now(), eyes_of(current_user(request))
    context = _context(request, LOOKS.find(eyes) or look_at_pools(eyes, now=now), now)
    return render_fragment(request, "pools/page.html#live", {**context, "is_refresh": True})


def asked_of(request: HttpRequest) -> Asked:
    """Return which pools the URL asks for."""
    return presentation.ask(
        health=request.GET.get("health", ""), text=request.GET.get("q", "").replace("\0", "")
    )


def _context(request: HttpRequest, look: PoolsLook, now: datetime) -> dict[str, Any]:
    user = current_user(request)
    subject = subject_of(user)
    overview, asked = look.overview, asked_of(request)
    listing = list_page(request, find_pools(overview.pools, asked), size=POOLS_SHOWN)
    troubles = _troubles(user, look)
    return {
        "pause": overview.pause,
        "as_of": overview.as_of,
        "is_empty": not overview.pools,
        "asked": asked,
        "listing": listing,
        "unchosen_query": query_of(request, without=("health", "page", "format")),
        "verdict": presentation.pass_verdict(
            overview, told={trouble.preset_id for trouble in troubles}
        ),
        "chips": presentation.make_chips(overview.pools, asked.health),
        "groups": _groups(overview.pools, listing.rows, now),
        "troubles": troubles,
        "tiles": _tiles(user, look, now),
        "may_edit_templates": subject.can_anywhere(Action.CREATE, Resource.TEMPLATE),
        "may_change": subject.can_anywhere(Action.UPDATE, Resource.TEMPLATE),
        "sprite": static("icons.svg"),
        "changeable": _organizations(subject, overview.pools, Action.UPDATE, Resource.TEMPLATE),
        "seen": _organizations(subject, overview.pools, Action.READ, Resource.WORKSPACE),
        "may_use_admin": user.is_staff,
        "may_read_runs": look.engine is not None,
        "may_reconcile": subject.can_anywhere(Action.CREATE, Resource.RECONCILE_RUN),
        "may_resume": subject.can_anywhere(Action.UPDATE, Resource.PREBUILDS_SETTINGS),
    }


def _view_all(pools: Sequence[PoolRow], now: datetime) -> list[presentation.PoolView]:
    days = read_days(now=now, preset_ids=[pool.preset_id for pool in pools])
    return [view_pool(pool, days, now) for pool in pools]


def _groups(
    pools: Sequence[PoolRow], shown: Sequence[PoolRow], now: datetime
) -> tuple[presentation.TemplateGroup, ...]:
    organizations = {pool.organization_id for pool in pools}
    return presentation.group_pools(
        _view_all(shown, now), name_organizations=len(organizations) > 1
    )


def _organizations(
    subject: Subject, pools: Sequence[PoolRow], action: Action, resource: Resource
) -> set[UUID]:
    """Return in which of the pools' organizations the person may do this."""
    return {
        organization_id
        for organization_id in {pool.organization_id for pool in pools}
        if subject.can(action, resource, organization_id=organization_id)
    }


def _troubles(user: User, look: PoolsLook) -> tuple[Trouble, ...]:
    subject = subject_of(user)

    def may_in(home: UUID, action: Action, resource: Resource) -> bool:
        return subject.can(action, resource, organization_id=home)

    return list_troubles(look.notices, look.overview.pools, errors=look.errors, may_in=may_in)


def _tiles(user: User, look: PoolsLook, now: datetime) -> tuple[Tile, ...]:
    if look.trends is None or look.engine is None:
        return ()
    numbers = Numbers(
        pools=look.overview.pools,
        trends=look.trends,
        engine=look.engine,
        pause=look.overview.pause,
        interval=settings.PREBUILDS_RECONCILIATION_INTERVAL,
        now=now,
    )
    return make_tiles(numbers, _lists(user))


def _lists(user: User) -> Lists:
    """Return the lists that the person may open."""
    subject = subject_of(user)
    reads_workspaces = subject.can_anywhere(Action.READ, Resource.WORKSPACE)
    reads_queue = subject.can_anywhere(Action.READ, Resource.PROVISIONER)
    return Lists(
        claims=reverse("dashboard:claims") if reads_workspaces else "",
        workspaces=reverse("dashboard:workspaces") if reads_workspaces else "",
        jobs=reverse("dashboard:jobs") if reads_queue else "",
        provisioners=reverse("dashboard:provisioners") if reads_queue else "",
        cycles=reverse("dashboard:runs"),
    )
