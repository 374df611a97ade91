"""Templates, versions and presets as people make and change them."""

from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from templates_app import selectors, services
from templates_app.enums import PrebuildStatus
from templates_app.errors import InvalidPreset, VersionNotOfTemplate
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec
from tests.factories import NOON, default_organization, hours, make_template, make_user, preset_of

pytestmark = pytest.mark.django_db

SIZE = ParameterDefinition(name="size", type="string", options=("s", "m", "l"), default="s")
REGION = ParameterDefinition(name="region", type="string", required=True)
EU = {"region": "eu"}


def test_a_new_template_has_its_first_version_active():
    user = make_user()

    template = services.create_template(
        organization=default_organization(),
        name="web",
        created_by=user,
        version=VersionSpec(
            name="1.0.0",
            message="first",
            source_files={"a.txt": "hello"},
            startup_script="true",
            startup_timeout_seconds=5,
            tags={"os": "linux"},
            daily_cost=3,
        ),
        description="For the web",
    )

    version = TemplateVersion.objects.get(template=template)
    assert template.active_version == version
    assert template.description == "For the web"
    assert (version.name, version.message, version.created_by) == ("1.0.0", "first", user)
    assert (version.source_files, version.startup_script) == ({"a.txt": "hello"}, "true")
    assert (version.startup_timeout_seconds, version.tags) == (5, {"os": "linux"})
    assert version.daily_cost == 3


def test_definitions_keep_their_order_and_every_rule():
    number = ParameterDefinition(
        name="cpus",
        type="number",
        default="2",
        mutable=False,
        validation_error="{min} to {max}",
        validation_min=1,
        validation_max=8,
        validation_monotonic="increasing",
    )
    ephemeral = ParameterDefinition(name="once", type="bool", default="false", ephemeral=True)
    words = ParameterDefinition(name="words", type="string", default="a", validation_regex="^a$")
    given = [number, words, SIZE, ephemeral]

    template = make_template(definitions=given)

    found = selectors.definitions_of([template.active_version_id])
    assert found == {template.active_version_id: given}


def test_a_new_version_is_not_promoted():
    template = make_template()
    before = template.active_version

    added = services.create_version(
        template=template, created_by=make_user(), spec=VersionSpec(name="2.0.0")
    )

    template.refresh_from_db()
    assert template.active_version == before != added


def test_a_preset_is_stored_with_parameters_and_schedules():
    template = make_template(definitions=[SIZE])

    preset = services.create_preset(
        version=template.active_version,
        spec=PresetSpec(
            name="Day",
            description="By day",
            icon="sun",
            is_default=True,
            parameters={"size": "m"},
            desired_instances=1,
            ttl_seconds=7_200,
            scheduling_timezone="Europe/Zurich",
            schedules=[("* 9-18 * * 1-5", 5), ("* 19-23 * * 1-5", 2)],
        ),
    )

    preset.refresh_from_db()
    assert (preset.name, preset.description, preset.icon) == ("Day", "By day", "sun")
    assert (preset.is_default, preset.desired_instances, preset.ttl_seconds) == (True, 1, 7_200)
    assert preset.scheduling_timezone == "Europe/Zurich"
    assert preset.prebuild_status == PrebuildStatus.HEALTHY
    assert list(preset.parameters.values_list("name", "value")) == [("size", "m")]
    assert list(
        preset.schedules.values_list("position", "cron_expression", "desired_instances")
    ) == [(0, "* 9-18 * * 1-5", 5), (1, "* 19-23 * * 1-5", 2)]


INVALID = [
    ("an unknown zone", {"scheduling_timezone": "Mars/Olympus"}, "scheduling_timezone"),
    ("a bad expression", {"schedules": [("5 9 * * *", 1)]}, "schedules"),
    ("overlap", {"schedules": [("* 9-12 * * *", 1), ("* 12-14 * * *", 2)]}, "schedules"),
    ("an unknown parameter", {"parameters": EU | {"sise": "m"}}, "parameters.sise"),
    ("a value that is no option", {"parameters": EU | {"size": "xl"}}, "parameters.size"),
    ("a required value missing", {"parameters": {}}, "parameters.region"),
    ("a ttl below an hour", {"ttl_seconds": 60}, "ttl_seconds"),
    ("a ttl above a year", {"ttl_seconds": 31_536_001}, "ttl_seconds"),
    ("fewer than none", {"desired_instances": -1}, "desired_instances"),
    ("fewer than none by schedule", {"schedules": [("* 9 * * *", -1)]}, "schedules"),
]


@pytest.mark.parametrize(
    ("change", "field"),
    [pytest.param(change, field, id=name) for name, change, field in INVALID],
)
def test_an_invalid_preset_is_refused_with_the_field_named(change, field):
    version = make_template(definitions=[SIZE, REGION], presets=[]).active_version
    spec = PresetSpec(**{"name": "Bad", "parameters": EU, **change})

    with pytest.raises(InvalidPreset) as refusal:
        services.create_preset(version=version, spec=spec)

    assert [where for where, _ in refusal.value.problems] == [field]
    assert f"{field}: " in str(refusal.value)
    assert not Preset.objects.exists()


def test_all_problems_of_a_preset_are_told_at_once():
    version = make_template(definitions=[SIZE, REGION], presets=[]).active_version
    spec = PresetSpec(name="Bad", scheduling_timezone="Mars/Olympus", parameters={"size": "xl"})

    with pytest.raises(InvalidPreset) as refusal:
        services.create_preset(version=version, spec=spec)

    assert {field for field, _ in refusal.value.problems} == {
        "scheduling_timezone",
        "parameters.size",
        "parameters.region",
    }


