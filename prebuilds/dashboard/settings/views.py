"""The settings page: is the site paused, and what was it configured with."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.settings.presentation import present_configuration
from prebuilds.models import PrebuildsSettings


@signed_in
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the pause with who, why and until when, and every variable with where it comes from."""
    subject, now = subject_of(current_user(request)), timezone.now()
    if not subject.can_anywhere(Action.READ, Resource.PREBUILDS_SETTINGS):
        raise Http404("not for you")
    row = PrebuildsSettings.objects.select_related("paused_by").first()
    context = {
        "pause": row if row and row.is_paused(now) else None,
        "may_pause": subject.can_anywhere(Action.UPDATE, Resource.PREBUILDS_SETTINGS),
        "groups": present_configuration(settings.CONFIGURATION),
        "as_of": now,
    }
    return render_page(request, "settings/page.html", context, section="settings")
