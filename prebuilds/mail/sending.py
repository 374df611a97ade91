"""Take the mails that wait to the mail server, as often as it needs.

Each mail is sent at least once. A row is claimed by pushing its next try into the future, then
sent, then marked as sent. A worker killed between the last two leaves a mail that went out and
does not say so; it is sent again, with the same Message-ID. The other way round, a mail nobody
ever got would say it was sent, and no row could tell: a pool would stand still unnoticed.
"""

import logging
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
from typing import Any, Final
from uuid import UUID

from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Case, F, QuerySet, TextField, Value, When

from accounts.models import Organization
from prebuilds.mail.composing import compose
from prebuilds.mail.recipients import list_recipients, wish_of
from prebuilds.mail.wording import say_error
from prebuilds.mail.writing import newest_digest_day
from prebuilds.models import Mail

logger = logging.getLogger(__name__)

GIVE_UP_AFTER: Final = timedelta(days=3)
LONGEST_WAIT: Final = timedelta(minutes=60)
KEEP: Final = timedelta(days=30)
AT_ONCE: Final = 200
PATIENCE_SECONDS: Final = 30.0
"""A worker's task may take 50 s; one mail to a slow server may take the rest."""

NOT_IN_TIME: Final = "No mail server took it within three days."
UNWANTED: Final = "Its reader has left, has no address, opted out or may not read it any more."
OVERTAKEN: Final = "The next day's reminder takes its place."

_REFUSES_US: Final = re.compile(r"53\d |5\d\d 5\.7\.")
"""Signing in (RFC 4954) and policy, such as relaying (RFC 3463, 5.7)."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What one run did. `put_off` are tried again, `given_up` never; `reached` is the server."""

    sent: int = 0
    put_off: int = 0
    given_up: int = 0
    reached: bool = True