def test_an_invalid_preset_takes_its_new_version_and_template_with_it():
    bad = PresetSpec(name="Bad", parameters={"nothing": "1"})

    with pytest.raises(InvalidPreset):
        make_template(presets=[bad])

    assert not Template.objects.exists()
    assert not TemplateVersion.objects.exists()


def test_unchecked_presets_are_left_for_the_pool_to_find_out():
    bad = PresetSpec(name="Bad", parameters={"nothing": "1"})

    template = make_template(presets=[bad], check_presets=False)

    assert preset_of(template, "Bad").parameters.get().name == "nothing"


def test_promotion_makes_another_version_the_active_one():
    template = make_template()
    added = services.create_version(
        template=template, created_by=make_user(), spec=VersionSpec(name="2.0.0")
    )

    services.promote_version(template_id=template.pk, version_id=added.pk, now=NOON)

    template.refresh_from_db()
    assert template.active_version == added


@pytest.mark.parametrize("which", ["another template's", "nobody's"])
def test_only_a_version_of_the_template_can_be_promoted(which):
    template, other = make_template(), make_template()
    before = template.active_version_id
    version_id = other.active_version_id if which == "another template's" else uuid4()

    with pytest.raises(VersionNotOfTemplate):
        services.promote_version(template_id=template.pk, version_id=version_id, now=NOON)

    template.refresh_from_db()
    assert template.active_version_id == before


def test_a_failed_validation_is_noted_once():
    preset = preset_of(make_template())

    def note(reason, now):
        return services.mark_validation_failed(preset_id=preset.pk, reason=reason, now=now)

    assert note("size: unknown", NOON)
    assert not note("size: unknown", NOON + hours(1))
    preset.refresh_from_db()
    assert preset.prebuild_status == PrebuildStatus.VALIDATION_FAILED
    assert (preset.status_reason, preset.status_since) == ("size: unknown", NOON)

    assert note("region: missing", NOON + hours(2))
    preset.refresh_from_db()
    assert (preset.status_reason, preset.status_since) == ("region: missing", NOON + hours(2))


def test_retry_makes_a_preset_healthy_and_forgets_its_failures():
    preset = preset_of(make_template())
    services.mark_validation_failed(preset_id=preset.pk, reason="size: unknown", now=NOON)

    services.retry_preset(preset_id=preset.pk, now=NOON + hours(1))

    preset.refresh_from_db()
    assert (preset.prebuild_status, preset.status_reason) == (PrebuildStatus.HEALTHY, "")
    assert preset.failures_reset_at == preset.status_since == NOON + hours(1)


def test_a_status_changes_only_when_it_is_what_the_decision_saw():
    preset = preset_of(make_template())
    services.mark_validation_failed(preset_id=preset.pk, reason="size: unknown", now=NOON)

    changed = services.set_preset_status(
        preset_id=preset.pk,
        before=PrebuildStatus.HEALTHY,
        after=PrebuildStatus.HARD_LIMITED,
        reason="3 failures",
        now=NOON,
    )

    preset.refresh_from_db()
    assert not changed
    assert preset.prebuild_status == PrebuildStatus.VALIDATION_FAILED


def test_invalidation_stamps_the_named_presets_only():
    presets = [PresetSpec(name="Small"), PresetSpec(name="Large")]
    template = make_template(presets=presets)
    small, large = preset_of(template, "Small"), preset_of(template, "Large")

    stamped = services.invalidate_presets(preset_ids=[small.pk], now=NOON)

    small.refresh_from_db()
    large.refresh_from_db()
    assert stamped == 1
    assert (small.last_invalidated_at, large.last_invalidated_at) == (NOON, None)


def test_many_presets_are_retried_at_once_in_a_constant_number_of_statements(
    django_assert_num_queries,
):
    template = make_template(presets=[PresetSpec(name="Small"), PresetSpec(name="Large")])
    keys = [preset_of(template, "Small").pk, preset_of(template, "Large").pk]
    for key in keys:
        services.mark_validation_failed(preset_id=key, reason="size: unknown", now=NOON)

    with django_assert_num_queries(6):  # a savepoint, two to lock, one each to change and to note
        done = services.retry_presets(preset_ids=[*keys, uuid4()], now=NOON + hours(1))

    assert done == 2
    for preset in Preset.objects.filter(pk__in=keys):
        assert (preset.prebuild_status, preset.status_reason) == (PrebuildStatus.HEALTHY, "")
        assert preset.failures_reset_at == preset.status_since == NOON + hours(1)
    assert AuditEntry.objects.filter(action="retry").count() == 2


def test_many_presets_get_one_number_and_each_is_a_new_revision():
    template = make_template(presets=[PresetSpec(name="Small"), PresetSpec(name="Large")])
    small, large = preset_of(template, "Small"), preset_of(template, "Large")

    done = services.set_desired_instances_of(preset_ids=[small.pk], desired_instances=7, now=NOON)

    revisions = small.revision, large.revision
    small.refresh_from_db()
    large.refresh_from_db()
    assert done == 1
    assert (small.desired_instances, large.desired_instances) == (7, None)
    assert (small.revision, large.revision) == (revisions[0] + 1, revisions[1])
    assert AuditEntry.objects.get(action="edit").after == {"desired_instances": 7}


def test_many_presets_do_not_get_a_number_below_none():
    preset = preset_of(make_template())

    with pytest.raises(InvalidPreset, match="-1 is less than none"):
        services.set_desired_instances_of(preset_ids=[preset.pk], desired_instances=-1, now=NOON)
