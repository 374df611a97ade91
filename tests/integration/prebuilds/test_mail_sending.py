"""Mails reach a real mail server: every one, whatever happens on the way (semantics.md 21)."""

import logging
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail as django_mail

from accounts.models import Membership
from prebuilds import tasks
from prebuilds.mail import preferences, sending, writing
from prebuilds.models import Mail, Notice
from tests import factories
from tests.factories import NOON, hours
from tests.integration.prebuilds.mailing import (
    Inbox,
    connect,
    mail_server,
    make_preset,
    make_reader,
    open_notice,
)

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def port(inbox):
    with mail_server(inbox) as port:
        yield port


def make_mails(*names):
    for name in names:
        make_reader(name)
    return open_notice(make_preset(name="shell"), detail="<script>no such image</script>")


def row_of(name):
    return Mail.objects.get(recipient__username=name)


def send(port, now=NOON, **kwargs):
    return sending.send_due(now=now, connection=connect(port), **kwargs)


class TestWhatGoesOut:
    def test_a_mail_has_both_bodies_and_the_headers_mail_programs_heed(self, inbox, port):
        notice = make_mails("ana")

        assert send(port).sent == 1

        (mail,), row = inbox.mails, row_of("ana")
        text, html = (mail.get_body([kind]).get_content() for kind in ("plain", "html"))
        assert mail["Subject"] == "shell / Small: Stopped after repeated failures"
        assert (mail["From"], mail["To"]) == ("Prebuilds <prebuilds@localhost>", "ana@example.com")
        assert mail["Message-ID"] == f"<{row.pk}@localhost>"
        assert mail["References"] == f"<notice.{notice.pk}@localhost>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = mail["List-Unsubscribe"].replace(" ", "").strip("<>")
        assert link.startswith("http://127.0.0.1:8000/mail/unsubscribe/")
        assert f"No more mails about notices: {link}" in text
        assert f'href="{link}"' in html
        assert "&lt;script&gt;no such image" in html
        assert "<script>" not in html
        assert NOON <= row.sent_at < NOON + MINUTE
        assert (row.attempts, row.error) == (1, "")

    def test_the_headers_are_plain_where_a_domain_is_not(self, inbox, port, settings):
        settings.DEFAULT_FROM_EMAIL = "Prebuilds <prebuilds@bücher.example>"
        settings.PREBUILDS_ACCESS_URL = "https://bücher.example:8443"
        notice = make_mails("ana")

        send(port)

        (mail,) = inbox.mails
        domain = "xn--bcher-kva.example"
        assert mail["Message-ID"].strip() == f"<{row_of('ana').pk}@{domain}>"
        assert mail["References"].strip() == f"<notice.{notice.pk}@{domain}>"
        link = mail["List-Unsubscribe"].strip()
        assert link.startswith(f"<https://{domain}:8443/mail/unsubscribe/")

    def test_the_link_is_stored_nowhere(self):
        make_mails("ana")

        row = row_of("ana")

        assert "unsubscribe" not in row.text + row.html

    def test_all_go_over_one_connection_oldest_first_and_once(self, inbox, port):
        make_mails("ana", "ben")
        open_notice(make_preset(name="later"), now=NOON + MINUTE)

        done = send(port, NOON + MINUTE)
        again = send(port, NOON + hours(1))

        assert (done.sent, again.sent) == (4, 0)
        subjects = [mail["Subject"].split(" ")[0] for mail in inbox.mails]
        assert subjects == ["shell", "shell", "later", "later"]

    def test_without_a_connection_nothing_is_sent_and_all_wait(self):
        make_mails("ana")

        assert sending.send_due(now=NOON, connection=None).sent == 0

        row = row_of("ana")
        assert (row.sent_at, row.attempts) == (None, 0)


