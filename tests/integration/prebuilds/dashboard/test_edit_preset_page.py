"""Editing a preset: what is typed is checked, foreseen, shown as a difference, saved, reverted."""

from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from templates_app import services
from templates_app.models import ParameterDefinition, Preset, PresetSchedule
from templates_app.services import PresetChanges
from tests.integration.prebuilds.dashboard.house import House, add_preset, add_workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def url_of(preset: Preset, rest: str = "edit") -> str:
    return f"/presets/{preset.pk}/{rest}"


def form_of(preset: Preset, **typed: Any) -> dict[str, Any]:
    """Return the form as a browser sends it for the preset of the house, with some changed."""
    return {
        "revision": preset.revision,
        "description": "",
        "icon": "",
        "is_default": "yes",
        "desired_instances": "2",
        "ttl": "",
        "ttl_unit": "hours",
        "scheduling_timezone": "UTC",
        "schedule_expression": ["", ""],
        "schedule_instances": ["", ""],
        "sets.region": "yes",
        "parameter.region": "eu",
        "parameter.cpus": "2",
        **typed,
    }


def edit_meanwhile(house: House, **changes: Any) -> None:
    services.edit_preset(
        preset_id=house.preset.pk,
        revision=None,
        changes=PresetChanges(**changes),
        actor=Actor(user=house.member, source=AuditSource.PAGE),
        now=timezone.now(),
    )


def stored(house: House) -> Preset:
    return Preset.objects.get(pk=house.preset.pk)


def test_the_form_sent_as_it_was_shown_changes_nothing(admin_client: Client, house: House) -> None:
    response = admin_client.post(url_of(house.preset), form_of(house.preset))

    assert response["Location"] == f"/presets/{house.preset.pk}/"
    assert stored(house).revision == 1
    assert "Nothing was changed" in admin_client.get(response["Location"]).text


def test_a_change_is_shown_as_a_difference_and_not_saved_yet(
    admin_client: Client, house: House
) -> None:
    sent = form_of(house.preset, desired_instances="5", ttl="2", ttl_unit="days")

    review = admin_client.post(url_of(house.preset), sent)

    assert "2 → 5" in review.text
    assert "never expires → 2 d" in review.text
    assert "The next cycle will create 5 prebuilds." in review.text
    assert 'name="ttl_unit" value="days"' in review.text
    assert stored(house).revision == 1


def test_a_confirmed_change_is_saved_with_who_did_it(admin_client: Client, house: House) -> None:
    sent = form_of(
        house.preset,
        desired_instances="5",
        schedule_expression=["* 8-18 * * 1-5", ""],
        schedule_instances=["7", ""],
    )

    response = admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes"})

    assert response["Location"] == f"/presets/{house.preset.pk}/"
    preset = stored(house)
    assert (preset.desired_instances, preset.revision) == (5, 2)
    row = preset.schedules.get()
    assert (row.cron_expression, row.desired_instances) == ("* 8-18 * * 1-5", 7)
    entry = AuditEntry.objects.get(action="edit")
    assert (entry.actor, entry.source) == (house.admin, "page")
    assert entry.before == {"desired_instances": 2, "schedules": []}


def test_back_to_the_form_keeps_what_was_typed(admin_client: Client, house: House) -> None:
    sent = form_of(house.preset, desired_instances="5", description="half a thou")

    form = admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes", "again": "yes"})

    assert form.context["form"].typed.desired_instances == "5"
    assert "half a thou" in form.text
    assert stored(house).revision == 1


