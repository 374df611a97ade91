"""Promotion shows which presets would fail, and goes on (semantics.md 10)."""

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEntry
from templates_app import services
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec
from tests.factories import NOON, make_template, make_user

pytestmark = pytest.mark.django_db

REGION = ParameterDefinition(name="region", type="string", required=True, options=("eu", "us"))
GOOD = PresetSpec(name="America", parameters={"region": "us"}, desired_instances=1)
CLOSED = PresetSpec(name="Europe", parameters={"region": "eu-old"})
FORGOTTEN = PresetSpec(name="Anywhere", schedules=(("* 9 * * *", 1), ("* 9 * * 1", 2)))


def add_version(template, *presets, name="2.0.0"):
    return services.create_version(
        template=template,
        created_by=make_user(),
        spec=VersionSpec(name=name, definitions=(REGION,), presets=presets),
        check_presets=False,
    )


def promote(version):
    return services.promote_version(
        template_id=version.template_id, version_id=version.pk, now=NOON
    )


def test_each_preset_that_would_fail_is_named_with_all_its_problems():
    version = add_version(make_template(), GOOD, CLOSED, FORGOTTEN)

    anywhere, europe = services.promotion_problems(version.pk)

    assert (anywhere.preset_name, europe.preset_name) == ("Anywhere", "Europe")
    assert [field for field, _ in anywhere.problems] == ["schedules", "parameters.region"]
    assert europe.problems == (
        ("parameters.region", '"eu-old" is not an option, choose from "eu", "us"'),
    )
    assert europe.preset_id == version.presets.get(name="Europe").pk


def test_a_version_whose_presets_all_build_has_no_problems():
    version = add_version(make_template(), GOOD)

    assert services.promotion_problems(version.pk) == ()


def test_many_presets_are_checked_in_as_many_statements_as_one():
    template = make_template()
    one = add_version(template, CLOSED)
    many = add_version(
        template,
        *(PresetSpec(name=f"Europe {n}", parameters={"region": "x"}) for n in range(20)),
        name="3.0.0",
    )

    with CaptureQueriesContext(connection) as for_one:
        services.promotion_problems(one.pk)
    with CaptureQueriesContext(connection) as for_many:
        assert len(services.promotion_problems(many.pk)) == 20

    assert len(for_one) == len(for_many) == 4


def test_promotion_goes_on_and_its_audit_entry_names_the_presets():
    version = add_version(make_template(), GOOD, CLOSED, FORGOTTEN)

    template = promote(version)

    template.refresh_from_db()
    assert template.active_version == version
    assert AuditEntry.objects.get(action="promote").after == {
        "active_version": "2.0.0",
        "presets_that_would_fail": ["Anywhere", "Europe"],
    }


def test_the_audit_entry_of_a_promotion_without_problems_says_no_more_than_before():
    promote(add_version(make_template(), GOOD))

    assert AuditEntry.objects.get(action="promote").after == {"active_version": "2.0.0"}


def test_the_admin_shows_what_will_fail_and_the_remedy(client):
    version = add_version(make_template("lab"), GOOD, CLOSED)
    client.force_login(make_user(roles=["owner"]))

    response = client.post(
        reverse("admin:templates_app_templateversion_changelist"),
        {"action": "promote", "_selected_action": [version.pk]},
    )

    promoted, warning = get_messages(response.wsgi_request)
    assert (promoted.level_tag, warning.level_tag) == ("success", "warning")
    assert str(warning) == (
        'Nothing can be built from preset "Europe" of lab 2.0.0. Europe: parameters.region: '
        '"eu-old" is not an option, choose from "eu", "us"'
    )