class TestTrouble:
    def test_a_server_that_was_away_gets_every_mail_once_when_it_is_back(self, inbox, caplog):
        make_mails("ana", "ben", "eva")
        with mail_server(Inbox()) as port:
            pass

        for number in range(4):
            with caplog.at_level(logging.WARNING):
                assert not send(port, NOON + number * hours(10)).reached
        with mail_server(inbox, port):
            for number in range(2):
                send(port, NOON + hours(41) + number * MINUTE)

        assert inbox.readers() == ["ana@example.com", "ben@example.com", "eva@example.com"]
        assert "mail server cannot be reached" in caplog.messages
        assert set(Mail.objects.values_list("attempts", flat=True)) == {1}

    def test_a_server_that_breaks_off_ends_the_run_and_loses_none(self, inbox, port):
        make_mails("ana", "ben", "eva")
        inbox.break_off_after = 1

        broken = send(port)
        inbox.break_off_after = None
        within = send(port, NOON + MINUTE / 2)
        after = send(port, NOON + 2 * MINUTE)

        assert (broken.sent, broken.put_off, broken.reached) == (1, 1, False)
        assert (within.sent, after.sent) == (1, 1)
        assert inbox.readers() == ["ana@example.com", "ben@example.com", "eva@example.com"]

    def test_killed_between_sending_and_recording_it_is_sent_again_as_the_same(
        self, inbox, port, monkeypatch
    ):
        make_mails("ana")

        def killed(*args):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(sending, "_record_sent", killed)
            with pytest.raises(KeyboardInterrupt):
                send(port)
        too_early = send(port, NOON + MINUTE / 2)
        again = send(port, NOON + 2 * MINUTE)

        assert (too_early.sent, again.sent) == (0, 1)
        assert inbox.ids() == [f"<{row_of('ana').pk}@localhost>"] * 2
        assert row_of("ana").sent_at >= NOON + 2 * MINUTE

    def test_an_address_refused_for_good_is_given_up_and_the_others_are_sent(self, inbox, port):
        make_mails("ana", "ben")
        inbox.refuse["ana@example.com"] = "550 5.1.1 no such mailbox"

        done = send(port)

        assert (done.sent, done.given_up) == (1, 1)
        row = row_of("ana")
        assert row.given_up_at >= NOON
        assert row.error == "550 5.1.1 no such mailbox"
        assert inbox.readers() == ["ben@example.com"]

    @pytest.mark.parametrize(
        "said",
        [
            "554 5.7.1 <ana@example.com>: Relay access denied",
            "530 5.7.0 Authentication required",
            "530 Authentication required",
        ],
    )
    def test_a_server_that_refuses_us_and_not_the_address_loses_no_mail(self, inbox, port, said):
        make_mails("ana")
        inbox.refuse["ana@example.com"] = said

        assert send(port).put_off == 1
        assert row_of("ana").error == said
        inbox.refuse.clear()

        assert send(port, row_of("ana").next_try_at).sent == 1

    def test_an_address_refused_for_now_waits_longer_each_time_up_to_an_hour(self, inbox, port):
        make_mails("ana")
        inbox.refuse["ana@example.com"] = "451 4.7.1 try later"
        waits, now = [], NOON

        for _ in range(8):
            assert send(port, now).put_off == 1
            waits.append(round((row_of("ana").next_try_at - now) / MINUTE))
            now = row_of("ana").next_try_at
        inbox.refuse.clear()

        assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
        assert row_of("ana").error == "451 4.7.1 try later"
        assert send(port, now).sent == 1
        assert row_of("ana").error == ""

    def test_a_mail_the_server_does_not_like_stops_no_other(self, inbox, port):
        make_mails("ana", "ben")
        inbox.refuse_data = "554 looks like spam"

        assert send(port).put_off == 2

        assert "looks like spam" in row_of("ben").error

    def test_a_row_that_cannot_be_made_a_mail_stops_no_other(self, inbox, port, caplog):
        make_mails("ana", "ben")
        Mail.objects.filter(recipient__username="ana").update(subject="two\nlines")

        done = send(port)

        assert (done.sent, done.put_off) == (1, 1)
        assert inbox.readers() == ["ben@example.com"]
        assert "send mail failed" in caplog.messages

    def test_after_three_days_it_is_given_up_with_its_last_error(self, inbox, port, caplog):
        make_mails("ana", "ben")
        Mail.objects.filter(recipient__username="ana").update(error="451 try later")

        almost = sending.send_due(now=NOON + timedelta(days=3) - MINUTE, connection=None)
        done = send(port, NOON + timedelta(days=3))

        assert (almost.given_up, done.given_up, done.sent) == (0, 2, 0)
        assert row_of("ana").error == "451 try later"
        assert row_of("ben").error == sending.NOT_IN_TIME
        assert "mails given up" in caplog.messages
        assert inbox.mails == []

    def test_where_no_mail_is_sent_giving_up_is_no_error(self, caplog):
        make_mails("ana")

        done = sending.send_due(now=NOON + timedelta(days=3), connection=None)

        assert done.given_up == 1
        assert row_of("ana").error == sending.NOT_IN_TIME
        assert [one.levelname for one in caplog.records if one.message == "mails given up"] == []

    def test_a_run_ends_in_time_and_leaves_the_rest_to_the_next(self, inbox, port):
        make_mails("ana", "ben")

        assert send(port, patience_seconds=-1).sent == 0

        assert set(Mail.objects.values_list("attempts", flat=True)) == {0}
        assert send(port).sent == 2

    def test_a_server_that_breaks_off_while_closing_takes_nothing_back(self, inbox, port):
        make_mails("ana")
        connection = connect(port)

        def close():
            raise SMTPServerDisconnected("gone")

        connection.close, real_close = close, connection.close
        assert sending.send_due(now=NOON, connection=connection).sent == 1
        real_close()