def test_an_overlap_names_both_rows_beside_them(admin_client: Client, house: House) -> None:
    sent = form_of(
        house.preset,
        schedule_expression=["* 8-18 * * 1-5", "", "* 18-20 * * *"],
        schedule_instances=["3", "", "4"],
    )

    response = admin_client.post(url_of(house.preset), sent)

    assert response.status_code == 422
    assert "Rows 1 and 2 overlap" in response.context["form"].errors["schedules"]
    rows = response.context["form"].schedule.rows
    assert [(row.expression, row.number) for row in rows if row.expression or row.number] == [
        ("* 8-18 * * 1-5", "3"),
        ("* 18-20 * * *", "4"),
    ]
    assert "data-focus-first" in response.text


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"desired_instances": "many"}, "desired_instances", "is not a whole number"),
        ({"desired_instances": "99999999999"}, "desired_instances", "is not a whole number"),
        ({"ttl": "1.5"}, "ttl_seconds", "is no time to live"),
        ({"ttl": "30", "ttl_unit": "minutes"}, "ttl_seconds", "is not between"),
        ({"scheduling_timezone": "Europe/Berlon"}, "scheduling_timezone", "Europe/Berlin"),
        ({"parameter.region": "mars"}, "parameters.region", "mars"),
        ({"sets.cpus": "yes", "parameter.cpus": "99"}, "parameters.cpus", "99"),
        (
            {"schedule_expression": ["* 8 * * *"], "schedule_instances": ["x"]},
            "schedules",
            'Row 1 ("* 8 * * *"): "x"',
        ),
    ],
)
def test_what_cannot_be_saved_is_said_beside_its_field(
    admin_client: Client, house: House, typed: dict[str, Any], field: str, said: str
) -> None:
    response = admin_client.post(
        url_of(house.preset), {**form_of(house.preset, **typed), "confirmed": "yes"}
    )

    assert response.status_code == 422
    assert said in response.context["form"].errors[field]
    assert stored(house).revision == 1


def test_a_second_default_preset_is_refused_by_name(admin_client: Client, house: House) -> None:
    other = add_preset(house.template, "Other", 1)

    response = admin_client.post(
        url_of(other), {**form_of(other, desired_instances="1"), "confirmed": "yes"}
    )

    assert response.status_code == 422
    assert '"Small" is the default' in response.context["form"].errors["is_default"]


def test_the_preview_says_what_the_next_cycle_would_do_and_saves_nothing(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)
    sent = form_of(
        house.preset,
        schedule_expression=["* * * * *"],
        schedule_instances=["4"],
        **{"parameter.region": "us"},
    )

    preview = admin_client.post(url_of(house.preset, "preview"), sent)

    assert "delete 1 prebuild and create 4 prebuilds" in preview.text
    assert preview.context["preview"].week.rows[0].text == "4 all day"
    assert "<form" not in preview.text
    assert stored(house).revision == 1


def test_the_preview_says_what_forbids_saving(admin_client: Client, house: House) -> None:
    sent = form_of(
        house.preset,
        schedule_expression=["* 8-18 * * *", "* 18 * * *"],
        schedule_instances=["3", "4"],
    )

    preview = admin_client.post(url_of(house.preset, "preview"), sent)

    assert "This cannot be saved yet" in preview.text
    assert "Rows 1 and 2 overlap" in preview.context["preview"].errors["schedules"]


def test_an_empty_number_takes_the_pool_away(admin_client: Client, house: House) -> None:
    sent = form_of(house.preset, desired_instances="")

    review = admin_client.post(url_of(house.preset), sent)
    admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes"})

    assert "2 → no pool" in review.text
    assert stored(house).desired_instances is None


def test_a_parameter_that_is_not_set_any_more_is_taken_from_the_preset(
    admin_client: Client, house: House
) -> None:
    sent = form_of(house.preset)
    del sent["sets.region"]

    review = admin_client.post(url_of(house.preset), sent)
    admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes"})

    assert "eu → not set" in review.text
    assert "expire at once" in review.text
    assert not stored(house).parameters.exists()


def test_a_list_is_typed_one_a_line_and_a_switch_says_false(
    admin_client: Client, house: House
) -> None:
    ParameterDefinition.objects.create(
        version=house.preset.version, position=9, name="tools", type="list(string)", default="[]"
    )
    sent = form_of(house.preset)
    sent |= {"sets.tools": "yes", "parameter.tools": "git\r\nuv\r\n", "sets.verbose": "yes"}

    admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes"})

    values = dict(stored(house).parameters.values_list("name", "value"))
    assert values == {"region": "eu", "tools": '["git", "uv"]', "verbose": "false"}