def send_due(
    *,
    now: datetime,
    connection: BaseEmailBackend | None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Delivery:
    """Send the mails whose time has come, oldest first, over one connection.

    Two at once send each once. A server that cannot be reached costs no mail an attempt; one
    that breaks off ends the run. Without a connection nothing is sent.
    """
    delivery = Delivery(given_up=_give_up_old(now, is_wrong=connection is not None))
    rows = list(_waiting().filter(next_try_at__lte=now)[:AT_ONCE]) if connection else []
    if connection is None or not rows:
        return delivery
    started = time.monotonic()
    unwanted = _find_unwanted(rows)
    delivery.given_up += _give_up(Mail.objects.filter(pk__in=unwanted), now, UNWANTED)
    if overtaken := _find_overtaken(rows, now) - unwanted:
        delivery.given_up += _give_up(Mail.objects.filter(pk__in=overtaken), now, OVERTAKEN)
    if not _open(connection):
        delivery.reached = False
        return delivery
    try:
        for row in rows:
            elapsed = time.monotonic() - started
            if elapsed > patience_seconds or not delivery.reached:
                break
            if row.pk not in unwanted | overtaken:
                _send(row, connection, now + timedelta(seconds=elapsed), delivery)
    finally:
        with suppress(OSError, SMTPException):
            connection.close()
    return delivery


def prune_mails(*, now: datetime) -> int:
    """Forget mails that were sent or given up a month ago; return how many."""
    over = Mail.objects.filter(created_at__lt=now - KEEP).exclude(pk__in=_waiting().values("pk"))
    deleted, _ = over.delete()
    return deleted


def _waiting() -> QuerySet[Mail]:
    rows = Mail.objects.filter(sent_at__isnull=True, given_up_at__isnull=True)
    return rows.select_related("recipient", "notice").order_by("created_at", "pk")


def _open(connection: BaseEmailBackend) -> bool:
    try:
        connection.open()
    except (OSError, SMTPException) as error:
        logger.warning("mail server cannot be reached", extra={"error": _words(error)})
        return False
    return True


def _send(row: Mail, connection: BaseEmailBackend, at: datetime, delivery: Delivery) -> None:
    """Claim one row and send it, unless another sender has it; its own trouble stops no other."""
    if not _claim(row, at):
        return
    try:
        connection.send_messages([compose(row)])
    except SMTPRecipientsRefused as refusal:
        _note_refusal(row, refusal, at, delivery)
    except SMTPDataError as error:
        _put_off(row, error, delivery)
    except (OSError, SMTPException) as error:
        logger.warning("mail server broke off", extra={"error": _words(error)})
        delivery.reached = False
        _put_off(row, error, delivery)
    except Exception as error:
        logger.exception("send mail failed", extra={"mail": str(row.pk)})
        _put_off(row, error, delivery)
    else:
        _record_sent(row, at)
        delivery.sent += 1


def _claim(row: Mail, at: datetime) -> bool:
    """Push the row's next try into the future; False when another sender was quicker."""
    ours = _just(row).filter(next_try_at=row.next_try_at)
    wait = min(timedelta(minutes=2 ** min(row.attempts, 10)), LONGEST_WAIT)
    return bool(ours.update(next_try_at=at + wait, attempts=F("attempts") + 1))


def _record_sent(row: Mail, at: datetime) -> None:
    Mail.objects.filter(pk=row.pk).update(sent_at=at, given_up_at=None, error="")


def _note_refusal(
    row: Mail, refusal: SMTPRecipientsRefused, at: datetime, delivery: Delivery
) -> None:
    """Give up an address that is refused for good (5xx); one refused for now is tried again.

    A server that would take mail for nobody from us, for it wants us to sign in, is one to mend:
    no fault of the address.
    """
    code, said = next(iter(refusal.recipients.values()))
    words = f"{code} {said.decode(errors='replace')}"
    if 500 <= code < 600 and not _REFUSES_US.match(words):
        logger.warning("mail refused", extra={"mail": str(row.pk), "error": say_error(words)})
        delivery.given_up += _give_up(_just(row), at, say_error(words))
    else:
        _put_off(row, words, delivery)


def _put_off(row: Mail, error: object, delivery: Delivery) -> None:
    _just(row).update(error=_words(error))
    delivery.put_off += 1


def _give_up(rows: QuerySet[Mail], at: datetime, why: str) -> int:
    waiting = rows.filter(sent_at__isnull=True, given_up_at__isnull=True)
    return waiting.order_by().update(given_up_at=at, error=why)


def _give_up_old(now: datetime, *, is_wrong: bool) -> int:
    """Give up what is too old to help, with the last error as the reason if there was one.

    Where no mail is sent at all, that is how it is meant, and no error.
    """
    old = _waiting().select_related(None).filter(created_at__lte=now - GIVE_UP_AFTER).order_by()
    why = Case(
        When(error="", then=Value(NOT_IN_TIME)), default=F("error"), output_field=TextField()
    )
    number = old.update(given_up_at=now, error=why)
    if number and is_wrong:
        logger.error("mails given up", extra={"mails": number, "after": str(GIVE_UP_AFTER)})
    return number


def _just(row: Mail) -> QuerySet[Mail]:
    return Mail.objects.filter(pk=row.pk, sent_at__isnull=True, given_up_at__isnull=True)


def _find_overtaken(rows: Sequence[Mail], now: datetime) -> set[UUID]:
    """Find reminders of a day that is over: the next one tells what is still open."""
    newest = newest_digest_day(now)
    return {row.pk for row in rows if row.digest_on and row.digest_on < newest}


def _find_unwanted(rows: Sequence[Mail]) -> set[UUID]:
    """Find mails whose reader would not get them now; three statements for each kind."""
    homes = set(Organization.objects.values_list("pk", flat=True))
    readers: Mapping[Any, Mapping[UUID, set[UUID]]] = {
        wish: {
            home: {user.pk for user in people}
            for home, people in list_recipients(homes, wish=wish).items()
        }
        for wish in {wish_of(row.step) for row in rows}
    }
    return {row.pk for row in rows if not _is_wanted(row, readers[wish_of(row.step)])}


def _is_wanted(row: Mail, readers: Mapping[UUID, set[UUID]]) -> bool:
    if row.notice:
        return row.recipient_id in readers[row.notice.organization_id]
    return any(row.recipient_id in people for people in readers.values())


def _words(error: object) -> str:
    return say_error(str(error)) or type(error).__name__
