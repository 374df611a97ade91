"""Editing, deprecating and deleting templates; making them, their versions and presets."""

from datetime import timedelta

import pytest

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from templates_app import services
from templates_app.errors import (
    InvalidPreset,
    InvalidVersion,
    NameTaken,
    StaleTemplate,
    TemplateDeleted,
)
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.parameters import ParameterDefinition
from templates_app.services import ParameterText, PresetSpec, TemplateChanges, VersionSpec
from tests.factories import NOON, default_organization, make_template, make_user, preset_of

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def actor():
    return Actor(user=make_user("tess"), source=AuditSource.PAGE)


@pytest.fixture
def template():
    return make_template("web")


def edit(template, actor, *, updated_at=None, **changes):
    changed = services.edit_template(
        template_id=template.pk,
        updated_at=updated_at,
        changes=TemplateChanges(**changes),
        actor=actor,
        now=LATER,
    )
    template.refresh_from_db()
    return changed


class TestEdit:
    def test_only_what_is_named_changes(self, template, actor):
        assert edit(template, actor, display_name="Web", default_ttl_seconds=3_600)

        assert (template.display_name, template.default_ttl_seconds) == ("Web", 3_600)
        assert (template.name, template.updated_at) == ("web", LATER)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.before, entry.after) == (
            "edit",
            {"display_name": "", "default_ttl_seconds": 0},
            {"display_name": "Web", "default_ttl_seconds": 3_600},
        )

    def test_no_change_writes_nothing(self, template, actor):
        before = template.updated_at

        assert not edit(template, actor, display_name="", allow_user_autostart=True)

        assert template.updated_at == before
        assert not AuditEntry.objects.exists()

    def test_the_second_of_two_editors_is_told(self, template, actor):
        seen = template.updated_at
        edit(template, actor, updated_at=seen, display_name="First")

        with pytest.raises(StaleTemplate):
            edit(template, actor, updated_at=seen, display_name="Second")

        assert Template.objects.get().display_name == "First"

    def test_a_taken_name_is_refused(self, template, actor):
        make_template("taken")

        with pytest.raises(NameTaken, match='"Taken"'):
            edit(template, actor, name="Taken")

        assert not AuditEntry.objects.exists()

    def test_deprecating_and_reviving_are_told_apart(self, template, actor):
        for message in ("Use the other one.", ""):
            services.deprecate_template(
                template_id=template.pk, message=message, actor=actor, now=LATER
            )
            template.refresh_from_db()
            assert template.deprecation_message == message

        assert [one.action for one in AuditEntry.objects.order_by("pk")] == ["deprecate", "revive"]


class TestDelete:
    def test_it_is_marked_and_its_name_is_free(self, template, actor):
        services.delete_template(template_id=template.pk, updated_at=None, actor=actor, now=LATER)

        template.refresh_from_db()
        assert template.deleted_at == LATER
        assert make_template("web").pk != template.pk
        assert AuditEntry.objects.get().action == "delete"

    @pytest.mark.parametrize(
        "change",
        [
            lambda t, a: edit(t, a, display_name="x"),
            lambda t, a: services.delete_template(
                template_id=t.pk, updated_at=None, actor=a, now=LATER
            ),
            lambda t, a: services.promote_version(
                template_id=t.pk, version_id=t.active_version_id, actor=a, now=LATER
            ),
            lambda t, a: services.add_version(
                template=t, spec=VersionSpec(name="2"), actor=a, now=LATER
            ),
            lambda t, a: services.add_preset(
                version=t.active_version, spec=PresetSpec(name="X"), actor=a, now=LATER
            ),
        ],
        ids=["edit", "delete", "promote", "add version", "add preset"],
    )
    def test_a_deleted_one_stays_as_it_is(self, template, actor, change):
        Template.objects.update(deleted_at=NOON)

        with pytest.raises(TemplateDeleted):
            change(template, actor)

        assert not AuditEntry.objects.exists()


