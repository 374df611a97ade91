"""Look at mails while developing. Only in debug, and for who may read the audit log.

The HTML of a mail is styled inline, as mail programs want it. It is shown in a frame without
rights, as a page whose policy allows those styles and nothing else.
"""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import list_page
from prebuilds.dashboard.base.page import render_page
from prebuilds.mail.composing import compose, whole_html
from prebuilds.models import Mail

EXPORT: Final = (
    Field(name="id"),
    Field(name="step"),
    Field(name="recipient", path="recipient.email"),
    Field(name="subject"),
    Field(name="created_at"),
    Field(name="sent_at"),
    Field(name="attempts"),
    Field(name="next_try_at"),
    Field(name="given_up_at"),
    Field(name="error"),
)
FRAMED: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'; sandbox",
    "Cache-Control": "no-store",
}


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List the mails, newest first."""
    _require_reader(request)
    rows = Mail.objects.select_related("recipient").order_by("-created_at", "pk")
    if asked_format(request):
        return export(request, "mails", EXPORT, rows.iterator())
    context = {"listing": list_page(request, rows), "sends_mail": settings.PREBUILDS_SENDS_MAIL}
    return render_page(request, "mailbox/list.html", context, section="mailbox")


@signed_in
@require_safe
def page(request: HttpRequest, mail_id: UUID) -> HttpResponse:
    """Show one mail: its headers, its text, and its HTML in a frame."""
    _require_reader(request)
    row = _find(mail_id)
    message = compose(row)
    headers = {"From": message.from_email, "To": ", ".join(message.to), **message.extra_headers}
    context = {"mail": row, "headers": headers.items(), "text": message.body}
    return render_page(request, "mailbox/page.html", context, section="mailbox")


@signed_in
@require_safe
@xframe_options_sameorigin
def html(request: HttpRequest, mail_id: UUID) -> HttpResponse:
    """Answer with the HTML of one mail."""
    _require_reader(request)
    return HttpResponse(whole_html(_find(mail_id)), headers=FRAMED)


def _find(mail_id: UUID) -> Mail:
    return get_object_or_404(Mail.objects.select_related("recipient"), pk=mail_id)


def _require_reader(request: HttpRequest) -> None:
    reads = subject_of(current_user(request)).can_anywhere(Action.READ, Resource.AUDIT_LOG)
    if not settings.DEBUG or not reads:
        raise Http404("not for you")
