"""Choosing mails, stopping them by their link, and looking at them in debug."""

import re

import pytest
from django.test import Client

from prebuilds.mail import preferences
from prebuilds.models import Mail, MailPreference
from tests.factories import make_user
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor
from tests.integration.prebuilds.mailing import make_preset, make_reader, open_notice

pytestmark = pytest.mark.django_db

PAGE = "/account/mail/"


def wishes(user):
    chosen = preferences.preference_of(user)
    return chosen.incidents, chosen.digest


class TestChoosing:
    @pytest.mark.parametrize(
        ("kind", "status"), [("owner", 200), ("auditor", 200), ("member", 200), ("stranger", 302)]
    )
    def test_everybody_has_the_page(self, kind, status):
        assert visitor(kind).get(PAGE).status_code == status

    def test_the_account_page_leads_there(self):
        assert f'href="{PAGE}"' in visitor("member").get("/account/").text

    def test_one_gets_all_until_one_says_otherwise(self):
        ana = make_reader("ana")

        text = text_of(client_of(ana).get(PAGE))

        assert text.count(" checked") == 2
        assert "to <strong>ana@example.com</strong>" in text

    def test_what_is_chosen_is_kept_and_shown(self):
        ana = make_reader("ana")
        client = client_of(ana)

        response = client.post(PAGE, {"digest": "on"})

        assert response["Location"] == PAGE
        assert wishes(ana) == (False, True)
        assert text_of(client.get(PAGE)).count(" checked") == 1
        client.post(PAGE, {"incidents": "on"})
        assert wishes(ana) == (True, False)
        assert MailPreference.objects.count() == 1

    def test_it_says_why_one_gets_none(self, settings):
        settings.PREBUILDS_SENDS_MAIL = False
        nobody, silent = make_user("nobody"), make_user("silent", roles=["owner"])

        assert "You do not, so you get none" in client_of(nobody).get(PAGE).text
        text = client_of(silent).get(PAGE).text
        assert "You have no e-mail address" in text
        assert "no mail server is set up" in text

    def test_the_page_costs_few_statements(self, django_assert_max_num_queries):
        client = client_of(make_reader("ana"))

        with django_assert_max_num_queries(6):
            client.get(PAGE)


class TestUnsubscribing:
    @pytest.mark.parametrize(
        ("wish", "words", "after"),
        [
            ("incidents", "No more mails about notices", (False, True)),
            ("digest", "No more daily reminders", (True, False)),
        ],
    )
    def test_the_link_asks_and_the_button_stops_one_kind(self, wish, words, after):
        ana, client = make_reader("ana"), Client(enforce_csrf_checks=True)
        address = f"/mail/unsubscribe/{preferences.sign_unsubscribe(ana.pk, wish)}/"

        asked = client.get(address)

        assert words in asked.text
        assert asked.text.count("<button") == 1
        assert wishes(ana) == (True, True)
        assert "no-store" in asked["Cache-Control"]
        done = client.post(address)
        assert (done.status_code, wishes(ana)) == (200, after)
        assert "Stopped" in done.text
        assert client.post(address).status_code == 200

    def test_a_mail_programs_own_button_needs_no_page_and_no_cookie(self):
        ana = make_reader("ana")
        address = f"/mail/unsubscribe/{preferences.sign_unsubscribe(ana.pk, 'incidents')}/"

        response = Client(enforce_csrf_checks=True).post(
            address,
            "List-Unsubscribe=One-Click",
            content_type="application/x-www-form-urlencoded",
        )

        assert response.status_code == 200
        assert wishes(ana) == (False, True)

    def test_stopping_one_kind_leaves_what_was_chosen_of_the_other(self):
        ana = make_reader("ana")
        preferences.set_preference(user=ana, incidents=True, digest=False)

        Client().post(f"/mail/unsubscribe/{preferences.sign_unsubscribe(ana.pk, 'incidents')}/")

        assert wishes(ana) == (False, False)

    @pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: t + "x", lambda t: "x"])
    def test_a_link_that_was_tampered_with_stops_nothing(self, spoil):
        ana = make_reader("ana")
        token = spoil(preferences.sign_unsubscribe(ana.pk, "incidents"))

        response = Client().post(f"/mail/unsubscribe/{token}/")

        assert response.status_code == 404
        assert "This link stops no mails" in response.text
        assert wishes(ana) == (True, True)

    def test_the_link_of_somebody_who_is_gone_says_so(self):
        ana = make_reader("ana")
        token = preferences.sign_unsubscribe(ana.pk, "incidents")
        ana.delete()

        assert Client().post(f"/mail/unsubscribe/{token}/").status_code == 404

    def test_it_signs_nobody_in(self):
        client = Client()
        token = preferences.sign_unsubscribe(make_reader("ana").pk, "incidents")

        client.post(f"/mail/unsubscribe/{token}/")

        assert client.get(PAGE).status_code == 302


class TestMailbox:
    @pytest.fixture
    def mail(self, settings):
        settings.DEBUG = True
        make_reader("ana")
        open_notice(make_preset(name="shell"), detail="<script>alert(1)</script>")
        return Mail.objects.get()

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("owner", 200),
            ("auditor", 200),
            ("template admin", 404),
            ("member", 404),
            ("stranger", 302),
        ],
    )
    def test_it_is_for_who_may_read_the_audit_log(self, mail, kind, status):
        client = visitor(kind)

        for address in ("", f"{mail.pk}/", f"{mail.pk}/html"):
            assert client.get(f"/mailbox/{address}").status_code == status

    @pytest.mark.parametrize("address", ["", "{}/", "{}/html"])
    def test_outside_debug_there_is_none(self, mail, settings, address):
        settings.DEBUG = False

        response = visitor("owner").get(f"/mailbox/{address.format(mail.pk)}")

        assert response.status_code == 404

    def test_the_list_shows_every_mail_and_what_became_of_it(self, mail):
        Mail.objects.update(error="451 <i>later</i>")

        text = text_of(visitor("owner").get("/mailbox/"))

        assert "shell / Small: Stopped after repeated failures" in text
        assert "ana@example.com" in text
        assert "Waits" in text
        assert "451 &lt;i&gt;later&lt;/i&gt;" in text

    def test_it_can_be_taken_away_as_a_file(self, mail):
        response = visitor("owner").get("/mailbox/?format=csv")

        assert "ana@example.com" in response.getvalue().decode()

    def test_a_mail_is_shown_as_text_and_in_a_frame_without_rights(self, mail):
        response = visitor("owner").get(f"/mailbox/{mail.pk}/")

        assert re.search(rf'<iframe [^>]*src="/mailbox/{mail.pk}/html" sandbox', response.text)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.text
        assert "<script>alert" not in response.text
        assert "List-Unsubscribe-Post" in response.text

    def test_the_frame_may_style_and_nothing_else(self, mail):
        response = visitor("owner").get(f"/mailbox/{mail.pk}/html")

        policy = response["Content-Security-Policy"]
        assert policy == (
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
        )
        assert response["X-Frame-Options"] == "SAMEORIGIN"
        assert "<script>" not in response.text

    def test_an_empty_one_says_what_will_be_there(self, settings):
        settings.DEBUG = True

        assert "No mail was written yet" in visitor("owner").get("/mailbox/").text
