"""Pause and resume (semantics.md 19), and what invalidating does at once (semantics.md 5)."""

from datetime import timedelta

import pytest

from accounts.audit import AT_THE_SHELL, Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from prebuilds import claims, observation, services
from prebuilds.models import PrebuildsSettings
from templates_app import services as template_services
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def pause(*, reason="upgrade", until=None, now=NOON, actor=AT_THE_SHELL):
    return services.pause_reconciliation(actor=actor, reason=reason, until=until, now=now)


def resume(*, now=NOON, actor=AT_THE_SHELL):
    return services.resume_reconciliation(actor=actor, now=now)


def entries():
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


class TestPause:
    def test_it_notes_who_when_why_and_until_when(self):
        tess = factories.make_user("tess")

        changed = pause(
            actor=Actor(user=tess, source=AuditSource.ADMIN), reason="upgrade", until=NOON + HOUR
        )

        row = PrebuildsSettings.objects.get()
        assert changed is True
        assert row.reconciliation_paused
        assert (row.paused_by, row.paused_at) == (tess, NOON)
        assert (row.pause_reason, row.paused_until) == ("upgrade", NOON + HOUR)
        assert observation.is_paused(NOON)

    def test_pausing_twice_replaces_reason_and_end_and_says_so(self):
        pause(reason="first", until=NOON + HOUR)

        changed = pause(reason="second", now=NOON + timedelta(minutes=1))

        row = PrebuildsSettings.objects.get()
        assert changed is False
        assert (row.pause_reason, row.paused_until) == ("second", None)
        assert entries() == ["pause", "pause"]
        newest = AuditEntry.objects.latest("pk")
        assert newest.before == {
            "paused": True,
            "reason": "first",
            "until": (NOON + HOUR).isoformat(),
        }
        assert newest.after == {"paused": True, "reason": "second", "until": None}

    @pytest.mark.parametrize(
        ("after", "paused"),
        [(-1, True), (0, False), (1, False)],
        ids=["just before", "at the end", "after"],
    )
    def test_it_ends_by_itself(self, after, paused):
        pause(until=NOON + HOUR)

        assert observation.is_paused(NOON + HOUR + timedelta(microseconds=after)) is paused

    def test_without_an_end_it_lasts(self):
        pause()

        assert observation.is_paused(NOON + timedelta(days=3650))

    def test_pausing_after_a_pause_ended_by_itself_is_a_change(self):
        pause(until=NOON + HOUR)

        assert pause(now=NOON + 2 * HOUR) is True

    def test_claims_go_on(self):
        preset = factories.preset_of(factories.make_template())
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        pause()

        assert factories.claim_prebuild(preset, now=NOON).pk == prebuild.pk


class TestResume:
    def test_it_forgets_the_pause(self):
        pause(until=NOON + HOUR)

        assert resume(now=NOON + timedelta(minutes=1)) is True

        row = PrebuildsSettings.objects.get()
        assert not row.reconciliation_paused
        assert (row.paused_by, row.paused_at, row.paused_until) == (None, None, None)
        assert row.pause_reason == ""
        assert not observation.is_paused(NOON + timedelta(minutes=1))
        assert entries() == ["pause", "resume"]

    def test_before_anybody_ever_paused_it_writes_nothing(self):
        assert resume() is False

        assert not PrebuildsSettings.objects.exists()
        assert entries() == []

    def test_a_second_time_it_writes_nothing(self):
        pause()
        resume()
        before = PrebuildsSettings.objects.values().get()

        assert resume(now=NOON + HOUR) is False

        assert PrebuildsSettings.objects.values().get() == before
        assert entries() == ["pause", "resume"]


class TestInvalidated:
    @pytest.fixture
    def preset(self):
        return factories.preset_of(factories.make_template())

    def claim(self, preset, now):
        return claims.claim_or_create_workspace(
            owner=factories.make_user(),
            template=preset.version.template,
            preset_id=preset.pk,
            name="mine",
            parameters={},
            now=now,
        )

    @pytest.mark.parametrize("by", ["preset", "template"])
    def test_prebuilds_cannot_be_claimed_from_that_instant_on(self, preset, by):
        made = {one.pk for one in factories.make_ready_prebuilds(preset, 2, now=NOON)}

        if by == "preset":
            template_services.invalidate_presets(preset_ids=[preset.pk], now=NOON + HOUR)
        else:
            template_services.invalidate_template(
                template_id=preset.version.template_id, now=NOON + HOUR
            )
        result = self.claim(preset, NOON + HOUR)

        assert (result.outcome, result.reason) == ("cold", "expired")
        assert result.workspace.pk not in made
        assert Workspace.objects.filter(pk__in=made, deleted_at__isnull=True).count() == 2

    def test_one_made_at_that_very_instant_can(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)

        template_services.invalidate_presets(preset_ids=[preset.pk], now=NOON)

        assert self.claim(preset, NOON + HOUR).outcome == "warm"

    def test_the_presets_beside_it_keep_theirs(self):
        specs = [
            PresetSpec(name="Small", desired_instances=1),
            PresetSpec(name="Large", desired_instances=1),
        ]
        template = factories.make_template(presets=specs)
        small, large = factories.preset_of(template), factories.preset_of(template, "Large")
        factories.make_ready_prebuilds(small, 1, now=NOON)
        factories.make_ready_prebuilds(large, 1, now=NOON)

        template_services.invalidate_presets(preset_ids=[small.pk], now=NOON + HOUR)

        assert self.claim(large, NOON + HOUR).outcome == "warm"