def test_a_value_that_is_no_option_any_more_is_not_changed_by_looking(
    admin_client: Client, house: House
) -> None:
    house.preset.parameters.update(value="atlantis")

    form = admin_client.get(url_of(house.preset))

    assert '<option value="atlantis" selected>' in form.text


def test_a_value_written_otherwise_is_no_change_and_expires_nothing(
    admin_client: Client, house: House
) -> None:
    definitions = {"name": "tools", "type": "list(string)"}, {"name": "note", "type": "string"}
    for fields in definitions:
        ParameterDefinition.objects.create(version=house.preset.version, position=9, **fields)
    edit_meanwhile(
        house,
        parameters={"region": "eu", "tools": '["git","uv"]', "note": "a\nb", "cpus": "+2"},
    )
    preset = stored(house)
    sent = form_of(preset, **{"parameter.tools": "git\r\nuv", "parameter.note": "a\r\nb"})
    sent |= {"sets.tools": "yes", "sets.note": "yes", "sets.cpus": "yes", "parameter.cpus": "+2"}

    form = admin_client.get(url_of(house.preset)).text
    admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes"})

    assert stored(house).revision == preset.revision
    assert 'rows="3" data-parameter-value data-field="parameters.note"' in form
    assert 'value="+2" data-parameter-value' in form
    assert 'type="number"' not in form


def test_the_second_of_two_is_told_who_changed_what_and_loses_nothing(
    admin_client: Client, house: House
) -> None:
    sent = form_of(house.preset, desired_instances="5", description="mine")
    edit_meanwhile(house, desired_instances=9, ttl_seconds=7200)

    response = admin_client.post(url_of(house.preset), {**sent, "confirmed": "yes"})

    assert response.status_code == 409
    conflict = response.context["conflict"]
    assert [edit.who for edit in conflict.edits] == ["Ben Okafor"]
    meetings = {one.field: one for one in conflict.meetings}
    number = meetings["desired_instances"]
    assert (number.opened, number.theirs, number.mine, number.clash) == ("2", "9", "5", True)
    assert not meetings["ttl_seconds"].clash
    typed = response.context["form"].typed
    assert (typed.desired_instances, typed.description) == ("5", "mine")
    assert typed.ttl_seconds == ("2", "hours")
    assert stored(house).desired_instances == 9
    enter, takes = response.text.index('id="enter-reviews"'), response.text.index('name="take"')
    assert enter < takes, "Enter presses the form's first button, which must not drop anything"


def test_what_was_merged_can_be_saved_on_the_new_revision(
    admin_client: Client, house: House
) -> None:
    sent = form_of(house.preset, desired_instances="5")
    edit_meanwhile(house, ttl_seconds=7200)
    typed = admin_client.post(url_of(house.preset), sent).context["form"].typed

    merged = {**sent, "revision": typed.revision, "ttl": "2", "confirmed": "yes"}
    response = admin_client.post(url_of(house.preset), merged)

    assert response.status_code == 302
    preset = stored(house)
    assert (preset.desired_instances, preset.ttl_seconds, preset.revision) == (5, 7200, 3)


def test_theirs_can_be_taken_without_typing_it_again(admin_client: Client, house: House) -> None:
    edit_meanwhile(house, schedules=[("* 8 * * *", 4)])
    sent = form_of(
        stored(house), schedule_expression=["* 9 * * *"], schedule_instances=["1"], take="schedules"
    )

    response = admin_client.post(url_of(house.preset), sent)

    assert response.context["form"].typed.schedules == (("* 8 * * *", "4"),)
    assert stored(house).revision == 2


def test_several_edits_in_between_are_all_told(admin_client: Client, house: House) -> None:
    sent = form_of(house.preset, description="mine")
    edit_meanwhile(house, desired_instances=9)
    edit_meanwhile(house, desired_instances=4, parameters={"region": "us"})

    response = admin_client.post(url_of(house.preset), sent)

    meetings = {one.field: one for one in response.context["conflict"].meetings}
    assert len(response.context["conflict"].edits) == 2
    assert (meetings["desired_instances"].opened, meetings["desired_instances"].theirs) == (
        "2",
        "4",
    )
    assert meetings["parameters"].opened == "region = eu"
    assert response.context["form"].typed.parameters == {"region": "us"}


