"""Two senders, two writers: each mail once (semantics.md 21)."""

import pytest

from prebuilds.mail import sending, writing
from prebuilds.models import Mail
from tests.concurrency.racing import errors, race
from tests.factories import NOON, hours
from tests.integration.prebuilds.mailing import (
    Inbox,
    connect,
    mail_server,
    make_preset,
    make_reader,
    open_notice,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_senders_at_once_send_each_mail_once():
    names = [f"reader-{number:02}" for number in range(20)]
    for name in names:
        make_reader(name)
    open_notice(make_preset())
    inbox = Inbox()

    with mail_server(inbox) as port:

        def send():
            return sending.send_due(now=NOON, connection=connect(port))

        outcomes = race(send, send, send)

    assert errors(outcomes) == []
    assert sum(one.sent for one in outcomes) == 20
    assert inbox.readers() == [f"{name}@example.com" for name in names]
    assert not Mail.objects.exclude(attempts=1, sent_at__isnull=False).exists()


def test_two_that_write_the_days_digests_write_each_once():
    for number in range(20):
        make_reader(f"reader-{number}")
    open_notice(make_preset())

    def write():
        return writing.write_digests(now=NOON + hours(24))

    outcomes = race(write, write, write)

    assert errors(outcomes) == []
    assert Mail.objects.filter(step="digest").count() == 20