class TestAdd:
    def add_template(self, actor, name="web", **version):
        return services.add_template(
            organization=default_organization(),
            name=name,
            version=VersionSpec(**{"name": "1.0.0", **version}),
            fields=TemplateChanges(display_name="Web"),
            actor=actor,
            now=LATER,
        )

    def test_a_template_is_made_by_somebody_and_written_down(self, actor):
        template = self.add_template(actor)

        assert (template.display_name, template.created_at) == ("Web", LATER)
        assert template.active_version.created_by == actor.user
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.object_type) == ("create", "template")

    def test_a_taken_template_name_is_refused(self, actor, template):
        with pytest.raises(NameTaken):
            self.add_template(actor, "WEB")

    def test_a_version_keeps_how_its_parameters_are_shown(self, actor, template):
        version = services.add_version(
            template=template,
            spec=VersionSpec(
                name="2.0.0",
                definitions=[ParameterDefinition(name="size", type="string", default="s")],
                texts={"size": ParameterText(display_name="Size", description="How large")},
            ),
            actor=actor,
            now=LATER,
        )

        row = version.parameter_definitions.get()
        assert (row.display_name, row.description) == ("Size", "How large")
        template.refresh_from_db()
        assert template.active_version_id != version.pk
        assert AuditEntry.objects.get().object_label == "web / 2.0.0"

    def test_a_taken_version_name_is_refused(self, actor, template):
        with pytest.raises(NameTaken, match="version"):
            services.add_version(
                template=template, spec=VersionSpec(name="1.0.0"), actor=actor, now=LATER
            )

    def test_a_preset_is_added(self, actor, template):
        preset = services.add_preset(
            version=template.active_version,
            spec=PresetSpec(name="Large", desired_instances=1),
            actor=actor,
            now=LATER,
        )

        assert preset_of(template, "Large") == preset
        assert AuditEntry.objects.get().object_label == "web / Large"

    def test_a_taken_preset_name_is_refused(self, actor, template):
        with pytest.raises(NameTaken, match="preset"):
            services.add_preset(
                version=template.active_version,
                spec=PresetSpec(name="SMALL"),
                actor=actor,
                now=LATER,
            )

    def test_a_second_default_is_refused(self, actor, template):
        Preset.objects.update(is_default=True)

        with pytest.raises(InvalidPreset) as refusal:
            services.add_preset(
                version=template.active_version,
                spec=PresetSpec(name="Large", is_default=True),
                actor=actor,
                now=LATER,
            )

        assert [field for field, _ in refusal.value.problems] == ["is_default"]

    def test_what_is_wrong_with_the_first_version_is_named_and_nothing_is_made(self, actor):
        with pytest.raises(InvalidVersion) as refusal:
            self.add_template(actor, presets=[PresetSpec(name="Bad", parameters={"x": "1"})])

        assert [field for field, _ in refusal.value.problems] == ["version.presets.0.parameters.x"]
        assert not Template.objects.exists()
        assert not TemplateVersion.objects.exists()


WRONG = [
    ({"definitions": [ParameterDefinition(name="a", type="bool", default="x")]}, "parameters.a"),
    ({"definitions": [ParameterDefinition(name="a", type="string")] * 2}, "parameters.a"),
    ({"tags": {" os": "linux"}}, "tags"),
    ({"source_files": {"../passwd": ""}}, "source_files"),
    ({"source_files": {"/etc/passwd": ""}}, "source_files"),
    ({"source_files": {"a\0b": ""}}, "source_files"),
    ({"source_files": {"": ""}}, "source_files"),
    ({"presets": [PresetSpec(name="A", ttl_seconds=1)]}, "presets.0.ttl_seconds"),
    (
        {"presets": [PresetSpec(name=n, is_default=True) for n in "AB"]},
        "presets.1.is_default",
    ),
]


@pytest.mark.parametrize(("fields", "where"), WRONG)
def test_what_is_wrong_with_a_version_is_named(fields, where):
    problems = services.version_problems(VersionSpec(name="1", **fields))

    assert [field for field, _ in problems] == [where]


def test_presets_of_one_name_are_both_named():
    presets = [PresetSpec(name="Small"), PresetSpec(name="Other"), PresetSpec(name="SMALL")]

    problems = services.version_problems(VersionSpec(name="1", presets=presets))

    assert [field for field, _ in problems] == ["presets.0.name", "presets.2.name"]
