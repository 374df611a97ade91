"""Templates in the admin: promote, edit a preset's pool, retry, invalidate."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import OrganizationRole, SiteRole
from accounts.models import AuditEntry, User
from templates_app import services
from templates_app.enums import PrebuildStatus
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.services import PresetSpec, VersionSpec
from tests.factories import make_organization, make_template, make_user, preset_of

pytestmark = pytest.mark.django_db


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def tess() -> Client:
    return client_of(make_user("tess", roles=[SiteRole.TEMPLATE_ADMIN]))


@pytest.fixture
def template() -> Template:
    small = PresetSpec(name="Small", desired_instances=2, is_default=True)
    return make_template(presets=[small, PresetSpec(name="Large")])


@pytest.fixture
def preset(template: Template) -> Preset:
    return preset_of(template)


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:templates_app_{name}", args=args)


def second_version(template: Template, name: str = "2.0.0") -> TemplateVersion:
    user = User.objects.first()
    assert user is not None
    return services.create_version(template=template, created_by=user, spec=VersionSpec(name=name))


def act(client: Client, model: str, action: str, *rows: Any) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page(f"{model}_changelist"), chosen, follow=True)


def sent(preset: Preset, *rows: tuple[str, int], **changes: Any) -> dict[str, Any]:
    """Return what the browser sends for a preset, with new schedule rows, and changes."""
    form: dict[str, Any] = {
        "description": preset.description,
        "icon": preset.icon,
        "desired_instances": "2",
        "ttl_seconds": "",
        "scheduling_timezone": "UTC",
        "schedules-TOTAL_FORMS": len(rows),
        "schedules-INITIAL_FORMS": 0,
        "parameters-TOTAL_FORMS": 0,
        "parameters-INITIAL_FORMS": 0,
    }
    if preset.is_default:
        form["is_default"] = "on"
    for number, (expression, instances) in enumerate(rows):
        form[f"schedules-{number}-cron_expression"] = expression
        form[f"schedules-{number}-desired_instances"] = instances
    return form | changes


def save(client: Client, preset: Preset, *rows: tuple[str, int], **changes: Any) -> Any:
    response = client.post(page("preset_change", preset.pk), sent(preset, *rows, **changes))
    preset.refresh_from_db()
    return response


def errors_of(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


def row_errors_of(response: Any) -> list[dict[str, list[str]]]:
    return [dict(each) for each in response.context["inline_admin_formsets"][0].formset.errors]


def test_a_version_is_promoted(tess: Client, template: Template) -> None:
    version = second_version(template)

    act(tess, "templateversion", "promote", version)

    template.refresh_from_db()
    assert template.active_version_id == version.pk


def test_two_versions_of_one_template_are_not_promoted_together(
    tess: Client, template: Template
) -> None:
    before = template.active_version_id
    versions = second_version(template), second_version(template, "3.0.0")

    response = act(tess, "templateversion", "promote", *versions)

    template.refresh_from_db()
    assert template.active_version_id == before
    assert "Select one version of a template." in response.text


def test_a_version_of_a_deleted_template_is_not_promoted(tess: Client, template: Template) -> None:
    version = second_version(template)
    Template.objects.update(deleted_at=timezone.now())

    act(tess, "templateversion", "promote", version)

    template.refresh_from_db()
    assert template.active_version_id != version.pk


def test_an_action_refuses_a_row_one_can_see_but_not_update(template: Template) -> None:
    theirs = make_organization()
    user = make_user(organization_roles=[OrganizationRole.AUDITOR])
    user.memberships.create(organization=theirs, roles=[OrganizationRole.TEMPLATE_ADMIN])
    own = make_template(organization=theirs)
    versions = second_version(template), second_version(own)

    response = act(client_of(user), "templateversion", "promote", *versions)

    template.refresh_from_db()
    own.refresh_from_db()
    assert response.status_code == 403
    assert {template.active_version_id, own.active_version_id}.isdisjoint(
        version.pk for version in versions
    )


def test_a_preset_is_edited(tess: Client, preset: Preset) -> None:
    response = save(
        tess,
        preset,
        ("* 9-17 * * 1-5", 5),
        ("* 18-20 * * 1-5", 1),
        desired_instances="3",
        ttl_seconds="7200",
        scheduling_timezone="Europe/Berlin",
        description="For most people",
    )

    assert response.status_code == 302
    assert (preset.desired_instances, preset.ttl_seconds) == (3, 7200)
    assert preset.scheduling_timezone == "Europe/Berlin"
    assert list(preset.schedules.values_list("position", "desired_instances")) == [(0, 5), (1, 1)]
    assert preset.revision == 2


def test_a_schedule_row_is_changed_and_removed(tess: Client, preset: Preset) -> None:
    save(tess, preset, ("* 9-17 * * 1-5", 5), ("* 18-20 * * 1-5", 1))
    first, second = preset.schedules.all()

    save(
        tess,
        preset,
        ("* 8-17 * * 1-5", 6),
        (second.cron_expression, 1),
        **{
            "schedules-INITIAL_FORMS": 2,
            "schedules-0-id": first.pk,
            "schedules-0-preset": preset.pk,
            "schedules-1-id": second.pk,
            "schedules-1-preset": preset.pk,
            "schedules-1-DELETE": "on",
        },
    )

    rows = preset.schedules.values_list("cron_expression", "desired_instances")
    assert list(rows) == [("* 8-17 * * 1-5", 6)]


def test_a_pool_is_taken_from_a_preset(tess: Client, preset: Preset) -> None:
    save(tess, preset, desired_instances="")

    assert preset.desired_instances is None


def test_saving_without_a_change_changes_nothing(tess: Client, preset: Preset) -> None:
    save(tess, preset)

    assert preset.revision == 1


def test_overlapping_rows_are_both_named(tess: Client, preset: Preset) -> None:
    response = save(tess, preset, ("* 9-17 * * *", 5), ("* 3 * * *", 0), ("* 12 * * 1", 1))

    first, second, third = row_errors_of(response)
    assert "Rows 1 and 3 overlap" in first["cron_expression"][0]
    assert second == {}
    assert "Rows 1 and 3 overlap" in third["cron_expression"][0]


def test_two_equal_rows_overlap(tess: Client, preset: Preset) -> None:
    response = save(tess, preset, ("* 9 * * *", 5), ("* 9 * * *", 4))

    assert all("overlap" in each["cron_expression"][0] for each in row_errors_of(response))


def test_two_rows_may_swap_their_expressions(tess: Client, preset: Preset) -> None:
    save(tess, preset, ("* 9 * * *", 5), ("* 10 * * *", 1))
    first, second = preset.schedules.all()

    save(
        tess,
        preset,
        ("* 10 * * *", 5),
        ("* 9 * * *", 1),
        **{
            "schedules-INITIAL_FORMS": 2,
            "schedules-0-id": first.pk,
            "schedules-0-preset": preset.pk,
            "schedules-1-id": second.pk,
            "schedules-1-preset": preset.pk,
        },
    )

    rows = preset.schedules.values_list("cron_expression", "desired_instances")
    assert list(rows) == [("* 10 * * *", 5), ("* 9 * * *", 1)]


def test_an_unreadable_row_says_why_at_its_field(tess: Client, preset: Preset) -> None:
    response = save(tess, preset, ("*/5 * * * *", 5))

    assert "cron_expression" in row_errors_of(response)[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheduling_timezone", "Europe/Atlantis"),
        ("ttl_seconds", "60"),
        ("ttl_seconds", "99999999"),
        ("desired_instances", "-1"),
    ],
)
def test_a_bad_setting_is_refused_at_its_field(
    tess: Client, preset: Preset, field: str, value: str
) -> None:
    response = save(tess, preset, ("* 9 * * *", 1), **{field: value})

    assert list(errors_of(response)) == [field]


def test_a_second_default_is_refused_at_its_field(tess: Client, template: Template) -> None:
    response = save(tess, preset_of(template, "Large"), is_default="on")

    assert list(errors_of(response)) == ["is_default"]


def test_editing_lets_a_preset_that_failed_validation_try_again(
    tess: Client, preset: Preset
) -> None:
    services.mark_validation_failed(preset_id=preset.pk, reason="missing", now=timezone.now())

    save(tess, preset, description="mended")

    assert preset.prebuild_status == PrebuildStatus.HEALTHY


def test_editing_does_not_undo_what_happened_while_the_form_was_open(
    tess: Client, preset: Preset
) -> None:
    form = sent(preset, description="new")
    services.retry_preset(preset_id=preset.pk, now=timezone.now())
    Preset.objects.filter(pk=preset.pk).update(prebuild_status=PrebuildStatus.HARD_LIMITED)

    tess.post(page("preset_change", preset.pk), form)

    preset.refresh_from_db()
    assert preset.failures_reset_at is not None
    assert preset.prebuild_status == PrebuildStatus.HARD_LIMITED


def test_an_edit_leaves_one_audit_entry_of_what_it_changed(tess: Client, preset: Preset) -> None:
    save(tess, preset, ("* 9 * * *", 5), desired_instances="3")

    entry = AuditEntry.objects.get(action="edit")
    assert (entry.source, entry.object_label) == ("admin", f"{preset.version.template} / Small")
    assert entry.before == {"desired_instances": 2, "schedules": []}
    assert entry.after == {
        "desired_instances": 3,
        "schedules": [{"cron_expression": "* 9 * * *", "desired_instances": 5}],
    }


def test_of_two_people_editing_the_second_is_told(tess: Client, preset: Preset) -> None:
    late = sent(preset, desired_instances="9", seen_revision="1")
    save(tess, preset, desired_instances="3", seen_revision="1")

    response = tess.post(page("preset_change", preset.pk), late, follow=True)

    preset.refresh_from_db()
    assert preset.desired_instances == 3
    assert "Somebody else changed this preset" in response.text
    assert 'name="seen_revision" value="2"' in response.text


def test_what_a_preset_is_cannot_be_sent_along(tess: Client, preset: Preset) -> None:
    save(tess, preset, name="Huge", prebuild_status="hard_limited", description="x")

    assert (preset.name, preset.prebuild_status) == ("Small", PrebuildStatus.HEALTHY)


def test_retry_forgets_the_failures(tess: Client, preset: Preset) -> None:
    services.mark_validation_failed(preset_id=preset.pk, reason="missing", now=timezone.now())

    act(tess, "preset", "retry", preset)

    preset.refresh_from_db()
    assert preset.prebuild_status == PrebuildStatus.HEALTHY
    assert preset.failures_reset_at is not None


def test_invalidate_stamps_the_chosen_presets_only(tess: Client, template: Template) -> None:
    preset, other = preset_of(template), preset_of(template, "Large")

    act(tess, "preset", "invalidate", preset)

    preset.refresh_from_db()
    other.refresh_from_db()
    assert preset.last_invalidated_at is not None
    assert other.last_invalidated_at is None


def test_an_auditor_is_offered_no_action(template: Template) -> None:
    client = client_of(make_user(roles=[SiteRole.AUDITOR]))

    text = client.get(page("preset_changelist")).text

    assert "Invalidate prebuilds" not in text


def test_a_template_is_edited_but_not_promoted_by_its_form(
    tess: Client, template: Template
) -> None:
    version, before = second_version(template), template.active_version_id
    form = {
        "name": "renamed",
        "default_ttl_seconds": "0",
        "time_til_dormant_seconds": "0",
        "time_til_dormant_autodelete_seconds": "0",
        "deprecation_message": "Use the other one.",
        "active_version": str(version.pk),
    }

    response = tess.post(page("template_change", template.pk), form)

    template.refresh_from_db()
    assert response.status_code == 302
    assert (template.name, template.deprecation_message) == ("renamed", "Use the other one.")
    assert template.active_version_id == before


def test_an_edit_of_a_template_is_written_down(tess: Client, template: Template) -> None:
    form = {
        "name": template.name,
        "default_ttl_seconds": "3600",
        "allow_user_autostart": "on",
        "allow_user_autostop": "on",
        "time_til_dormant_seconds": "0",
        "time_til_dormant_autodelete_seconds": "0",
    }

    tess.post(page("template_change", template.pk), form)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor.username) == ("edit", "tess")
    assert (entry.before, entry.after) == (
        {"default_ttl_seconds": 0},
        {"default_ttl_seconds": 3600},
    )


def test_a_taken_template_name_is_refused_at_its_field(tess: Client, template: Template) -> None:
    make_template("taken")
    form = {
        "name": "Taken",
        "default_ttl_seconds": "0",
        "time_til_dormant_seconds": "0",
        "time_til_dormant_autodelete_seconds": "0",
    }

    response = tess.post(page("template_change", template.pk), form)

    assert list(errors_of(response)) == ["name"]


def test_a_deleted_template_stays_as_it_is(tess: Client, template: Template) -> None:
    Template.objects.filter(pk=template.pk).update(deleted_at=timezone.now())

    assert tess.get(page("template_change", template.pk)).status_code == 200
    assert tess.post(page("template_change", template.pk), {}).status_code == 403
