"""One's own choice of mails, and the link that stops them without signing in (RFC 8058)."""

from typing import Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.forms import sent
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.mail_preferences.forms import PreferenceForm
from prebuilds.errors import UnsubscribeLinkUnknown
from prebuilds.mail import preferences

METHODS: Final = ["GET", "HEAD", "POST"]
KINDS: Final = {
    "incidents": "mails about notices that open and close",
    "digest": "daily reminders of what is open",
}


@signed_in
@require_http_methods(METHODS)
def page(request: HttpRequest) -> HttpResponse:
    """Show which mails one gets, and why perhaps none; POST chooses."""
    viewer = current_user(request)
    chosen = preferences.preference_of(viewer)
    form = PreferenceForm(
        sent(request), initial={"incidents": chosen.incidents, "digest": chosen.digest}
    )
    if form.is_valid():
        wanted = form.cleaned_data
        preferences.set_preference(
            user=viewer, incidents=wanted["incidents"], digest=wanted["digest"]
        )
        messages.success(request, "Saved.")
        return redirect("dashboard:mail_preferences")
    subject = subject_of(viewer)
    context = {
        "form": form,
        "sends_mail": settings.PREBUILDS_SENDS_MAIL,
        "looks_after": subject.can_anywhere(Action.UPDATE, Resource.TEMPLATE),
        "may_open_mailbox": settings.DEBUG
        and subject.can_anywhere(Action.READ, Resource.AUDIT_LOG),
    }
    return render_page(request, "mail_preferences/page.html", context, section="account")


@csrf_exempt
@never_cache
@require_http_methods(METHODS)
def unsubscribe(request: HttpRequest, token: str) -> HttpResponseBase:
    """Show one button; POST stops one kind of mail. The signed link is all it needs.

    Mail programs post to it without a cookie, so there is no token against forgery: whoever has
    the link may use it.
    """
    try:
        subscription = preferences.read_unsubscribe(token)
    except UnsubscribeLinkUnknown as error:
        return render(
            request, "mail_preferences/unsubscribe.html", {"problem": str(error)}, status=404
        )
    if request.method == "POST":
        preferences.unsubscribe(subscription)
    context = {
        "name": subscription.user.username,
        "kind": KINDS[subscription.wish],
        "is_done": request.method == "POST",
    }
    return render(request, "mail_preferences/unsubscribe.html", context)
