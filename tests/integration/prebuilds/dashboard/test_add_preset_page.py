"""A preset is added to a version that is there, and one that nothing came from is deleted."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from templates_app.models import Preset, PresetSchedule
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from tests.integration.prebuilds.dashboard.visitors import text_of, visitor

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

FILLED = {
    "name": "Large",
    "desired_instances": "3",
    "ttl": "2",
    "ttl_unit": "days",
    "scheduling_timezone": "Europe/Berlin",
    "schedule_expression": ["* 8-18 * * 1-5", ""],
    "schedule_instances": ["5", ""],
    "sets.cpus": "yes",
    "parameter.cpus": "4",
    "revision": "1",
}


def url_of(house: House, rest: str = "new") -> str:
    template = house.template
    return f"/templates/{template.pk}/versions/{template.active_version_id}/presets/{rest}"


def test_a_preset_is_added_with_all_that_was_typed(admin_client: Client, house: House) -> None:
    response = admin_client.post(url_of(house), FILLED)

    added = Preset.objects.get(name="Large")
    assert response["Location"] == f"/presets/{added.pk}/"
    assert (added.version_id, added.desired_instances) == (house.preset.version_id, 3)
    assert (added.ttl_seconds, added.scheduling_timezone) == (172_800, "Europe/Berlin")
    assert list(added.schedules.values_list("cron_expression", "desired_instances")) == [
        ("* 8-18 * * 1-5", 5)
    ]
    assert dict(added.parameters.values_list("name", "value")) == {"cpus": "4"}
    entry = AuditEntry.objects.get(action="create", object_id=str(added.pk))
    assert (entry.actor, entry.source) == (house.admin, "page")
    assert "Added: python-service / Large. The next cycle will create" in text_of(
        admin_client.get("/templates/")
    )


def test_it_starts_from_another_of_its_version_but_is_not_the_default_too(
    admin_client: Client, house: House
) -> None:
    PresetSchedule.objects.create(
        preset=house.preset, cron_expression="* 8-18 * * 1-5", desired_instances=4
    )

    response = admin_client.get(f"{url_of(house)}?from={house.preset.pk}")

    typed = response.context["form"].typed
    assert (typed.desired_instances, dict(typed.parameters)) == ("2", {"region": "eu"})
    assert typed.schedules == (("* 8-18 * * 1-5", "4"),)
    assert not typed.is_default
    assert "It starts from the settings of Small." in text_of(response)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"name": "  "}, "name", "Give the preset a name."),
        ({"name": "Small"}, "name", "v1 has a preset called Small."),
        ({"name": "x" * 65}, "name", "use 64 at most"),
        ({"is_default": "yes"}, "is_default", '"Small" is the default'),
        ({"desired_instances": "many"}, "desired_instances", '"many" is not a whole number'),
        ({"parameter.cpus": "99"}, "parameters.cpus", "99"),
    ],
)
def test_what_is_wrong_is_said_beside_its_input_and_nothing_is_added(
    admin_client: Client, house: House, changed: dict[str, str], field: str, words: str
) -> None:
    response = admin_client.post(url_of(house), FILLED | changed)

    assert response.status_code == 422
    assert words in response.context["form"].errors[field]
    assert Preset.objects.count() == 1


def test_what_it_would_bring_is_shown_before_it_is_added(
    admin_client: Client, house: House
) -> None:
    response = admin_client.post(url_of(house, "preview"), FILLED)

    assert "The next cycle will create" in text_of(response)
    assert response.context["preview"].week is not None
    assert Preset.objects.count() == 1


def test_who_may_not_change_the_template_adds_and_deletes_nothing(house: House) -> None:
    member = visitor("member")

    assert member.get(url_of(house)).status_code == 403
    assert member.post(url_of(house), FILLED).status_code == 403
    assert member.post(f"/presets/{house.preset.pk}/delete", {"revision": "1"}).status_code == 403
    assert Preset.objects.get() == house.preset


def test_to_a_deleted_template_nothing_is_added(admin_client: Client, house: House) -> None:
    type(house.template).objects.update(deleted_at=timezone.now())

    response = admin_client.post(url_of(house), FILLED)

    assert response.status_code == 302
    assert Preset.objects.count() == 1


def test_a_preset_nothing_came_from_is_deleted_by_its_plan(
    admin_client: Client, house: House
) -> None:
    page = f"/presets/{house.preset.pk}/delete"

    plan = text_of(admin_client.get(page))
    response = admin_client.post(page, {"revision": "1"})

    assert "the audit log keeps them" in plan
    version = house.template.active_version_id
    assert response["Location"] == f"/templates/{house.template.pk}/versions/{version}/"
    assert not Preset.objects.exists()
    assert AuditEntry.objects.get(action="delete").actor == house.admin


def test_a_preset_with_a_history_is_kept_and_the_plan_says_what_to_do_instead(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)
    page = f"/presets/{house.preset.pk}/delete"

    plan = text_of(admin_client.get(page))
    response = admin_client.post(page, {"revision": "1"})

    assert "Take its pool away instead" in plan
    assert response["Location"] == f"/presets/{house.preset.pk}/"
    assert Preset.objects.get() == house.preset


def test_a_preset_that_was_changed_meanwhile_is_not_deleted(
    admin_client: Client, house: House
) -> None:
    Preset.objects.update(revision=2)

    admin_client.post(f"/presets/{house.preset.pk}/delete", {"revision": "1"})

    assert Preset.objects.get() == house.preset
