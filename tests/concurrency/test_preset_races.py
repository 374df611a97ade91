"""Two people at one preset, or one and the reconciler: they meet at the preset's row lock."""

from functools import partial

import pytest

from accounts.audit import THE_SYSTEM
from accounts.models import AuditEntry
from prebuilds.execution import creation
from templates_app import services
from templates_app.errors import InvalidPreset, StalePreset, StaleTemplate
from templates_app.models import Preset, Template
from templates_app.services import PresetChanges, PresetSpec, TemplateChanges
from tests import factories
from tests.concurrency.racing import blocked_by, errors, race
from tests.factories import NOON, hours
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def preset():
    return factories.preset_of(factories.make_template("web"))


def edit(preset, *, revision=None, **changes):
    return partial(
        services.edit_preset,
        preset_id=preset.pk,
        revision=revision,
        changes=PresetChanges(**changes),
        actor=THE_SYSTEM,
        now=NOON,
    )


def test_of_two_editors_at_once_one_saves_and_the_other_is_told(preset):
    outcomes = race(
        edit(preset, revision=1, desired_instances=5), edit(preset, revision=1, ttl_seconds=7_200)
    )

    (error,) = errors(outcomes)
    assert isinstance(error, StalePreset)
    preset.refresh_from_db()
    assert preset.revision == 2
    assert AuditEntry.objects.count() == 1


def test_edits_one_after_the_other_each_say_what_was_there_before(preset):
    blocked_by(edit(preset, desired_instances=5), edit(preset, desired_instances=7))

    first, second = AuditEntry.objects.order_by("pk")
    assert (first.before, first.after) == ({"desired_instances": 2}, {"desired_instances": 5})
    assert (second.before, second.after) == ({"desired_instances": 5}, {"desired_instances": 7})


def test_of_two_that_become_the_default_at_once_the_second_is_told_why():
    template = factories.make_template(presets=[PresetSpec(name="A"), PresetSpec(name="B")])
    a, b = factories.preset_of(template, "A"), factories.preset_of(template, "B")

    with pytest.raises(InvalidPreset) as refusal:
        blocked_by(edit(a, is_default=True), edit(b, is_default=True))

    assert [field for field, _ in refusal.value.problems] == ["is_default"]
    assert Preset.objects.get(is_default=True) == a


def test_a_cycle_that_waits_for_an_edit_creates_by_what_was_saved(preset):
    seen = factories.observe(preset, now=NOON)

    made = blocked_by(
        edit(preset, desired_instances=0),
        partial(creation.create_prebuilds, seen, count=2, now=NOON),
    )

    assert made == 0
    assert not Workspace.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda preset: services.retry_preset(preset_id=preset.pk, now=NOON + hours(1)),
        lambda preset: services.invalidate_presets(preset_ids=[preset.pk], now=NOON + hours(1)),
    ],
    ids=["retry", "invalidate"],
)
def test_retry_and_invalidation_wait_and_see_what_was_done_before(preset, change):
    blocked_by(
        lambda: (
            services.invalidate_presets(preset_ids=[preset.pk], now=NOON)
            and services.mark_validation_failed(preset_id=preset.pk, reason="gone", now=NOON)
        ),
        lambda: change(preset),
    )

    before = AuditEntry.objects.latest("pk").before
    assert before in (
        {"prebuild_status": "validation_failed", "reason": "gone"},
        {"last_invalidated_at": NOON.isoformat()},
    )


def test_the_second_of_two_promotions_says_what_the_first_made_active(preset):
    template = preset.version.template
    second, third = (
        services.create_version(
            template=template,
            created_by=factories.make_user(),
            spec=services.VersionSpec(name=name),
        )
        for name in ("2.0.0", "3.0.0")
    )

    def promote(version):
        return partial(
            services.promote_version, template_id=template.pk, version_id=version.pk, now=NOON
        )

    blocked_by(promote(second), promote(third))

    assert [entry.before for entry in AuditEntry.objects.order_by("pk")] == [
        {"active_version": "1.0.0"},
        {"active_version": "2.0.0"},
    ]


def test_of_two_editors_of_a_template_one_saves_and_the_other_is_told(preset):
    template = Template.objects.get()

    def rename(display_name):
        return partial(
            services.edit_template,
            template_id=template.pk,
            updated_at=template.updated_at,
            changes=TemplateChanges(display_name=display_name),
            actor=THE_SYSTEM,
            now=NOON,
        )

    outcomes = race(rename("First"), rename("Second"))

    (error,) = errors(outcomes)
    assert isinstance(error, StaleTemplate)
    assert AuditEntry.objects.count() == 1