def test_the_preview_tells_of_the_other_edit_before_anything_is_sent(
    admin_client: Client, house: House
) -> None:
    sent = form_of(house.preset, description="mine")
    edit_meanwhile(house, desired_instances=9)

    preview = admin_client.post(url_of(house.preset, "preview"), sent)

    assert "Ben Okafor" in preview.text
    assert [one.name for one in preview.context["preview"].changes] == ["Description"]


def test_the_history_says_who_changed_what_and_takes_an_edit_back(
    admin_client: Client, house: House
) -> None:
    edit_meanwhile(house, desired_instances=9, parameters={"region": "eu", "cpus": "4"})
    edit_meanwhile(house, ttl_seconds=7200)
    entry = AuditEntry.objects.filter(action="edit").order_by("pk")[0]

    page = admin_client.get(url_of(house.preset))
    plan = admin_client.get(url_of(house.preset, f"revert/{entry.pk}"))
    admin_client.post(url_of(house.preset, f"revert/{entry.pk}"), {"revision": "3"})

    assert [edit.who for edit in page.context["history"]] == ["Ben Okafor", "Ben Okafor"]
    assert "9 → 2" in plan.text
    preset = stored(house)
    assert (preset.desired_instances, preset.ttl_seconds, preset.revision) == (2, 7200, 4)
    assert dict(preset.parameters.values_list("name", "value")) == {"region": "eu"}
    newest = AuditEntry.objects.filter(action="edit").latest("pk")
    assert newest.actor == house.admin


def test_a_revert_whose_plan_is_out_of_date_is_not_done(admin_client: Client, house: House) -> None:
    edit_meanwhile(house, desired_instances=9)
    entry = AuditEntry.objects.get(action="edit")
    edit_meanwhile(house, ttl_seconds=7200)

    response = admin_client.post(url_of(house.preset, f"revert/{entry.pk}"), {"revision": "2"})

    assert response["Location"] == url_of(house.preset)
    assert "Nothing was reverted" in admin_client.get(url_of(house.preset)).text
    assert stored(house).desired_instances == 9


def test_a_revert_to_what_is_already_so_is_impossible(admin_client: Client, house: House) -> None:
    edit_meanwhile(house, desired_instances=9)
    entry = AuditEntry.objects.get(action="edit")
    edit_meanwhile(house, desired_instances=2)

    plan = admin_client.get(url_of(house.preset, f"revert/{entry.pk}"))

    assert "already as they were" in plan.text


def test_what_is_no_edit_of_this_preset_cannot_be_reverted(
    admin_client: Client, house: House
) -> None:
    other = add_preset(house.template, "Other", 1)
    edit_meanwhile(house, desired_instances=9)
    entry = AuditEntry.objects.get(action="edit")

    assert admin_client.get(url_of(other, f"revert/{entry.pk}")).status_code == 404
    assert admin_client.get(url_of(house.preset, "revert/987654")).status_code == 404


def test_a_member_may_not_change_a_preset(member_client: Client, house: House) -> None:
    edit_meanwhile(house, desired_instances=9)
    entry = AuditEntry.objects.get(action="edit")
    sent = {**form_of(stored(house), desired_instances="1"), "confirmed": "yes"}

    assert member_client.get(url_of(house.preset)).status_code == 403
    for rest in ("edit", "preview", f"revert/{entry.pk}"):
        assert member_client.post(url_of(house.preset, rest), sent).status_code == 403
    assert stored(house).desired_instances == 9


def test_the_form_asks_a_constant_number_of_statements(admin_client: Client, house: House) -> None:
    session_and_user = 2

    def ask() -> int:
        with CaptureQueriesContext(connections["default"]) as captured:
            admin_client.get(url_of(house.preset))
        return len(captured) - session_and_user

    few = ask()
    for hour in range(5):
        PresetSchedule.objects.create(
            preset=house.preset,
            cron_expression=f"* {hour} * * *",
            desired_instances=1,
            position=hour,
        )
        add_workspace(house.preset)
    edit_meanwhile(house, desired_instances=4)
    edit_meanwhile(house, desired_instances=3)

    assert ask() == few
    assert few <= 12
