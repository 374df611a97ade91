"""Mails as rows: who gets one, when, once, and what it says (semantics.md 21)."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.audit import THE_SYSTEM
from accounts.models import Membership
from prebuilds import reconciler
from prebuilds import services as prebuild_services
from prebuilds.core.policy import Policy
from prebuilds.mail import preferences, writing
from prebuilds.models import Mail, Notice, Trigger
from templates_app.errors import StalePreset
from templates_app.models import Preset
from tests import factories
from tests.factories import NOON, hours
from tests.integration.prebuilds.mailing import (
    close_notice,
    make_preset,
    make_reader,
    open_notice,
)

pytestmark = pytest.mark.django_db

MORNING = NOON.replace(hour=7) + timedelta(days=1)


def readers(**lookups):
    return sorted(Mail.objects.filter(**lookups).values_list("recipient__username", flat=True))


class TestIncidents:
    def test_one_is_written_to_each_reader_when_it_opens_and_one_when_it_closes(self):
        make_reader("ana")
        make_reader("ben")
        notice = open_notice(make_preset())

        close_notice(notice, now=NOON + hours(3))

        assert readers(step="opened", notice=notice) == ["ana", "ben"]
        assert readers(step="closed", notice=notice) == ["ana", "ben"]
        assert set(Mail.objects.values_list("created_at", flat=True)) == {NOON, NOON + hours(3)}

    def test_telling_the_same_again_writes_nothing(self):
        make_reader("ana")
        notice = open_notice(make_preset())

        writing.write_mails(opened=[notice], closed=[], now=NOON + hours(1))

        assert Mail.objects.get().created_at == NOON

    def test_one_that_opens_anew_is_told_anew(self):
        make_reader("ana")
        preset = make_preset()
        close_notice(open_notice(preset), now=NOON + hours(1))

        open_notice(preset, now=NOON + hours(2))

        assert Mail.objects.filter(step="opened").count() == 2

    def test_only_who_may_change_templates_there_is_told(self):
        home, other = factories.default_organization(), factories.make_organization()
        make_reader("owner", roles=["owner"])
        make_reader("site", roles=["template-admin"])
        make_reader("auditor", roles=["auditor"])
        make_reader("user-admin", roles=["user-admin"])
        make_reader("member", roles=[])
        for role in ("organization-admin", "organization-template-admin", "organization-auditor"):
            make_reader(f"here-{role}", roles=[], organization_roles=[role], organization=home)
            make_reader(f"away-{role}", roles=[], organization_roles=[role], organization=other)

        open_notice(make_preset())

        assert readers() == [
            "here-organization-admin",
            "here-organization-template-admin",
            "owner",
            "site",
        ]

    def test_whoever_left_has_no_address_or_opted_out_is_not_told(self):
        make_reader("here")
        gone, silent, out = make_reader("gone"), make_reader("silent"), make_reader("out")
        gone.is_active = False
        gone.save()
        silent.email = ""
        silent.save()
        preferences.set_preference(user=out, incidents=False, digest=True)

        open_notice(make_preset())

        assert readers() == ["here"]

    def test_a_person_with_two_reasons_gets_one(self):
        make_reader("ana", roles=["owner"], organization_roles=["organization-admin"])

        open_notice(make_preset())

        assert readers() == ["ana"]

    def test_what_happened_to_a_claim_is_told_once_and_its_end_is_no_news(self):
        make_reader("ana")
        preset = make_preset()
        factories.make_ready_prebuilds(preset)
        workspace = factories.claim_prebuild(preset)
        notice = open_notice(preset, kind="resource_replaced", claim=workspace.claim)

        close_notice(notice, now=NOON + timedelta(days=7))

        assert [mail.step for mail in Mail.objects.all()] == ["opened"]

    def test_what_concerns_an_organization_names_it_and_leads_to_its_page(self):
        make_reader("ana")
        preset = make_preset()

        notice = open_notice(preset, kind="quota_warning", preset=None, detail="9 of 10")

        mail = Mail.objects.get()
        assert mail.subject == "Default: Quota nearly used up"
        assert f"/organizations/{notice.organization_id}/" in mail.text
        assert "Preset:" not in mail.text

    def test_the_statements_do_not_grow(self):
        presets = [make_preset() for _ in range(4)]
        make_reader("ana")
        with CaptureQueriesContext(
            connection,
        ) as few:
            open_notice(presets[0])
        for number in range(8):
            make_reader(f"more-{number}", organization_roles=["organization-admin"])
        notices = [
            Notice.objects.create(
                kind="hard_limited",
                organization=factories.default_organization(),
                preset=preset,
                detail="x",
                opened_at=NOON,
            )
            for preset in presets[1:]
        ]

        with CaptureQueriesContext(connection) as many, transaction.atomic():
            writing.write_mails(opened=notices, closed=[], now=NOON)

        assert Mail.objects.count() == 1 + 3 * 9
        assert len(many) <= len(few)

    def test_a_mail_outlives_the_notice_it_tells_of(self):
        make_reader("ana")
        notice = open_notice(make_preset())

        notice.delete()

        assert Mail.objects.get().notice is None


class TestDeletedPreset:
    def delete(self, preset, revision=None):
        prebuild_services.delete_preset(
            preset_id=preset.pk, revision=revision, actor=THE_SYSTEM, now=NOON + hours(1)
        )

    def test_what_was_open_about_it_is_told_to_be_over(self):
        make_reader("ana")
        preset = make_preset(name="shell")
        open_notice(preset, kind="validation_failed")

        self.delete(preset)

        mail = Mail.objects.get(step="closed")
        assert mail.subject == "Over: shell / Small: Parameters do not validate"
        assert "It lasted 1 h" in mail.text
        assert f"/templates/{preset.version.template_id}/" in mail.text
        assert str(preset.pk) not in mail.text + mail.html

    def test_what_ended_before_is_not_told_again(self):
        make_reader("ana")
        preset = make_preset()
        close_notice(open_notice(preset), now=NOON)

        self.delete(preset)

        assert Mail.objects.filter(step="closed").count() == 1

    def test_one_that_is_not_deleted_keeps_its_notice(self):
        make_reader("ana")
        preset = make_preset()
        open_notice(preset)

        with pytest.raises(StalePreset):
            self.delete(preset, revision=7)

        assert Notice.objects.get().closed_at is None
        assert not Mail.objects.filter(step="closed").exists()


class TestDigest:
    def test_each_reader_gets_one_a_day_with_what_opened_before_that_day(self):
        make_reader("ana")
        old = open_notice(make_preset(name="old"), now=NOON)
        open_notice(make_preset(name="fresh"), now=MORNING - hours(1))

        assert writing.write_digests(now=MORNING) == 1
        assert writing.write_digests(now=MORNING + hours(5)) == 0

        mail = Mail.objects.get(step="digest")
        assert mail.digest_on == date(2026, 3, 5)
        assert mail.subject == "1 notice is still open"
        assert "old / Small: Stopped after repeated failures, for 19 h" in mail.text
        assert "fresh" not in mail.text
        assert f"/presets/{old.preset_id}/" in mail.html

    def test_the_next_day_it_comes_again_and_with_the_end_no_more(self):
        make_reader("ana")
        notice = open_notice(make_preset())
        writing.write_digests(now=MORNING)

        writing.write_digests(now=MORNING + hours(24))
        close_notice(notice, now=MORNING + hours(25))
        writing.write_digests(now=MORNING + hours(48))

        days = Mail.objects.filter(step="digest").values_list("digest_on", flat=True)
        assert sorted(days) == [date(2026, 3, 5), date(2026, 3, 6)]

    @pytest.mark.parametrize(("hour", "number"), [(6, 0), (7, 0), (8, 0), (9, 1), (23, 1)])
    def test_not_before_its_hour(self, settings, hour, number):
        settings.PREBUILDS_DIGEST_HOUR = 9
        make_reader("ana")
        open_notice(make_preset())

        assert writing.write_digests(now=MORNING.replace(hour=hour)) == number

    def test_who_opted_out_of_it_gets_none_but_still_hears_of_incidents(self):
        preferences.set_preference(user=make_reader("ana"), incidents=True, digest=False)
        open_notice(make_preset())

        assert writing.write_digests(now=MORNING) == 0

        assert readers() == ["ana"]

    def test_each_reads_of_the_organizations_they_look_after_only(self):
        away = factories.make_organization("away")
        make_reader("all")
        make_reader("there", roles=[], organization=away, organization_roles=["organization-admin"])
        open_notice(make_preset(name="home"))
        open_notice(make_preset(name="far", organization=away))

        writing.write_digests(now=MORNING)

        told = {mail.recipient.username: mail.text for mail in Mail.objects.filter(step="digest")}
        assert "home / Small" in told["all"]
        assert "far / Small" in told["all"]
        assert "far / Small" in told["there"]
        assert "home" not in told["there"]

    def test_a_long_list_ends_with_how_many_more(self):
        make_reader("ana")
        preset = make_preset()
        version = preset.version
        for number in range(writing.LISTED + 2):
            Notice.objects.create(
                kind="hard_limited",
                organization=version.template.organization,
                preset=Preset.objects.create(version=version, name=f"P{number}"),
                detail="x",
                opened_at=NOON,
            )

        writing.write_digests(now=MORNING)

        mail = Mail.objects.get()
        assert mail.subject == "52 notices are still open"
        assert "And 2 more." in mail.text
        assert mail.text.count("What to do:") == 50

    def test_the_statements_do_not_grow(self, django_assert_max_num_queries):
        for number in range(6):
            make_reader(f"reader-{number}")
            open_notice(make_preset(name=f"t{number}"))

        with django_assert_max_num_queries(6):
            assert writing.write_digests(now=MORNING) == 6
        with django_assert_max_num_queries(5):
            assert writing.write_digests(now=MORNING) == 0


class TestWords:
    def test_an_opening_says_what_happened_where_why_and_what_to_do(self):
        make_reader("ana")
        notice = open_notice(make_preset(name="shell"), detail="no such image: tool:9")

        mail = Mail.objects.get()

        assert mail.subject == "shell / Small: Stopped after repeated failures"
        assert "The newest builds of this pool all failed, so it has stopped." in mail.text
        assert "Template: shell\nVersion: 1.0.0\nPreset: Small\nOrganization: Default" in mail.text
        assert "Since: 2026-03-04 12:00 UTC" in mail.text
        assert "no such image: tool:9" in mail.text
        assert "What to do: Mend what the error names, then press Retry" in mail.text
        assert f"http://127.0.0.1:8000/presets/{notice.preset_id}/" in mail.text
        assert f'href="http://127.0.0.1:8000/presets/{notice.preset_id}/"' in mail.html

    @pytest.mark.parametrize(
        ("cold_starts", "cost"),
        [(14, "14 cold starts."), (1, "1 cold start."), (0, "no cold start.")],
    )
    def test_a_closing_says_how_long_it_lasted_and_what_it_cost(self, cold_starts, cost):
        make_reader("ana")
        notice = open_notice(make_preset(name="shell"))

        close_notice(notice, now=NOON + timedelta(hours=3, minutes=10), cold_starts=cold_starts)

        mail = Mail.objects.get(step="closed")
        assert mail.subject == "Over: shell / Small: Stopped after repeated failures"
        assert f"It lasted 3 h 10 min and cost {cost}" in mail.text
        assert f"It lasted 3 h 10 min and cost {cost}" in mail.html
        assert "Since: 2026-03-04 12:00 UTC\nUntil: 2026-03-04 15:10 UTC\n\nWhat it" in mail.text

    def test_what_does_no_harm_names_no_cost(self):
        make_reader("ana")
        notice = open_notice(make_preset(), kind="quota_warning", preset=None)

        close_notice(notice, now=NOON + hours(1))

        assert "It lasted 1 h.\n" in Mail.objects.get(step="closed").text

    def test_markup_in_names_and_errors_is_text_in_the_html(self):
        make_reader("ana")
        preset = make_preset(fields={"display_name": "<b>shell</b>"})

        open_notice(preset, detail="<script>alert('x')</script> & more")

        mail = Mail.objects.get()
        assert "<script>" not in mail.html
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; more" in mail.html
        assert "<b>shell" not in mail.html
        assert "<script>alert('x')</script> & more" in mail.text
        assert mail.subject.startswith("<b>shell</b> / Small")

    def test_no_name_breaks_the_subjects_line(self):
        make_reader("ana")
        preset = make_preset(fields={"display_name": "shell\r\nBcc: eve@example.com"})

        open_notice(preset)

        assert Mail.objects.get().subject.startswith("shell Bcc: eve@example.com / Small")

    def test_no_name_says_more_than_its_line(self):
        make_reader("ana")
        preset = make_preset(fields={"display_name": "shell\n\nWhat to do: tell eve"})
        Preset.objects.update(name="Small\nOrganization: Eve")

        open_notice(preset)
        writing.write_digests(now=MORNING)

        names = "Template: shell What to do: tell eve\nVersion: 1.0.0\n"
        names += "Preset: Small Organization: Eve\nOrganization: Default\n"
        assert names in Mail.objects.get(step="opened").text
        assert "* shell What to do: tell eve / Small" in Mail.objects.get(step="digest").text

    def test_a_reminder_says_of_each_where_since_when_why_and_what_to_do(self):
        make_reader("ana")
        open_notice(make_preset(name="shell"), detail="pulling\n…\nno such image <tool:9>")
        writing.write_digests(now=MORNING)

        mail = Mail.objects.get(step="digest")

        assert "* shell / Small: Stopped after repeated failures, for 19 h\n" in mail.text
        assert "  Version: 1.0.0\n  In its own words: pulling … no such image <tool:9>" in mail.text
        assert "version 1.0.0" in mail.html
        assert "pulling … no such image &lt;tool:9&gt;" in mail.html

    def test_passwords_and_tokens_in_an_error_are_masked(self):
        make_reader("ana")

        open_notice(make_preset(), detail="clone https://bot:hunter2@git failed, TOKEN=hunter2")

        mail = Mail.objects.get()
        assert "hunter2" not in mail.text + mail.html
        assert "clone https://bot:(hidden)@git failed, TOKEN=(hidden)" in mail.text


class TestConstraints:
    @pytest.mark.parametrize(
        "fields",
        [
            {"step": "unknown"},
            {"step": "digest"},
            {"step": "opened", "digest_on": date(2026, 3, 4)},
            {"step": "opened", "sent_at": NOON, "given_up_at": NOON, "error": "x"},
            {"step": "opened", "given_up_at": NOON},
        ],
    )
    def test_the_database_refuses_what_must_not_be(self, fields):
        with pytest.raises(IntegrityError), transaction.atomic():
            Mail.objects.create(
                recipient=make_reader("ana"), created_at=NOON, next_try_at=NOON, **fields
            )

    def test_a_second_digest_of_a_day_is_refused(self):
        fields = {
            "recipient": make_reader("ana"),
            "step": "digest",
            "digest_on": date(2026, 3, 4),
            "created_at": NOON,
            "next_try_at": NOON,
        }
        Mail.objects.create(**fields)

        with pytest.raises(IntegrityError), transaction.atomic():
            Mail.objects.create(**fields)


def test_a_membership_that_ended_ends_the_mails():
    user = make_reader("ana", roles=[], organization_roles=["organization-admin"])
    Membership.objects.filter(user=user).delete()

    open_notice(make_preset())

    assert not Mail.objects.exists()


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
class TestCycle:
    def test_a_cycle_writes_the_mails_with_the_notices(self):
        make_reader("ana")
        make_preset()
        Preset.objects.update(scheduling_timezone="Mars/Olympus")
        preset = Preset.objects.get()
        preset.schedules.create(cron_expression="* 12 * * *", desired_instances=1)

        for number in range(2):
            self.run_cycle(NOON + hours(number))
        Preset.objects.update(scheduling_timezone="UTC")
        self.run_cycle(NOON + hours(4))

        assert [(mail.step, mail.notice.kind) for mail in Mail.objects.order_by("created_at")] == [
            ("opened", "bad_schedule"),
            ("closed", "bad_schedule"),
        ]

    def test_when_the_mails_cannot_be_written_the_notice_is_not_opened_either(self, monkeypatch):
        make_reader("ana")
        preset = make_preset()
        Preset.objects.update(scheduling_timezone="Mars/Olympus")
        preset.schedules.create(cron_expression="* 12 * * *", desired_instances=1)

        def broken(*args, **kwargs):
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr("prebuilds.mail.writing._insert", broken)
            self.run_cycle(NOON)
        before = Notice.objects.count()
        self.run_cycle(NOON + hours(1))

        assert before == 0
        assert (Notice.objects.count(), Mail.objects.count()) == (1, 1)

    def run_cycle(self, now):
        reconciler.run_cycle(trigger=Trigger.COMMAND, policy=Policy(), clock=lambda: now)
