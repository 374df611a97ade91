"""New templates, new versions and settings: what is typed is what is made, or is told beside it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Organization
from templates_app.models import Preset, PresetSchedule, Template, TemplateVersion
from templates_app.services import PresetSpec
from tests.factories import make_organization, make_template, make_user, promote_new_version
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

FRAGMENT = {"HX-Request": "true"}
NEW = "/templates/new/"


def url_of(template: Template, rest: str = "versions/new") -> str:
    return f"/templates/{template.pk}/{rest}"


def typed(response) -> dict[str, str]:
    """Return what a browser would send of the form of a new version as it is shown."""
    draft, sent = response.context["draft"], {}
    forms = [draft.form, *(form for each in draft.formsets.values() for form in each.forms)]
    for kind, formset in draft.formsets.items():
        sent |= {
            f"{kind}-TOTAL_FORMS": str(formset.total_form_count()),
            f"{kind}-INITIAL_FORMS": "0",
        }
    for form in forms:
        for field in form:
            value = field.value()
            if field.widget_type == "checkbox":
                sent |= {field.html_name: "on"} if value else {}
            else:
                sent[field.html_name] = "" if value is None else str(value)
    return sent


def opened(client: Client, template: Template, query: str = "") -> dict[str, str]:
    return typed(client.get(url_of(template) + query))


def edit_of(template: Template, edit: str) -> str:
    return f"{url_of(template)}?edit={edit}"


def made(template: Template) -> TemplateVersion:
    return TemplateVersion.objects.exclude(pk=template.active_version_id).get(template=template)


def row_with(sent: dict[str, str], kind: str, field: str, value: str) -> str:
    """Return the prefix of the row whose field has the value."""
    (name,) = [
        each
        for each in sent
        if each.startswith(f"{kind}-") and each.endswith(f"-{field}") and sent[each] == value
    ]
    return name.removesuffix(field)


def test_a_version_sent_as_it_was_shown_is_the_active_one_again(
    admin_client: Client, house: House
) -> None:
    Preset.objects.filter(pk=house.preset.pk).update(ttl_seconds=7200, description="A small one")
    PresetSchedule.objects.create(
        preset=house.preset, cron_expression="* 9-18 * * 1-5", desired_instances=5
    )

    response = admin_client.post(url_of(house.template), opened(admin_client, house.template))

    version = made(house.template)
    address = f"/templates/{house.template.pk}/versions/{version.pk}/"
    assert response["Location"] == address
    assert version.name == "v2"
    assert version.created_by == house.admin
    before = list(house.template.active_version.parameter_definitions.values())
    after = list(version.parameter_definitions.values())
    for row in (*before, *after):
        del row["id"], row["version_id"]
    assert after == before
    preset = version.presets.get()
    assert (preset.ttl_seconds, preset.description, preset.is_default) == (
        7200,
        "A small one",
        True,
    )
    assert preset.parameters.get().value == "eu"
    assert preset.schedules.get().desired_instances == 5
    page = admin_client.get(address).text
    assert "the same as the active version" in page
    assert "It is not active yet" in page
    assert house.template.active_version.name == "v1"


def test_files_and_scripts_are_kept_as_typed_with_plain_line_ends(
    admin_client: Client, house: House
) -> None:
    sent = opened(admin_client, house.template) | {
        "startup_script": "#!/bin/sh\r\necho hi\r\n",
        "files-TOTAL_FORMS": "1",
        "files-0-path": "bin/run.sh",
        "files-0-text": "\r\n  indented\r\n",
        "tags-TOTAL_FORMS": "1",
        "tags-0-name": "zone",
        "tags-0-value": "eu",
        "message": "Faster",
        "startup_timeout_seconds": "60",
        "daily_cost": "3",
    }

    admin_client.post(url_of(house.template), sent)

    version = made(house.template)
    assert version.startup_script == "#!/bin/sh\necho hi\n"
    assert version.source_files == {"bin/run.sh": "\n  indented\n"}
    assert (version.tags, version.message) == ({"zone": "eu"}, "Faster")
    assert (version.startup_timeout_seconds, version.daily_cost) == (60, 3)


def test_rows_come_and_go_and_nothing_typed_is_lost(admin_client: Client, house: House) -> None:
    sent = opened(admin_client, house.template) | {"message": "half-typed", "daily_cost": "not yet"}

    added = admin_client.post(edit_of(house.template, "add:files:"), sent, headers=FRAGMENT)
    removed = admin_client.post(
        edit_of(house.template, "remove:parameters:0"), typed(added), headers=FRAGMENT
    )

    assert "<html" not in added.text
    assert typed(added)["files-TOTAL_FORMS"] == "1"
    after = typed(removed)
    assert (after["message"], after["daily_cost"]) == ("half-typed", "not yet")
    assert after["parameters-TOTAL_FORMS"] == "2"
    assert after["parameters-0-name"] == "cpus"
    assert after["parameters-0-mutable"] == "on"
    assert "parameters-0-required" not in after
    assert TemplateVersion.objects.count() == 1


def test_rows_cannot_be_added_without_end(admin_client: Client, house: House) -> None:
    sent = opened(admin_client, house.template) | {"tags-TOTAL_FORMS": "999999"}

    shown = admin_client.post(edit_of(house.template, "add:tags:"), sent)
    assert typed(shown)["tags-TOTAL_FORMS"] == "40"
    refused = admin_client.post(url_of(house.template), sent)
    assert refused.status_code == 422
    assert "at most 40 forms" in refused.text


def test_values_of_a_removed_parameter_are_left_out_of_presets(
    admin_client: Client, house: House
) -> None:
    sent = opened(admin_client, house.template)
    place = row_with(sent, "parameters", "name", "region").split("-")[1]

    shown = admin_client.post(edit_of(house.template, f"remove:parameters:{place}"), sent)
    admin_client.post(url_of(house.template), typed(shown))

    version = made(house.template)
    assert not version.presets.get().parameters.exists()
    page = text_of(admin_client.get(f"/templates/{house.template.pk}/versions/{version.pk}/"))
    assert 'removed</span> <span class="text-break fw-medium">region' in page


def test_a_preset_can_be_left_out_and_another_added(admin_client: Client, house: House) -> None:
    sent = opened(admin_client, house.template) | {
        "presets-0-source": "",
        "presets-0-name": "Large",
        "presets-0-desired_instances": "",
    }

    admin_client.post(url_of(house.template), sent)

    preset = made(house.template).presets.get()
    assert (preset.name, preset.desired_instances, preset.is_default) == ("Large", None, False)
    assert not preset.parameters.exists()


@pytest.mark.parametrize(
    ("changed", "error_of", "words"),
    [
        ({"name": ""}, "name", "This field is required"),
        ({"name": "V1"}, "name", "There is a version &quot;V1&quot; already"),
        ({"startup_timeout_seconds": "0"}, "startup_timeout_seconds", "greater than or equal to 1"),
        (
            {"files-TOTAL_FORMS": "1", "files-0-path": "../etc/passwd", "files-0-text": "x"},
            "files-0-path",
            "is no path inside the workspace",
        ),
        (
            {
                "files-TOTAL_FORMS": "2",
                "files-0-path": "a",
                "files-0-text": "x",
                "files-1-path": "a",
                "files-1-text": "y",
            },
            "files-1-path",
            "is here 2 times; keep one",
        ),
        ({"parameters-1-default": "9"}, "parameters-1-name", "is more than the maximum"),
        ({"parameters-0-options": "us"}, "parameters-0-name", "is not an option"),
        (
            {"parameters-0-options": "us", "parameters-0-default": "us"},
            "presets-0-name",
            "region: &quot;eu&quot; is not an option",
        ),
        (
            {"presets-TOTAL_FORMS": "2", "presets-1-name": "small"},
            "presets-1-name",
            "Several presets are called",
        ),
    ],
)
def test_what_does_not_fit_is_told_beside_its_input(
    admin_client: Client, house: House, changed: dict[str, str], error_of: str, words: str
) -> None:
    sent = opened(admin_client, house.template) | changed

    response = admin_client.post(url_of(house.template), sent)

    assert response.status_code == 422
    error = response.text.split(f'id="id_{error_of}_error"')[1].split('class="mb-3')[0]
    assert words in error
    assert f'aria-describedby="id_{error_of}_' in response.text
    assert "data-focus-first" in response.text
    assert TemplateVersion.objects.count() == 1


def test_a_bad_tag_is_told_above_the_form(admin_client: Client, house: House) -> None:
    sent = opened(admin_client, house.template) | {
        "tags-TOTAL_FORMS": "1",
        "tags-0-name": "a\tb",
        "tags-0-value": "",
    }

    response = admin_client.post(url_of(house.template), sent)

    assert response.status_code == 422
    assert "has spaces around it or control characters" in response.text


def test_an_empty_default_is_not_no_default(admin_client: Client, house: House) -> None:
    sent = opened(admin_client, house.template) | {
        "parameters-TOTAL_FORMS": "4",
        "parameters-3-name": "note",
        "parameters-3-type": "string",
        "parameters-3-default": "",
        "parameters-3-empty_default": "on",
    }

    admin_client.post(url_of(house.template), sent)
    version = made(house.template)
    again = opened(admin_client, house.template, f"?from={version.pk}")

    assert version.parameter_definitions.get(name="note").default == ""
    assert again[row_with(again, "parameters", "name", "note") + "empty_default"] == "on"


def test_a_version_can_start_from_an_old_one(admin_client: Client, house: House) -> None:
    old = house.template.active_version
    promote_new_version(house.template, presets=[PresetSpec(name="Other")])

    sent = opened(admin_client, house.template, f"?from={old.pk}")

    assert sent["presets-0-name"] == "Small"
    assert sent["base"] == str(old.pk)
    elsewhere = make_template().active_version_id
    assert admin_client.get(url_of(house.template) + f"?from={elsewhere}").status_code == 404
    assert admin_client.get(url_of(house.template) + "?from=nonsense").status_code == 404


def test_the_page_of_a_version_shows_what_promoting_it_changes(
    admin_client: Client, house: House
) -> None:
    sent = opened(admin_client, house.template) | {
        "startup_script": "echo <b>hi</b>",
        "files-TOTAL_FORMS": "1",
        "files-0-path": "a.txt",
        "files-0-text": "one",
        "parameters-1-validation_max": "16",
        "presets-0-desired_instances": "7",
        "daily_cost": "4",
    }
    admin_client.post(url_of(house.template), sent)
    address = f"/templates/{house.template.pk}/versions/{made(house.template).pk}/"

    page = admin_client.get(address)

    text = text_of(page)
    assert "Files and start-up script" in text
    assert "+ one" in page.text
    assert "maximum: 8 → 16" in text
    assert "Desired instances: 2 → 7" in text
    assert "Daily cost" in text
    assert "<b>hi" not in page.text
    assert f'href="/presets/{made(house.template).presets.get().pk}/"' in page.text


@pytest.mark.parametrize(
    ("kind", "sees"), [("template admin", True), ("auditor", False), ("member", False)]
)
def test_script_and_files_are_for_those_who_may_change_them(
    house: House, kind: str, sees: bool
) -> None:
    promote_new_version(
        house.template, startup_script="token=hidden", source_files={"private.txt": "hidden"}
    )
    address = (
        f"/templates/{house.template.pk}/versions/{TemplateVersion.objects.get(name='v1').pk}/"
    )
    active = (
        f"/templates/{house.template.pk}/versions/{TemplateVersion.objects.get(name='2.0.0').pk}/"
    )

    client = visitor(kind)

    for page in (client.get(address), client.get(active)):
        assert page.status_code == 200
        assert (
            "hidden"
            in page.text.replace("visually-hidden", "")
            .replace("aria-hidden", "")
            .replace('type="hidden"', "")
            .replace(" hidden>", "")
        ) is sees


@pytest.mark.parametrize("kind", ["auditor", "member"])
def test_who_may_only_read_writes_no_versions_or_templates(house: House, kind: str) -> None:
    client = visitor(kind)

    assert client.get(url_of(house.template)).status_code == 403
    assert client.post(url_of(house.template), {"name": "2"}).status_code == 403
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, {"name": "x", "version_name": "1"}).status_code == 403
    assert (Template.objects.count(), TemplateVersion.objects.count()) == (1, 1)


def test_a_new_template_has_its_first_version_and_pool(house: House) -> None:
    client = visitor("template admin")
    home = Organization.objects.get(is_default=True)

    response = client.post(
        NEW,
        {
            "organization": home.pk,
            "name": "go-service",
            "display_name": "Go service",
            "icon": "rocket",
            "description": "Go",
            "version_name": "1.0.0",
            "startup_script": "echo one\r\necho two",
            "preset_name": "Standard",
            "desired_instances": "3",
        },
    )

    template = Template.objects.get(name="go-service")
    assert response["Location"] == f"/templates/{template.pk}/"
    assert (template.icon, str(template)) == ("rocket", "Go service")
    assert template.active_version.startup_script == "echo one\necho two"
    preset = template.active_version.presets.get()
    assert (preset.name, preset.desired_instances, preset.is_default) == ("Standard", 3, True)


@pytest.mark.parametrize(
    ("changed", "error_of", "words"),
    [
        ({"name": "Python-Service"}, "name", "There is a template"),
        ({"name": "two words"}, "name", "Enter a valid"),
        ({"desired_instances": "-1"}, "desired_instances", "greater than or equal to 0"),
    ],
)
def test_a_new_template_that_does_not_fit_is_told_beside_its_input(
    admin_client: Client, house: House, changed: dict[str, str], error_of: str, words: str
) -> None:
    sent = {
        "organization": house.organization.pk,
        "name": "new",
        "icon": "box",
        "version_name": "1",
        "preset_name": "P",
        **changed,
    }

    response = admin_client.post(NEW, sent)

    assert response.status_code == 422
    assert words in response.text.split(f'id="id_{error_of}_error"')[1].split("form-hint")[0]
    assert Template.objects.count() == 1


def test_templates_are_made_where_one_may_and_nowhere_else(house: House) -> None:
    home = make_organization("north")
    admin = make_user(organization=home, organization_roles=["organization-template-admin"])
    client = client_of(admin)
    sent = {"name": "own", "icon": "box", "version_name": "1", "preset_name": ""}

    refused = client.post(NEW, {**sent, "organization": house.organization.pk})
    client.post(NEW, {**sent, "organization": home.pk})

    assert refused.status_code == 422
    assert Template.objects.get(name="own").organization == home
    assert client.get(NEW).text.count("<option") == 1


def settings_of(client: Client, template: Template, **changed: str) -> dict[str, str]:
    form = client.get(url_of(template, "settings")).context["form"]
    sent = {}
    for field in form:
        value = field.value()
        if field.widget_type == "checkbox":
            sent |= {field.html_name: "on"} if value else {}
        else:
            sent[field.html_name] = "" if value is None else str(value)
    return sent | changed


def test_settings_show_what_changes_before_it_is_saved(admin_client: Client, house: House) -> None:
    slept = timezone.now() - timedelta(days=40)
    add_workspace(house.preset, owner_id=house.member.pk, name="old")
    Workspace.objects.update(last_used_at=slept)
    address = url_of(house.template, "settings")
    sent = settings_of(
        admin_client, house.template, default_ttl_seconds="8h", time_til_dormant_seconds="30d"
    )

    review = admin_client.post(address, sent)
    untouched = Template.objects.get().default_ttl_seconds
    response = admin_client.post(address, {**sent, "reviewed": review.context["reviewed"]})

    text = text_of(review)
    assert "Autostop after:</span> <del>never</del> → <ins>8 h</ins>" in text
    assert "1 workspace would go dormant within a minute." in text
    assert "what runs keeps its own" in text
    assert untouched == 0
    assert response["Location"] == url_of(house.template, "")
    template = Template.objects.get()
    assert (template.default_ttl_seconds, template.time_til_dormant_seconds) == (28_800, 2_592_000)
    entry = AuditEntry.objects.get()
    assert entry.after == {"default_ttl_seconds": 28_800, "time_til_dormant_seconds": 2_592_000}


def test_what_was_not_shown_is_not_saved(admin_client: Client, house: House) -> None:
    address = url_of(house.template, "settings")
    sent = settings_of(admin_client, house.template, default_ttl_seconds="8h")
    reviewed = admin_client.post(address, sent).context["reviewed"]

    again = admin_client.post(address, {**sent, "default_ttl_seconds": "2h", "reviewed": reviewed})

    assert again.status_code == 200
    assert "<ins>2 h</ins>" in again.text
    assert Template.objects.get().default_ttl_seconds == 0


def test_settings_somebody_else_saved_meanwhile_are_not_overwritten(
    admin_client: Client, house: House
) -> None:
    address = url_of(house.template, "settings")
    sent = settings_of(admin_client, house.template, display_name="Mine")
    Template.objects.filter(pk=house.template.pk).update(
        display_name="Theirs", updated_at=timezone.now()
    )

    reviewed = admin_client.post(address, sent).context["reviewed"]
    response = admin_client.post(address, {**sent, "reviewed": reviewed})

    assert response.status_code == 409
    assert "Somebody else changed this template" in response.text
    assert 'value="Mine"' in response.text
    assert Template.objects.get().display_name == "Theirs"


@pytest.mark.parametrize(
    ("changed", "error_of", "words"),
    [
        ({"default_ttl_seconds": "soon"}, "default_ttl_seconds", "is no span: use a duration"),
        ({"default_ttl_seconds": "99999d"}, "default_ttl_seconds", "is more than 24855 days"),
        ({"name": ""}, "name", "This field is required"),
    ],
)
def test_settings_that_make_no_sense_are_told_beside_their_input(
    admin_client: Client, house: House, changed: dict[str, str], error_of: str, words: str
) -> None:
    sent = settings_of(admin_client, house.template, **changed)

    response = admin_client.post(url_of(house.template, "settings"), sent)

    assert response.status_code == 422
    assert words in response.text.split(f'id="id_{error_of}_error"')[1].split("form-hint")[0]
    assert not AuditEntry.objects.exists()


def test_saving_settings_that_are_the_same_changes_nothing(
    admin_client: Client, house: House
) -> None:
    Template.objects.filter(pk=house.template.pk).update(icon="python", default_ttl_seconds=5400)

    admin_client.post(url_of(house.template, "settings"), settings_of(admin_client, house.template))

    assert "Nothing was changed." in admin_client.get("/templates/").text
    assert Template.objects.get().icon == "python"
    assert not AuditEntry.objects.exists()
