"""The start page: will the next person get a warm workspace, and if not, why?"""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import policy
from accounts.models import User
from prebuilds import selectors
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.pools.presentation import present_pools
from prebuilds.selectors import PoolsOverview
from templates_app.models import Template


@signed_in
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show every pool the person may read."""
    context = _context(request)
    return render_page(request, "pools/page.html", context, section="pools")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """Show the live part again."""
    return render_fragment(request, "pools/page.html#live", _context(request))


def _context(request: HttpRequest) -> dict[str, object]:
    user = current_user(request)
    overview = _readable(selectors.list_pools(now=timezone.now()), user)
    return {
        "pools": present_pools(overview, chosen=request.GET.get("health", "")),
        "may_edit_templates": policy.can(user, "create", "template"),
        "may_read_members": policy.can(user, "read", "workspace"),
    }


def _readable(overview: PoolsOverview, user: User) -> PoolsOverview:
    """Leave out the pools of organizations whose templates the person may not read."""
    organizations = policy.subject_of(user).readable_organizations(policy.Resource.TEMPLATE)
    if organizations is None:
        return overview
    templates = Template.objects.filter(organization_id__in=organizations)
    allowed = set(templates.values_list("pk", flat=True))
    return replace(
        overview, pools=tuple(pool for pool in overview.pools if pool.template_id in allowed)
    )
