"""Make of a row the mail that goes out: its frame, and the headers that mail programs heed.

The Message-ID is the row's own, the same at each attempt: programs show doubles as one. Mails
about one notice refer to a common ancestor, so its opening and its end make one thread. The link
to unsubscribe is made here and stored nowhere.
"""

from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import punycode

from prebuilds.mail.preferences import sign_unsubscribe
from prebuilds.mail.recipients import wish_of
from prebuilds.models import Mail

ONE_CLICK: Final = "List-Unsubscribe=One-Click"
"""RFC 8058: a mail program's own button sends this, without opening a page."""


def compose(row: Mail) -> EmailMultiAlternatives:
    """Return the mail of a row whose recipient was fetched with it."""
    link = _unsubscribe_address(row)
    message = EmailMultiAlternatives(
        subject=row.subject,
        body=_framed(row, "txt", row.text, link),
        to=[row.recipient.email],
        headers={
            "Message-ID": f"<{row.pk}@{_domain()}>",
            "List-Unsubscribe": f"<{_plain(link)}>",
            "List-Unsubscribe-Post": ONE_CLICK,
            "Auto-Submitted": "auto-generated",
            **({"References": f"<notice.{row.notice_id}@{_domain()}>"} if row.notice_id else {}),
        },
    )
    message.attach_alternative(whole_html(row), "text/html")
    return message


def whole_html(row: Mail) -> str:
    """Return the whole HTML page of a mail."""
    return _framed(row, "html", row.html, _unsubscribe_address(row))


def _framed(row: Mail, kind: str, body: str, link: str) -> str:
    facts = {
        "subject": row.subject,
        "body": body,
        "wish": wish_of(row.step),
        "unsubscribe_url": link,
        "preferences_url": settings.PREBUILDS_ACCESS_URL + reverse("dashboard:mail_preferences"),
    }
    # strip() makes it plain text again: what a template renders passes for escaped HTML.
    return render_to_string(f"mail/frame.{kind}", facts).strip() + "\n"


def _unsubscribe_address(row: Mail) -> str:
    token = sign_unsubscribe(row.recipient_id, wish_of(row.step))
    return settings.PREBUILDS_ACCESS_URL + reverse("dashboard:unsubscribe", args=[token])


def _plain(address: str) -> str:
    """Return a web address as headers take it; one with a letter like ü would be encoded whole."""
    parts = urlsplit(address)
    return parts._replace(netloc=punycode(parts.netloc)).geturl()


def _domain() -> str:
    return punycode(parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2])