class TestWhoStillWantsIt:
    @pytest.mark.parametrize("why", ["left", "no address", "opted out", "no role"])
    def test_a_mail_that_waited_is_not_sent_to_who_would_not_get_it_now(self, inbox, port, why):
        make_mails("ana", "ben")
        ana = factories.User.objects.get(username="ana")
        match why:
            case "left":
                ana.is_active = False
            case "no address":
                ana.email = ""
            case "opted out":
                preferences.set_preference(user=ana, incidents=False, digest=True)
            case "no role":
                ana.roles = []
        ana.save()

        done = send(port)

        assert (done.sent, done.given_up) == (1, 1)
        assert (row_of("ana").given_up_at, row_of("ana").error) == (NOON, sending.UNWANTED)
        assert inbox.readers() == ["ben@example.com"]

    def test_one_about_an_organization_one_left_is_not_sent(self, inbox, port):
        home, away = factories.default_organization(), factories.make_organization()
        ana = make_reader("ana", roles=[], organization_roles=["organization-admin"])
        Membership.objects.create(user=ana, organization=away, roles=["organization-admin"])
        open_notice(make_preset())
        Membership.objects.filter(user=ana, organization=home).delete()

        assert send(port).given_up == 1

    def test_the_address_is_the_one_of_now(self, inbox, port):
        make_mails("ana")
        factories.User.objects.filter(username="ana").update(email="new@example.com")

        send(port)

        assert inbox.readers() == ["new@example.com"]

    def test_asking_who_costs_the_same_for_many(self, port, django_assert_max_num_queries):
        make_mails(*(f"reader-{number}" for number in range(10)))

        with django_assert_max_num_queries(7 + 2 * 10):
            assert send(port).sent == 10


class TestReminders:
    """Of daily ones that waited for the server only the newest goes out."""

    DAY = timedelta(days=1)

    def remind(self, days):
        """Write the reminders of these days, with the server away."""
        make_mails("ana")
        Mail.objects.update(sent_at=NOON)
        for day in range(1, days + 1):
            assert writing.write_digests(now=NOON + day * self.DAY) == 1

    def test_after_days_without_a_server_one_goes_out(self, inbox, port):
        self.remind(3)

        done = send(port, now=NOON + 3 * self.DAY)

        assert (done.sent, done.given_up) == (1, 2)
        sent = Mail.objects.get(step="digest", given_up_at=None)
        assert (sent.digest_on, sent.sent_at is None) == ((NOON + 3 * self.DAY).date(), False)
        errors = Mail.objects.exclude(given_up_at=None).values_list("error", flat=True)
        assert set(errors) == {sending.OVERTAKEN}

    def test_one_that_would_tell_what_is_over_goes_out_no_more(self, inbox, port):
        self.remind(1)
        Notice.objects.update(closed_at=NOON + self.DAY, cold_starts=0)

        assert send(port, now=NOON + 2 * self.DAY).given_up == 1
        assert inbox.mails == []

    @pytest.mark.parametrize(("minutes", "sent"), [(-1, 1), (0, 0)])
    def test_until_the_hour_of_the_next_it_does(self, inbox, port, settings, minutes, sent):
        settings.PREBUILDS_DIGEST_HOUR = 7
        self.remind(1)
        next_one = NOON.replace(hour=7) + 2 * self.DAY

        assert send(port, now=next_one + minutes * MINUTE).sent == sent

    def test_what_tells_of_a_notice_is_sent_however_many_days_it_waited(self, inbox, port):
        make_mails("ana")

        assert send(port, now=NOON + 2 * self.DAY).sent == 1


class TestTask:
    def test_it_sends_what_is_due_when_there_is_a_server(self, settings):
        settings.PREBUILDS_SENDS_MAIL = True
        settings.PREBUILDS_DIGEST_HOUR = 0
        make_reader("ana")
        now = factories.timezone.now()
        open_notice(make_preset(), now=now - timedelta(days=2))

        assert tasks.send_mail() == "2 sent, 0 put off, 0 given up"

        subjects = {mail.subject for mail in django_mail.outbox}
        assert "1 notice is still open" in subjects
        assert len(subjects) == 2

    def test_without_a_server_it_sends_nothing(self, settings):
        settings.PREBUILDS_SENDS_MAIL = False
        make_reader("ana")
        open_notice(make_preset(), now=factories.timezone.now())

        assert tasks.send_mail() == "0 sent, 0 put off, 0 given up"

        assert django_mail.outbox == []

    def test_housekeeping_forgets_what_was_over_a_month_ago_and_keeps_what_waits(self):
        make_mails("ana", "ben", "eva")
        Mail.objects.filter(recipient__username="ana").update(sent_at=NOON)
        Mail.objects.filter(recipient__username="ben").update(given_up_at=NOON, error="x")

        assert sending.prune_mails(now=NOON + timedelta(days=30)) == 0
        assert sending.prune_mails(now=NOON + timedelta(days=31)) == 2

        assert row_of("eva").sent_at is None
