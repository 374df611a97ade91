"""Does mail get out: is there a server, does it let us in, does anything wait for it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Count, Min

from prebuilds.checkup.findings import Finding, Visit, bad, say_span, skipped, warn, well
from prebuilds.models import Mail
from prebuilds.models.mail import IS_WAITING

CONNECT_SECONDS: Final = 5
WORTH_A_WORD: Final = timedelta(hours=1)
LATELY: Final = timedelta(days=7)
SUBJECT: Final = "Prebuilds: a mail to try"
BODY: Final = "Somebody ran `manage.py doctor` with your address. Mail works; nothing to do."


def check_mail_server(visit: Visit) -> Iterator[Finding]:
    """Say hello and sign in; send a mail only to whom one was asked for."""
    if not settings.PREBUILDS_SENDS_MAIL:
        yield warn("not configured: nobody is mailed", "set PREBUILDS_SMTP_URL for the worker")
        if visit.mail_to:
            yield bad(f"no mail to {visit.mail_to}: there is no server", "set PREBUILDS_SMTP_URL")
        return
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    connection = get_connection(timeout=CONNECT_SECONDS)
    try:
        connection.open()
        yield well(f"{where} answers and lets us in")
        if visit.mail_to:
            EmailMessage(SUBJECT, BODY, to=[visit.mail_to], connection=connection).send()
            yield well(f"it took a mail to {visit.mail_to}")
    except (SMTPException, OSError) as error:
        words = " ".join(str(error).split())
        yield bad(f"{where}: {words}", "check PREBUILDS_SMTP_URL, and whether we may reach it")
    finally:
        connection.close()


def check_mail_backlog(visit: Visit) -> Iterator[Finding]:
    """Nothing waits for long, and nothing was given up lately."""
    if not settings.PREBUILDS_SENDS_MAIL:
        yield skipped("mails are written and kept; without a mail server none is sent")
        return
    waiting = Mail.objects.filter(IS_WAITING).aggregate(
        number=Count("pk"), oldest=Min("created_at")
    )
    given_up = Mail.objects.filter(given_up_at__gt=visit.now - LATELY).count()
    yield from judge_backlog(
        waiting["number"], oldest=waiting["oldest"], given_up=given_up, now=visit.now
    )


def judge_backlog(
    waiting: int, *, oldest: datetime | None, given_up: int, now: datetime
) -> Iterator[Finding]:
    """An hour is worth a word: the worker sends every minute."""
    advice = "the last error is with each row: see docs/operations.md, Mail"
    is_late = oldest is not None and now - oldest > WORTH_A_WORD
    if is_late and oldest is not None:
        yield warn(f"{waiting} wait, the oldest for {say_span(now - oldest)}", advice)
    if given_up:
        yield warn(f"{given_up} were given up in the last 7 days", advice)
    if not (is_late or given_up):
        yield well(f"{waiting} wait" if waiting else "nothing waits")
