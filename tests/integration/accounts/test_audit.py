"""The audit log: one entry per object and change, with the change or not at all, for good."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from accounts import audit
from accounts.audit import AT_THE_SHELL, THE_SYSTEM, Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry, Organization
from prebuilds import services
from prebuilds.models import PrebuildsSettings
from templates_app import services as template_services
from templates_app.errors import VersionNotOfTemplate
from templates_app.models import Preset, TemplateVersion
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


class Undone(Exception):
    """Raised by a test to roll a change back."""


@pytest.fixture
def tess():
    return factories.make_user("tess", roles=["template-admin"])


@pytest.fixture
def actor(tess):
    return Actor(user=tess, source=AuditSource.PAGE, address="192.0.2.7")


@pytest.fixture
def preset():
    return factories.preset_of(factories.make_template("tool"))


def record(actor=THE_SYSTEM, **fields):
    target = Organization.objects.get(is_default=True)
    return audit.record(actor=actor, action="rename", target=target, now=NOON, **fields)


class TestAppendOnly:
    @pytest.fixture(autouse=True)
    def entry(self):
        return record()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE accounts_auditentry SET action = 'nothing'",
            "UPDATE accounts_auditentry SET action = action",
            "DELETE FROM accounts_auditentry",
            "DELETE FROM accounts_auditentry WHERE id = (SELECT max(id) FROM accounts_auditentry)",
        ],
    )
    def test_the_database_refuses_raw_sql(self, statement):
        before = list(AuditEntry.objects.values())

        with (
            pytest.raises(IntegrityError, match="audit entries are append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

        assert list(AuditEntry.objects.values()) == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda entry: AuditEntry.objects.update(action="nothing"),
            lambda entry: AuditEntry.objects.filter(pk=entry.pk).delete(),
            lambda entry: entry.delete(),
            lambda entry: entry.save(),
        ],
        ids=["update", "delete many", "delete one", "save again"],
    )
    def test_the_database_refuses_the_orm(self, entry, change):
        with (
            pytest.raises(IntegrityError, match="audit entries are append-only"),
            transaction.atomic(),
        ):
            change(entry)

        assert AuditEntry.objects.get().action == "rename"

    def test_another_one_can_always_be_added(self):
        record()

        assert AuditEntry.objects.count() == 2


class TestRecord:
    def test_an_entry_says_who_what_when_from_where_and_through_which_door(self, actor, tess):
        entry = record(actor, before={"name": "a"}, after={"name": "b"})

        entry.refresh_from_db()
        assert (entry.actor, entry.source, entry.address) == (tess, "page", "192.0.2.7")
        assert (entry.action, entry.at) == ("rename", NOON)
        assert (entry.before, entry.after) == ({"name": "a"}, {"name": "b"})

    def test_an_entry_names_its_object_even_when_that_is_gone(self):
        organization = factories.make_organization("acme")
        key = str(organization.pk)
        audit.record(actor=THE_SYSTEM, action="rename", target=organization, now=NOON)

        organization.delete()

        entry = AuditEntry.objects.get()
        assert (entry.object_type, entry.object_id) == ("organization", key)
        assert entry.object_label == "acme"

    @pytest.mark.parametrize(
        ("actor", "source"), [(AT_THE_SHELL, "command"), (THE_SYSTEM, "system")]
    )
    def test_the_shell_and_the_system_have_a_source_and_no_person(self, actor, source):
        entry = record(actor)

        assert (entry.actor, entry.source, entry.address) == (None, source, None)
        assert str(actor) == AuditSource(source).label

    def test_a_label_too_long_is_cut_and_never_stops_the_change(self):
        organization = Organization(name="x", display_name="y" * 300)

        entry = audit.record(actor=THE_SYSTEM, action="rename", target=organization, now=NOON)

        assert entry.object_label == "y" * 255

    def test_a_person_with_entries_cannot_be_removed(self, actor, tess):
        record(actor)

        with pytest.raises(ProtectedError):
            tess.delete()

    def test_the_newest_entry_comes_first_and_at_one_instant_the_last_written(self):
        first, second = record(), record()
        target = Organization.objects.get(is_default=True)
        older = audit.record(
            actor=THE_SYSTEM, action="rename", target=target, now=NOON - timedelta(days=1)
        )

        assert list(AuditEntry.objects.all()) == [second, first, older]


class TestEveryServiceLeavesOneEntry:
    """Per object: who, through which door, and what it was before and after."""

    def only_entry(self, action, target, actor):
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.at) == (action, LATER)
        assert (entry.object_type, entry.object_id) == (
            type(target).__name__.lower(),
            str(target.pk),
        )
        assert (entry.actor, entry.source, entry.address) == (
            actor.user,
            actor.source,
            actor.address,
        )
        return entry

    def test_retry(self, preset, actor):
        template_services.mark_validation_failed(preset_id=preset.pk, reason="gone", now=NOON)

        template_services.retry_preset(preset_id=preset.pk, now=LATER, actor=actor)

        entry = self.only_entry("retry", preset, actor)
        assert entry.before == {"prebuild_status": "validation_failed", "reason": "gone"}
        assert entry.after == {"prebuild_status": "healthy"}

    def test_invalidating_a_preset(self, preset, actor):
        Preset.objects.filter(pk=preset.pk).update(last_invalidated_at=NOON)

        template_services.invalidate_presets(preset_ids=[preset.pk], now=LATER, actor=actor)

        entry = self.only_entry("invalidate", preset, actor)
        assert entry.before == {"last_invalidated_at": NOON.isoformat()}
        assert entry.after == {"last_invalidated_at": LATER.isoformat()}

    def test_invalidating_a_preset_for_the_first_time(self, preset, actor):
        template_services.invalidate_presets(preset_ids=[preset.pk], now=LATER, actor=actor)

        entry = self.only_entry("invalidate", preset, actor)
        assert entry.before == {"last_invalidated_at": None}

    def test_invalidating_a_template_leaves_one_for_each_preset_of_its_active_version(self, actor):
        specs = [PresetSpec(name="Small", desired_instances=1), PresetSpec(name="Large")]
        template = factories.make_template(presets=specs)
        old = set(template.active_version.presets.values_list("pk", flat=True))
        active = factories.promote_new_version(template, presets=specs).active_version
        seen = AuditEntry.objects.count()

        stamped = template_services.invalidate_template(
            template_id=template.pk, now=LATER, actor=actor
        )

        entries = AuditEntry.objects.filter(action="invalidate")
        assert len(stamped) == entries.count() == AuditEntry.objects.count() - seen == 2
        assert {one.object_id for one in entries} == {
            str(pk) for pk in active.presets.values_list("pk", flat=True)
        }
        assert not {one.object_id for one in entries} & {str(pk) for pk in old}
        assert {one.actor for one in entries} == {actor.user}

    def test_invalidating_nothing_leaves_none(self, actor):
        assert template_services.invalidate_presets(preset_ids=[], now=LATER, actor=actor) == 0

        assert not AuditEntry.objects.exists()

    def test_promote(self, preset, actor):
        template = preset.version.template
        version = TemplateVersion.objects.create(
            template=template, name="2.0.0", created_by=actor.user
        )

        template_services.promote_version(
            template_id=template.pk, version_id=version.pk, now=LATER, actor=actor
        )

        entry = self.only_entry("promote", template, actor)
        assert entry.before == {"active_version": "1.0.0"}
        assert entry.after == {"active_version": "2.0.0"}

    def test_pause(self, actor):
        until = LATER + timedelta(hours=2)

        services.pause_reconciliation(actor=actor, reason="upgrade", until=until, now=LATER)

        entry = self.only_entry("pause", PrebuildsSettings.objects.get(), actor)
        assert entry.before == {"paused": False, "reason": "", "until": None}
        assert entry.after == {"paused": True, "reason": "upgrade", "until": until.isoformat()}

    def test_resume(self, actor):
        PrebuildsSettings.objects.create(
            reconciliation_paused=True, paused_at=NOON, pause_reason="upgrade"
        )

        services.resume_reconciliation(actor=actor, now=LATER)

        entry = self.only_entry("resume", PrebuildsSettings.objects.get(), actor)
        assert entry.before == {"paused": True, "reason": "upgrade", "until": None}
        assert entry.after == {"paused": False, "reason": "", "until": None}


class TestAChangeThatIsUndoneLeavesNoEntry:
    @pytest.mark.parametrize(
        "change",
        [
            lambda preset: template_services.retry_preset(preset_id=preset.pk, now=LATER),
            lambda preset: template_services.invalidate_presets(preset_ids=[preset.pk], now=LATER),
            lambda preset: template_services.invalidate_template(
                template_id=preset.version.template_id, now=LATER
            ),
            lambda preset: template_services.promote_version(
                template_id=preset.version.template_id, version_id=preset.version_id, now=LATER
            ),
            lambda preset: factories.pause(now=LATER),
        ],
        ids=["retry", "invalidate presets", "invalidate template", "promote", "pause"],
    )
    def test_rolled_back_with_the_transaction_around_it(self, preset, change):
        with suppress(Undone), transaction.atomic():
            change(preset)
            assert AuditEntry.objects.exists()
            raise Undone

        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        "change",
        [
            lambda preset: template_services.retry_preset(preset_id=preset.pk, now=LATER),
            lambda preset: template_services.invalidate_presets(preset_ids=[preset.pk], now=LATER),
            lambda preset: factories.pause(now=LATER),
        ],
        ids=["retry", "invalidate", "pause"],
    )
    def test_and_without_its_entry_there_is_no_change(self, preset, change, monkeypatch):
        before = Preset.objects.values().get(pk=preset.pk)

        def refuse(**fields):
            raise Undone

        monkeypatch.setattr(audit, "entry_of", refuse)
        with suppress(Undone):
            change(preset)

        assert Preset.objects.values().get(pk=preset.pk) == before
        assert not PrebuildsSettings.objects.filter(reconciliation_paused=True).exists()

    def test_a_promotion_that_is_refused(self, preset):
        stranger = factories.make_template().active_version

        with pytest.raises(VersionNotOfTemplate):
            template_services.promote_version(
                template_id=preset.version.template_id, version_id=stranger.pk, now=LATER
            )

        assert not AuditEntry.objects.exists()

    def test_a_retry_of_a_preset_that_is_gone(self):
        with pytest.raises(Preset.DoesNotExist):
            template_services.retry_preset(preset_id=factories.default_organization().pk, now=LATER)

        assert not AuditEntry.objects.exists()
