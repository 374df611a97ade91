"""One template: how it stands, its pools and versions."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from prebuilds.dashboard.base.access import signed_in
from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.template.queries import load_overview
from prebuilds.dashboard.template.reach import find_template, rights_in
from prebuilds.dashboard.template.search import workspaces_query
from prebuilds.dashboard.template.wording import say_value
from templates_app.models import Template

POLICY = (
    "default_ttl_seconds",
    "allow_user_autostop",
    "allow_user_autostart",
    "time_til_dormant_seconds",
    "time_til_dormant_autodelete_seconds",
)


@signed_in
@require_safe
def page(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Show one template."""
    return render_page(
        request, "template/page.html", _context(request, template_id), section="templates"
    )


@signed_in
@require_safe
def state(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Show the live part again, and the header, whose buttons depend on how the template stands."""
    context = {**_context(request, template_id), "is_refresh": True}
    return render_fragment(request, "template/page.html#live", context)


def _context(request: HttpRequest, template_id: UUID) -> dict[str, object]:
    template, now = find_template(request, template_id), timezone.now()
    every_version = request.GET.get("versions") == "all"
    return {
        "template": template,
        "overview": load_overview(template, every_version=every_version, now=now),
        "every_version": every_version,
        "live_query": "versions=all" if every_version else "",
        "rights": rights_in(request, template),
        "icon": icon_name(template.icon),
        "policy": policy_of(template),
        "people_query": workspaces_query(template),
        "prebuilds_query": workspaces_query(template, "owner:prebuilds"),
        "as_of": now,
    }


def policy_of(template: Template) -> list[tuple[str, str]]:
    """Return the lifecycle policy of its workspaces in words."""
    values = {field: say_value(field, getattr(template, field)) for field in POLICY}
    return [
        ("Workspaces stop by themselves", _after(values[POLICY[0]])),
        ("People may set another time to stop", values[POLICY[1]]),
        ("People may let them start by themselves", values[POLICY[2]]),
        ("Unused workspaces go dormant", _after(values[POLICY[3]])),
        ("Dormant workspaces are deleted", _after(values[POLICY[4]])),
    ]


def _after(said: str) -> str:
    return said if said == "never" else f"after {said}"
