"""The database refuses templates, versions and presets that must not be (semantics.md 1)."""

import pytest
from django.db import IntegrityError, transaction

from templates_app.models import (
    ParameterDefinition,
    Preset,
    PresetParameter,
    PresetSchedule,
    Template,
    TemplateVersion,
)
from templates_app.parameters import ParameterDefinition as Definition
from templates_app.services import PresetSpec
from tests.factories import NOON, make_organization, make_template, make_user, preset_of
from tests.integration.referee import assert_refused, check_deferred, constraints_of, run

pytestmark = pytest.mark.django_db

IMPLIED = {"template_version_of_template"}


def add_version(template: Template, **fields) -> TemplateVersion:
    return TemplateVersion.objects.create(
        template=template, created_by=make_user(), **{"name": "2.0.0", **fields}
    )


def new_version(**fields):
    return lambda: add_version(make_template(), **fields)


def new_definition(**fields):
    return lambda: ParameterDefinition.objects.create(
        version=make_template().active_version, **{"name": "size", **fields}
    )


def new_preset(**fields):
    return lambda: Preset.objects.create(
        version=make_template().active_version, **{"name": "Large", **fields}
    )


def new_schedule(**fields):
    return lambda: PresetSchedule.objects.create(
        preset=preset_of(make_template()),
        **{"cron_expression": "* 9-18 * * 1-5", "desired_instances": 1, **fields},
    )


def two_templates_of_one_name():
    organization = make_organization()
    make_template("web", organization=organization)
    make_template("WEB", organization=organization)


def two_versions_of_one_name():
    add_version(make_template(), name="1.0.0")


def two_definitions_of_one_name():
    version = make_template().active_version
    for _ in range(2):
        ParameterDefinition.objects.create(version=version, name="size")


def two_presets_of_one_name():
    Preset.objects.create(version=make_template().active_version, name="SMALL")


def two_default_presets():
    version = make_template().active_version
    for name in ("One", "Two"):
        Preset.objects.create(version=version, name=name, is_default=True)


def two_values_of_one_parameter():
    preset = preset_of(make_template())
    for value in ("a", "b"):
        PresetParameter.objects.create(preset=preset, name="region", value=value)


def two_schedules_of_one_expression():
    preset = preset_of(make_template())
    for number in (1, 2):
        PresetSchedule.objects.create(
            preset=preset, cron_expression="* 9-18 * * 1-5", desired_instances=number
        )


def active_version_of_another_template():
    other = make_template()
    Template.objects.filter(pk=make_template().pk).update(active_version=other.active_version_id)


def unknown_status_in_sql():
    make_template()
    run("UPDATE templates_app_preset SET prebuild_status = 'on fire'")


REFUSED = [
    ("template_name_unique_while_live", two_templates_of_one_name),
    ("template_active_version_is_its_own", active_version_of_another_template),
    ("template_version_name_unique", two_versions_of_one_name),
    ("template_version_provisioner_known", new_version(provisioner_type="magic")),
    ("template_version_startup_timeout_positive", new_version(startup_timeout_seconds=0)),
    ("parameter_name_unique", two_definitions_of_one_name),
    ("parameter_type_known", new_definition(type="float")),
    ("parameter_monotonic_known", new_definition(validation_monotonic="sideways")),
    ("parameter_range_ordered", new_definition(validation_min=2, validation_max=1)),
    ("preset_name_unique", two_presets_of_one_name),
    ("preset_one_default", two_default_presets),
    ("preset_ttl_in_range", new_preset(ttl_seconds=1)),
    ("preset_ttl_in_range", new_preset(ttl_seconds=3_599)),
    ("preset_ttl_in_range", new_preset(ttl_seconds=31_536_001)),
    ("templates_app_preset_desired_instances_check", new_preset(desired_instances=-1)),
    ("preset_status_known", new_preset(prebuild_status="on fire")),
    ("preset_status_known", unknown_status_in_sql),
    ("preset_parameter_unique", two_values_of_one_parameter),
    ("preset_schedule_expression_unique", two_schedules_of_one_expression),
    ("templates_app_presetschedule_desired_instances_check", new_schedule(desired_instances=-1)),
]


@pytest.mark.parametrize(("constraint", "attempt"), REFUSED)
def test_the_database_refuses(constraint, attempt):
    assert_refused(constraint, attempt)


def test_every_constraint_of_the_models_is_in_the_table():
    named = constraints_of("templates_app", implied=IMPLIED)

    assert named <= {constraint for constraint, _ in REFUSED}


@pytest.mark.parametrize("ttl", [None, 0, 3_600, 31_536_000])
def test_a_ttl_inside_its_range_is_stored(ttl):
    preset = new_preset(ttl_seconds=ttl)()

    preset.refresh_from_db()
    assert preset.ttl_seconds == ttl


def test_a_pool_may_want_none():
    assert new_preset(desired_instances=0)().desired_instances == 0


def test_the_name_of_a_deleted_template_can_be_used_again():
    organization = make_organization()
    old = make_template("web", organization=organization)
    Template.objects.filter(pk=old.pk).update(deleted_at=NOON)

    make_template("web", organization=organization)
    check_deferred()

    assert Template.objects.filter(organization=organization, name="web").count() == 2


def test_two_organizations_may_have_a_template_of_one_name():
    make_template("web", organization=make_organization())
    make_template("web", organization=make_organization())

    assert Template.objects.filter(name="web").count() == 2


def test_two_versions_may_each_have_a_default_preset_of_one_name():
    template = make_template(presets=[PresetSpec(name="Small", is_default=True)])

    Preset.objects.create(version=add_version(template), name="Small", is_default=True)

    assert Preset.objects.filter(is_default=True).count() == 2


def test_a_template_and_its_first_version_may_be_born_in_any_order():
    template = make_template()

    check_deferred()

    assert template.active_version.template == template


IMMUTABLE = {
    "a version's script": "UPDATE templates_app_templateversion SET startup_script = 'x'",
    "a version's name": "UPDATE templates_app_templateversion SET name = 'x'",
    "a parameter's default": "UPDATE templates_app_parameterdefinition SET \"default\" = 'x'",
    "a parameter, gone": "DELETE FROM templates_app_parameterdefinition",
}


@pytest.mark.parametrize("sql", IMMUTABLE.values(), ids=IMMUTABLE)
def test_a_version_never_changes(sql):
    make_template(definitions=[Definition(name="size", type="string", default="s")])

    with pytest.raises(IntegrityError, match="immutable; make a new"), transaction.atomic():
        run(sql)


def test_a_version_that_presets_or_builds_use_cannot_be_deleted():
    version = make_template().active_version

    assert_refused(
        "templates_app_templateversion",
        lambda: run("DELETE FROM templates_app_templateversion WHERE id = %s", version.pk),
    )
