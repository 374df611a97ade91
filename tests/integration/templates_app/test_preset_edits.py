"""Editing a preset: one check, one revision, one audit entry (semantics.md 1, 6, 10)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from templates_app import services
from templates_app.enums import PrebuildStatus
from templates_app.errors import InvalidPreset, PresetInUse, StalePreset
from templates_app.models import Preset
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetChanges, PresetSpec
from tests.factories import (
    NOON,
    make_pending_prebuilds,
    make_template,
    make_user,
    preset_of,
)

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)
SIZE = ParameterDefinition(name="size", type="string", options=("s", "m", "l"), default="s")
SMALL = PresetSpec(name="Small", desired_instances=2, parameters={"size": "s"})


@pytest.fixture
def actor():
    return Actor(user=make_user("tess"), source=AuditSource.PAGE)


@pytest.fixture
def template():
    presets = [SMALL, PresetSpec(name="Large", parameters={"size": "l"}, is_default=True)]
    return make_template("web", definitions=[SIZE], presets=presets)


@pytest.fixture
def preset(template):
    return preset_of(template)


@pytest.fixture
def edit(preset, actor):
    def run(*, revision=1, now=LATER, **changes):
        services.edit_preset(
            preset_id=preset.pk,
            revision=revision,
            changes=PresetChanges(**changes),
            actor=actor,
            now=now,
        )
        preset.refresh_from_db()
        return preset

    return run


def test_all_settings_are_changed_in_one_revision(edit):
    preset = edit(
        description="For most",
        icon="rocket",
        desired_instances=3,
        ttl_seconds=7_200,
        scheduling_timezone="Europe/Zurich",
        schedules=[("* 9-17 * * 1-5", 5), ("* 18-20 * * 1-5", 1)],
        parameters={"size": "m"},
    )

    assert services.spec_of(preset) == PresetSpec(
        name="Small",
        description="For most",
        icon="rocket",
        desired_instances=3,
        ttl_seconds=7_200,
        scheduling_timezone="Europe/Zurich",
        schedules=(("* 9-17 * * 1-5", 5), ("* 18-20 * * 1-5", 1)),
        parameters={"size": "m"},
    )
    assert (preset.revision, preset.updated_at) == (2, LATER)


def test_what_an_edit_does_not_name_stays(edit):
    preset = edit(desired_instances=None)

    assert services.spec_of(preset) == PresetSpec(name="Small", parameters={"size": "s"})


def test_the_audit_entry_holds_only_what_changed(edit, actor):
    edit(desired_instances=3, ttl_seconds=None, parameters={"size": "m"})

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.at) == ("edit", actor.user, LATER)
    assert entry.object_label == "web / Small"
    assert entry.before == {"desired_instances": 2, "parameters": {"size": "s"}}
    assert entry.after == {"desired_instances": 3, "parameters": {"size": "m"}}


def test_an_edit_that_changes_nothing_writes_nothing(edit):
    preset = edit(desired_instances=2, parameters={"size": "s"}, schedules=[])

    assert preset.revision == 1
    assert not AuditEntry.objects.exists()


def test_the_second_of_two_editors_is_told(edit):
    edit(desired_instances=3)

    with pytest.raises(StalePreset):
        edit(revision=1, desired_instances=9)

    assert Preset.objects.get(name="Small").desired_instances == 3


def test_without_a_revision_whatever_is_there_is_overwritten(edit):
    edit(desired_instances=3)

    assert edit(revision=None, desired_instances=9).desired_instances == 9


def test_a_changed_value_expires_the_pool(edit):
    assert edit(parameters={"size": "m"}).last_invalidated_at == LATER


@pytest.mark.parametrize(
    "changes",
    [{"parameters": {"size": "s"}, "desired_instances": 5}, {"description": "other words"}],
)
def test_an_edit_that_keeps_the_values_keeps_the_pool(edit, changes):
    assert edit(**changes).last_invalidated_at is None


def test_an_edit_lets_a_preset_that_failed_validation_try_again(edit, preset):
    services.mark_validation_failed(preset_id=preset.pk, reason="missing", now=NOON)

    edit(description="mended")

    assert (preset.prebuild_status, preset.status_reason) == (PrebuildStatus.HEALTHY, "")
    assert preset.status_since == LATER


def test_an_edit_without_a_change_mends_nothing(edit, preset):
    services.mark_validation_failed(preset_id=preset.pk, reason="missing", now=NOON)

    edit(desired_instances=2)

    assert preset.prebuild_status == PrebuildStatus.VALIDATION_FAILED


def test_a_hard_limit_outlives_an_edit(edit, preset):
    Preset.objects.filter(pk=preset.pk).update(prebuild_status=PrebuildStatus.HARD_LIMITED)

    edit(desired_instances=3)

    assert preset.prebuild_status == PrebuildStatus.HARD_LIMITED


BAD = [
    ({"scheduling_timezone": "Mars/Olympus"}, "scheduling_timezone"),
    ({"schedules": [("5 9 * * *", 1)]}, "schedules"),
    ({"schedules": [("* 9 * * *", -1)]}, "schedules"),
    ({"ttl_seconds": 60}, "ttl_seconds"),
    ({"desired_instances": -1}, "desired_instances"),
    ({"parameters": {"size": "xl"}}, "parameters.size"),
    ({"parameters": {"sise": "m"}}, "parameters.sise"),
    ({"is_default": True}, "is_default"),
]


@pytest.mark.parametrize(("changes", "field"), BAD, ids=[field for _, field in BAD])
def test_what_does_not_fit_is_refused_with_the_field_named(edit, preset, changes, field):
    with pytest.raises(InvalidPreset) as refusal:
        edit(**changes)

    assert [name for name, _ in refusal.value.problems] == [field]
    preset.refresh_from_db()
    assert services.spec_of(preset) == SMALL_AS_STORED
    assert not AuditEntry.objects.exists()


SMALL_AS_STORED = PresetSpec(name="Small", desired_instances=2, parameters={"size": "s"})


def test_all_problems_are_told_at_once(edit):
    with pytest.raises(InvalidPreset) as refusal:
        edit(ttl_seconds=60, parameters={"size": "xl"}, scheduling_timezone="Mars/Olympus")

    fields = {name for name, _ in refusal.value.problems}
    assert fields == {"ttl_seconds", "parameters.size", "scheduling_timezone"}


def test_overlapping_rows_are_both_named(edit):
    with pytest.raises(InvalidPreset) as refusal:
        edit(schedules=[("* 9-12 * * *", 1), ("* 3 * * *", 2), ("* 12 * * 1", 3)])

    ((_, detail),) = refusal.value.problems
    assert "Rows 1 and 3 overlap" in detail
    assert '"* 9-12 * * *"' in detail
    assert '"* 12 * * 1"' in detail


def test_the_default_that_stands_in_the_way_is_named(edit):
    with pytest.raises(InvalidPreset, match='"Large" is the default'):
        edit(is_default=True)


@pytest.mark.parametrize("number", [1, 20])
def test_an_edit_takes_as_many_statements_however_many_rows_it_writes(preset, actor, number):
    changes = PresetChanges(schedules=[(f"* {hour} * * *", hour) for hour in range(number)])

    with CaptureQueriesContext(
        connection,
    ) as taken:
        services.edit_preset(
            preset_id=preset.pk, revision=1, changes=changes, actor=actor, now=LATER
        )

    assert len(taken) == 11, [one["sql"][:80] for one in taken]


def test_diff_is_what_two_states_do_not_share():
    before = PresetSpec(name="Small", parameters={"a": "1", "b": "2", "c": "3"})
    after = PresetSpec(name="Small", parameters={"a": "1", "b": "5", "d": "4"}, ttl_seconds=3_600)

    difference = services.diff_preset(before, after)

    assert difference.before == {"ttl_seconds": None, "parameters": {"b": "2", "c": "3"}}
    assert difference.after == {"ttl_seconds": 3_600, "parameters": {"b": "5", "d": "4"}}
    assert not services.diff_preset(after, after)


def test_a_preset_nothing_was_built_from_is_deleted(preset, actor):
    services.delete_preset(preset_id=preset.pk, revision=1, actor=actor, now=LATER)

    assert not Preset.objects.filter(pk=preset.pk).exists()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_label) == ("delete", "web / Small")
    assert entry.before["desired_instances"] == 2


def test_a_preset_with_builds_stays(preset, actor):
    make_pending_prebuilds(preset, 1)

    with pytest.raises(PresetInUse, match="desired_instances"):
        services.delete_preset(preset_id=preset.pk, revision=1, actor=actor, now=LATER)

    assert Preset.objects.filter(pk=preset.pk).exists()
    assert not AuditEntry.objects.exists()


def test_a_preset_somebody_just_edited_is_not_deleted(preset, actor, edit):
    edit(desired_instances=5)

    with pytest.raises(StalePreset):
        services.delete_preset(preset_id=preset.pk, revision=1, actor=actor, now=LATER)


@pytest.mark.parametrize(
    ("action", "do"),
    [
        ("retry", lambda p, a: services.retry_preset(preset_id=p, actor=a, now=LATER)),
        (
            "invalidate",
            lambda p, a: services.invalidate_presets(preset_ids=[p], actor=a, now=LATER),
        ),
        (
            "edit",
            lambda p, a: services.set_desired_instances(
                preset_id=p, desired_instances=4, actor=a, now=LATER
            ),
        ),
    ],
)
def test_every_entry_names_the_template_beside_the_preset(preset, actor, action, do):
    do(preset.pk, actor)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_label) == (action, "web / Small")
