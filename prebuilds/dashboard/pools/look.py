"""All that the start page reads, but for whose page it is and what it is asked for.

One look serves the tabs of everybody who may read the same organizations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds import selectors
from prebuilds.dashboard.live.looks import Looks
from prebuilds.dashboard.live.views import person, stream_looks
from prebuilds.dashboard.pools.attention import untold
from prebuilds.dashboard.pools.queries import Engine, read_engine
from prebuilds.notices.reading import last_failures
from prebuilds.selectors import NoticeRow, PoolsOverview
from prebuilds.trends import Trends, read_trends


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """Whose templates and cycles somebody may read; None is every organization's."""

    templates: frozenset[UUID] | None
    cycles: frozenset[UUID] | None
    sees_cycles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolsLook:
    """The pools and their troubles at one instant; the numbers only for who may read cycles.

    `errors` has the last failure of each preset in trouble that has no notice.
    """

    overview: PoolsOverview
    notices: tuple[NoticeRow, ...]
    errors: Mapping[UUID, str]
    trends: Trends | None
    engine: Engine | None


LOOKS: Final = Looks[PoolsLook]()


@require_safe
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Stream a `stale` event for every change, once the next look for it was taken."""
    user = await person(request)
    if user is None:
        return HttpResponse(status=401)
    eyes = await sync_to_async(eyes_of)(user)
    return stream_looks(LOOKS, eyes, lambda: look_at_pools(eyes, now=timezone.now()))


def eyes_of(user: User) -> Eyes:
    """Return what of the start page depends on who looks."""
    subject = subject_of(user)
    return Eyes(
        templates=_frozen(subject.readable_organizations(Resource.TEMPLATE)),
        cycles=_frozen(subject.readable_organizations(Resource.RECONCILE_RUN)),
        sees_cycles=subject.can_anywhere(Action.READ, Resource.RECONCILE_RUN),
    )


def look_at_pools(eyes: Eyes, *, now: datetime) -> PoolsLook:
    """Read it all: a constant number of statements."""
    overview = list_readable_pools(eyes, now=now)
    notices = selectors.list_notices(now=now, organization_ids=eyes.templates)
    silent = [pool.preset_id for pool in untold(notices, overview.pools)]
    cycles, sees = eyes.cycles, eyes.sees_cycles
    return PoolsLook(
        overview=overview,
        notices=notices,
        errors=last_failures(silent) if silent else {},
        trends=read_trends(now=now, organization_ids=cycles) if sees else None,
        engine=read_engine(now=now, organization_ids=cycles) if sees else None,
    )


def list_readable_pools(eyes: Eyes, *, now: datetime) -> PoolsOverview:
    """Return the pools of the organizations whose templates may be read."""
    overview = selectors.list_pools(now=now)
    if eyes.templates is None:
        return overview
    pools = (pool for pool in overview.pools if pool.organization_id in eyes.templates)
    return replace(overview, pools=tuple(pools))


def _frozen(organizations: frozenset[UUID] | set[UUID] | None) -> frozenset[UUID] | None:
    return None if organizations is None else frozenset(organizations)
