"""What the palette lists for what was typed so far."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.page import render_fragment
from prebuilds.dashboard.palette.queries import find_places

LONGEST = 100


@signed_in
@require_safe
def places(request: HttpRequest) -> HttpResponse:
    """List the places whose names hold every word that was typed."""
    text = request.GET.get("q", "").replace("\0", "")[:LONGEST]
    found = find_places(current_user(request), text)
    return render_fragment(request, "palette/places.html", {"places": found})
