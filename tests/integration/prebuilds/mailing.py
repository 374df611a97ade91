"""What tests of mail share: incidents without a cycle, people with addresses, a mail server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction

from accounts.models import User
from prebuilds.mail import writing
from prebuilds.models import Notice
from templates_app.models import Preset
from tests import factories
from tests.factories import NOON

LOOPBACK = "127.0.0.1"


def make_reader(name: str, **fields: Any) -> User:
    """Make a person with an address who may change templates."""
    fields.setdefault("roles", ["template-admin"])
    user = factories.make_user(name, **fields)
    user.email = f"{name}@example.com"
    user.save()
    return user


def make_preset(**fields: Any) -> Preset:
    return factories.preset_of(factories.make_template(**fields))


def open_notice(
    about: Preset, *, detail: str = "no such image", now: datetime = NOON, **fields: Any
) -> Notice:
    """Open a notice about a preset, and write its mails as a cycle does."""
    with transaction.atomic():
        notice = Notice.objects.create(
            **{
                "kind": "hard_limited",
                "organization_id": about.version.template.organization_id,
                "preset": about,
                "detail": detail,
                "opened_at": now,
                **fields,
            }
        )
        writing.write_mails(opened=[notice], closed=[], now=now)
    return notice


def close_notice(notice: Notice, *, now: datetime, cold_starts: int = 0) -> None:
    with transaction.atomic():
        notice.closed_at, notice.cold_starts = now, cold_starts
        notice.save()
        writing.write_mails(opened=[], closed=[notice], now=now)


class Inbox:
    """What a mail server took; addresses in `refuse` get their answer instead."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse: dict[str, str] = {}
        self.refuse_data = ""
        self.break_off_after: int | None = None
        self._lock = threading.Lock()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.refuse_data:
            return self.refuse_data
        if self.break_off_after == len(self.mails):
            server.transport.abort()
            return "421 gone"
        with self._lock:
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def readers(self) -> list[str]:
        return sorted(str(mail["To"]) for mail in self.mails)

    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]


@contextmanager
def mail_server(inbox: Inbox, port: int = 0) -> Iterator[int]:
    """Run a real mail server on this machine; yields its port."""
    controller = _Controller(inbox, hostname=LOOPBACK, port=port)
    controller.start()
    try:
        yield controller.server.sockets[0].getsockname()[1]
    finally:
        controller.stop()


class _Controller(Controller):
    """A controller that finds out the port the system chose."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def connect(port: int) -> EmailBackend:
    return EmailBackend(host=LOOPBACK, port=port, username="", password="", timeout=5)
