"""Template versions over the API: make, read, parameters, presets, the plan of a promotion."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.enums import SiteRole
from accounts.models import AuditEntry
from prebuilds.models import PrebuildsSettings
from templates_app import services
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec
from tests.api.conftest import session_of
from tests.api.shape import assert_error
from tests.factories import (
    default_organization,
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    pause,
    preset_of,
)

pytestmark = pytest.mark.django_db

ALL = "/api/v2/templateversions"
VERSION_FIELDS = {
    "id",
    "template_id",
    "organization_id",
    "name",
    "message",
    "created_at",
    "updated_at",
    "created_by",
    "is_active",
    "provisioner",
    "startup_timeout_seconds",
    "tags",
    "daily_cost",
    "startup_script",
    "source_files",
}
CPUS = ParameterDefinition(
    name="cpus", type="number", default="2", options=("2", "4"), validation_min=1, mutable=False
)
REGION = ParameterDefinition(name="region", type="string", required=True)


@pytest.fixture
def tess():
    return make_user("tess", roles=[SiteRole.TEMPLATE_ADMIN])


@pytest.fixture
def client(tess):
    return session_of(tess)


@pytest.fixture
def template():
    return make_template("web", source_files={"a.txt": "hello"}, startup_script="true")


def one(template, rest=""):
    return f"{ALL}/{template.active_version_id}{rest}"


def send(client, url, body=None):
    return client.post(url, body if body is not None else {}, content_type="application/json")


class TestMake:
    def make(self, client, template, organization=None, **body):
        home = organization or default_organization()
        return send(
            client,
            f"/api/v2/organizations/{home.pk}/templateversions",
            {"template_id": str(template.pk), "name": "2.0.0", **body},
        )

    def test_it_is_added_and_not_promoted(self, client, template, tess):
        response = self.make(
            client,
            template,
            message="second",
            source_files={"bin/x.sh": "echo\n"},
            startup_script="  true\n",
            startup_timeout_seconds=30,
            tags={"os": "linux"},
            daily_cost=3,
            parameters=[{"name": "size", "display_name": "Size", "required": True}],
            presets=[
                {
                    "name": "Day",
                    "desired_instances": 1,
                    "parameters": {"size": "s"},
                    "schedules": [{"cron_expression": "* 9 * * *", "desired_instances": 4}],
                }
            ],
        )

        assert response.status_code == 201, response.content
        body = response.json()
        assert set(body) == VERSION_FIELDS
        version = TemplateVersion.objects.get(name="2.0.0")
        assert (body["id"], body["is_active"]) == (str(version.pk), False)
        assert body["created_by"]["username"] == "tess"
        assert (version.source_files, version.startup_script) == (
            {"bin/x.sh": "echo\n"},
            "  true\n",
        )
        assert (version.tags, version.daily_cost) == ({"os": "linux"}, 3)
        assert version.parameter_definitions.get().display_name == "Size"
        assert version.presets.get().schedules.get().desired_instances == 4
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.object_label) == (tess, "web / 2.0.0")

    def test_a_taken_name_is_a_conflict_at_its_field(self, client, template):
        assert_error(self.make(client, template, name="1.0.0"), 409, fields=["name"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"template_id": "web"}, "template_id"),
            ({"name": ""}, "name"),
            ({"file_id": "x"}, "file_id"),
            (
                {"presets": [{"name": "x", "scheduling_timezone": "Mars"}]},
                "presets.0.scheduling_timezone",
            ),
        ],
    )
    def test_what_is_wrong_is_named(self, client, template, body, field):
        assert_error(self.make(client, template, **body), 400, fields=[field])
        assert TemplateVersion.objects.count() == 1

    def test_the_template_must_be_one_of_the_organization(self, client, template):
        assert_error(self.make(client, template, make_organization()), 404)

    def test_members_may_not(self, template):
        assert_error(self.make(session_of(make_user()), template), 403)


class TestRead:
    def test_those_who_may_change_it_see_all_of_it(self, client, template):
        body = client.get(one(template)).json()

        assert set(body) == VERSION_FIELDS
        assert (body["startup_script"], body["source_files"]) == ("true", {"a.txt": "hello"})
        assert body["is_active"] is True

    def test_members_do_not_see_script_and_files(self, template):
        body = session_of(make_user()).get(one(template)).json()

        assert set(body) == VERSION_FIELDS
        assert (body["startup_script"], body["source_files"]) == (None, None)

    @pytest.mark.parametrize("rest", ["", "/rich-parameters", "/presets", "/promotion"])
    def test_strangers_do_not_know_it(self, template, rest):
        stranger = session_of(make_user(organization=make_organization()))

        hidden = stranger.get(one(template, rest))
        missing = stranger.get(f"{ALL}/{uuid4()}{rest}")

        assert hidden.status_code == missing.status_code == 404
        assert hidden.json() == missing.json()

    def test_with_its_template_it_is_gone(self, client, template):
        Template.objects.update(deleted_at=timezone.now())

        assert_error(client.get(one(template)), 404)


def test_its_parameters_are_told_in_order_as_coder_does():
    template = make_template(
        definitions=[REGION, CPUS], presets=[PresetSpec(name="A", parameters={"region": "eu"})]
    )

    response = session_of(make_user()).get(one(template, "/rich-parameters"))

    region, cpus = response.json()
    assert (region["name"], region["required"], region["default_value"]) == ("region", True, "")
    assert cpus == {
        "name": "cpus",
        "display_name": "",
        "description": "",
        "description_plaintext": "",
        "type": "number",
        "mutable": False,
        "default_value": "2",
        "icon": "",
        "options": [
            {"name": value, "description": "", "value": value, "icon": ""} for value in "24"
        ],
        "validation_error": "",
        "validation_regex": "",
        "validation_min": 1,
        "validation_max": None,
        "validation_monotonic": "",
        "required": False,
        "ephemeral": False,
    }


class TestPresets:
    def test_they_are_told_in_coders_words(self):
        spec = PresetSpec(
            name="Small",
            description="For most",
            icon="rocket",
            is_default=True,
            parameters={"cpus": "4"},
            desired_instances=2,
        )
        template = make_template(definitions=[CPUS], presets=[spec])

        response = session_of(make_user()).get(one(template, "/presets"))

        assert response.json() == [
            {
                "ID": str(preset_of(template).pk),
                "Name": "Small",
                "Parameters": [{"Name": "cpus", "Value": "4"}],
                "Default": True,
                "DesiredPrebuildInstances": 2,
                "Description": "For most",
                "Icon": "rocket",
                "PrebuildStatus": "healthy",
            }
        ]

    def test_it_takes_as_many_statements_for_five_as_for_one(self, client):
        taken = []
        for number in (1, 5):
            presets = [PresetSpec(name=f"P{n}", parameters={"cpus": "4"}) for n in range(number)]
            template = make_template(definitions=[CPUS], presets=presets)
            with CaptureQueriesContext(connection) as statements:
                client.get(one(template, "/presets"))
            taken.append(len(statements))

        assert taken[0] == taken[1]

    def test_one_is_added(self, client, template, tess):
        response = send(
            client, one(template, "/presets"), {"name": "Large", "desired_instances": 1}
        )

        assert response.status_code == 201, response.content
        assert response["ETag"] == '"1"'
        assert preset_of(template, "Large").desired_instances == 1
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor, entry.object_label) == ("create", tess, "web / Large")

    @pytest.mark.parametrize(
        ("body", "status", "field"),
        [
            ({"name": "SMALL"}, 409, "name"),
            ({"name": "x" * 65}, 400, "name"),
            ({"name": "L", "parameters": {"nothing": "1"}}, 400, "parameters.nothing"),
            ({"name": "L", "desired_instances": -1}, 400, "desired_instances"),
            ({"desired_instances": 1}, 400, "name"),
        ],
    )
    def test_what_is_wrong_is_named(self, client, template, body, status, field):
        assert_error(send(client, one(template, "/presets"), body), status, fields=[field])
        assert Preset.objects.count() == 1

    def test_members_may_not_add_one(self, template):
        response = send(session_of(make_user()), one(template, "/presets"), {"name": "L"})

        assert_error(response, 403)


class TestPromotion:
    def plan_of(self, client, template, *presets, **fields):
        version = services.create_version(
            template=template,
            created_by=make_user(),
            spec=VersionSpec(**{"name": "2.0.0", "presets": presets, **fields}),
            check_presets=False,
        )
        return client.get(f"{ALL}/{version.pk}/promotion")

    def test_it_says_what_fails_what_goes_and_what_comes(self, client, template):
        make_ready_prebuilds(preset_of(template), 2)
        good = PresetSpec(name="Good", desired_instances=3, parameters={"region": "eu"})
        bad = PresetSpec(name="Bad", desired_instances=1)

        response = self.plan_of(client, template, good, bad, definitions=[REGION])

        assert response.status_code == 200
        body = response.json()
        assert (body["create"], body["delete"], body["cancel"], body["paused"]) == (
            3,
            2,
            0,
            False,
        )
        first, second = body["presets"]
        assert (first["preset_name"], second["preset_name"]) == ("Bad", "Good")
        assert [each["field"] for each in first["problems"]] == ["parameters.region"]
        assert (first["pool"]["hold"], first["pool"]["hold_reason"]) == (1, "validation_failed")
        assert second["pool"] == {
            "desired": 3,
            "running": 0,
            "starting": 0,
            "create": 3,
            "delete": 0,
            "cancel": 0,
            "hold": 0,
            "hold_reason": None,
        }

    def test_a_pause_is_told(self, client, template):
        pause()
        assert PrebuildsSettings.objects.exists()

        assert self.plan_of(client, template).json()["paused"] is True

    def test_members_may_not_look(self, template):
        assert_error(self.plan_of(session_of(make_user()), template), 403)
