"""Make the rows of mails: one per person and step of a notice, one digest per person and day.

A body is made once for all who get it. Statements do not grow with notices or people.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from prebuilds.mail.recipients import list_recipients
from prebuilds.mail.wording import ADVICE, say_error, say_gist, say_names, say_subject, say_where
from prebuilds.models import Mail, MailStep, Notice, NoticeKind

AT_ONCE: Final = 1_000
LISTED: Final = 50
"""How many notices a digest names; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a mail says, whoever gets it."""

    subject: str
    text: str
    html: str


def write_mails(
    *,
    opened: Iterable[Notice],
    closed: Iterable[Notice],
    now: datetime,
    without_preset: bool = False,
) -> None:
    """Write the mails about notices that opened and closed, in the caller's transaction.

    What happened to one claim is over at once, so its closing a week later is no news. Writing
    again what is written already changes nothing. `without_preset`: it is about to be deleted,
    so they lead to the template's page.
    """
    steps = {(one.pk, MailStep.OPENED) for one in opened} | {
        (one.pk, MailStep.CLOSED) for one in closed if one.kind != NoticeKind.RESOURCE_REPLACED
    }
    if not steps:
        return
    notices = _with_names(Notice.objects.filter(pk__in={pk for pk, _ in steps})).in_bulk()
    people = list_recipients({one.organization_id for one in notices.values()}, wish="incidents")
    _insert(
        _mail(user, body, now, step=step, notice_id=pk)
        for pk, step in sorted(steps)
        if pk in notices and people[notices[pk].organization_id]
        for body in [_tell(notices[pk], step, without_preset=without_preset)]
        for user in people[notices[pk].organization_id]
    )


def write_digests(*, now: datetime) -> int:
    """Write today's digests once their hour has come; return for how many people.

    Each lists what is open in the organizations its reader looks after. What opened today was
    told today. At most five statements, one when nothing is open.
    """
    today = now.astimezone(UTC).date()
    if newest_digest_day(now) != today:
        return 0
    midnight = datetime.combine(today, time.min, UTC)
    still_open = Notice.objects.filter(closed_at__isnull=True, opened_at__lt=midnight)
    notices = list(_with_names(still_open).order_by("opened_at", "pk"))
    return _write_digests(notices, today, now) if notices else 0


def newest_digest_day(now: datetime) -> date:
    """Return the day (UTC) whose digest is the newest there can be: today's, once its hour came."""
    return (now.astimezone(UTC) - timedelta(hours=settings.PREBUILDS_DIGEST_HOUR)).date()


def _write_digests(notices: Sequence[Notice], today: date, now: datetime) -> int:
    told = set(Mail.objects.filter(digest_on=today).values_list("recipient_id", flat=True))
    homes: dict[User, set[UUID]] = {}
    by_home = list_recipients({one.organization_id for one in notices}, wish="digest")
    for organization_id, people in by_home.items():
        for user in people:
            if user.pk not in told:
                homes.setdefault(user, set()).add(organization_id)
    bodies = {
        organizations: _digest(
            [one for one in notices if one.organization_id in organizations], now
        )
        for organizations in {frozenset(each) for each in homes.values()}
    }
    _insert(
        _mail(user, bodies[frozenset(each)], now, step=MailStep.DIGEST, digest_on=today)
        for user, each in homes.items()
    )
    return len(homes)


def _with_names(notices: QuerySet[Notice]) -> QuerySet[Notice]:
    return notices.select_related("organization", "preset__version__template")


def _mail(user: User, body: Body, now: datetime, **fields: Any) -> Mail:
    return Mail(
        recipient=user,
        subject=body.subject,
        text=body.text,
        html=body.html,
        created_at=now,
        next_try_at=now,
        **fields,
    )


def _insert(mails: Iterable[Mail]) -> None:
    """Insert those that are not there yet, in one order, so that two at once only wait."""
    rows = sorted(mails, key=lambda mail: (mail.recipient_id, str(mail.notice_id), mail.step))
    Mail.objects.bulk_create(rows, batch_size=AT_ONCE, ignore_conflicts=True)


def _tell(notice: Notice, step: MailStep, *, without_preset: bool) -> Body:
    over = "Over: " if step == MailStep.CLOSED else ""
    page = _page_of(notice, without_preset=without_preset)
    facts = {
        "one": {**_facts(notice), "url": _address(page)},
        "lasted": (notice.closed_at or notice.opened_at) - notice.opened_at,
    }
    title = NoticeKind(notice.kind).label
    return _render(step, f"{over}{say_where(notice)}: {title}", facts)


def _digest(notices: Sequence[Notice], now: datetime) -> Body:
    number = len(notices)
    what = "1 notice is still open" if number == 1 else f"{number} notices are still open"
    facts = {
        "what": what,
        "ones": [{**_facts(one), "open_for": now - one.opened_at} for one in notices[:LISTED]],
        "more": max(number - LISTED, 0),
        "url": _address(reverse("dashboard:notices")),
    }
    return _render(MailStep.DIGEST, what, facts)


def _facts(notice: Notice) -> Mapping[str, Any]:
    kind = NoticeKind(notice.kind)
    return {
        "notice": notice,
        "title": kind.label,
        "where": say_where(notice),
        "names": say_names(notice),
        "advice": ADVICE[kind],
        "error": say_error(notice.detail),
        "gist": say_gist(notice.detail),
        "harms": kind.harms,
        "url": _address(_page_of(notice)),
    }


def _page_of(notice: Notice, *, without_preset: bool = False) -> str:
    if notice.preset and without_preset:
        return reverse("dashboard:template", args=[notice.preset.version.template_id])
    if notice.preset_id:
        return reverse("dashboard:preset", args=[notice.preset_id])
    return reverse("dashboard:organization", args=[notice.organization_id])


def _address(path: str) -> str:
    return f"{settings.PREBUILDS_ACCESS_URL}{path}"


def _render(step: MailStep, subject: str, facts: Mapping[str, Any]) -> Body:
    return Body(
        subject=say_subject(subject),
        text=render_to_string(f"mail/{step}.txt", dict(facts)).strip(),
        html=render_to_string(f"mail/{step}.html", dict(facts)).strip(),
    )
