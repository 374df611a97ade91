"""Presets over the API: read, edit with If-Match, preview, retry, invalidate, history, delete."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services as account_services
from accounts.enums import OrganizationRole, SiteRole, TokenScope
from accounts.models import AuditEntry
from templates_app import services
from templates_app.enums import PrebuildStatus
from templates_app.models import Preset, Template
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests.api.conftest import bearer, session_of
from tests.api.shape import assert_error
from tests.factories import (
    make_organization,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    preset_of,
    promote_new_version,
)

pytestmark = pytest.mark.django_db

SIZE = ParameterDefinition(name="size", type="string", options=("s", "m"), default="s")
PRESET_FIELDS = {
    "id",
    "name",
    "organization_id",
    "template_id",
    "template_name",
    "template_version_id",
    "template_version_name",
    "is_active",
    "description",
    "icon",
    "is_default",
    "parameters",
    "desired_instances",
    "ttl_seconds",
    "scheduling_timezone",
    "schedules",
    "prebuild_status",
    "status_reason",
    "status_since",
    "last_invalidated_at",
    "failures_reset_at",
    "revision",
    "created_at",
    "updated_at",
}


@pytest.fixture
def tess():
    return make_user("tess", roles=[SiteRole.TEMPLATE_ADMIN])


@pytest.fixture
def client(tess):
    return session_of(tess)


@pytest.fixture
def preset():
    small = PresetSpec(
        name="Small",
        desired_instances=2,
        parameters={"size": "s"},
        schedules=[("* 9-17 * * 1-5", 5)],
    )
    return preset_of(make_template("web", definitions=[SIZE], presets=[small]))


def one(preset, rest=""):
    return f"/api/v2/presets/{preset.pk}{rest}"


def edit(client, preset, body, if_match="*"):
    headers = {} if if_match is None else {"If-Match": if_match}
    return client.patch(one(preset), body, content_type="application/json", headers=headers)


def post(client, preset, rest, body=None):
    body = body if body is not None else {}
    return client.post(one(preset, rest), body, content_type="application/json")


class TestRead:
    def test_all_of_it_is_told_with_its_etag(self, preset):
        response = session_of(make_user()).get(one(preset))

        assert response.status_code == 200
        body = response.json()
        assert set(body) == PRESET_FIELDS
        assert response["ETag"] == '"1"'
        assert (body["template_name"], body["template_version_name"]) == ("web", "1.0.0")
        assert (body["parameters"], body["is_active"]) == ({"size": "s"}, True)
        assert body["schedules"] == [{"cron_expression": "* 9-17 * * 1-5", "desired_instances": 5}]

    def test_one_of_an_old_version_is_not_active(self, client, preset):
        promote_new_version(preset.version.template)

        assert client.get(one(preset)).json()["is_active"] is False

    @pytest.mark.parametrize("rest", ["", "/history"])
    def test_strangers_do_not_know_it(self, preset, rest):
        stranger = session_of(make_user(organization=make_organization()))

        hidden = stranger.get(one(preset, rest))
        missing = stranger.get(f"/api/v2/presets/{uuid4()}{rest}")

        assert hidden.status_code == missing.status_code == 404
        assert hidden.json() == missing.json()

    def test_with_its_template_it_is_gone(self, client, preset):
        Template.objects.update(deleted_at=timezone.now())

        assert_error(client.get(one(preset)), 404)


class TestEdit:
    def test_only_what_is_sent_changes_and_the_revision_goes_up(self, client, preset, tess):
        response = edit(client, preset, {"desired_instances": 4}, '"1"')

        assert response.status_code == 200, response.content
        body = response.json()
        assert (body["desired_instances"], body["parameters"]) == (4, {"size": "s"})
        assert (body["revision"], response["ETag"]) == (2, '"2"')
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor, entry.source) == ("edit", tess, "api")
        assert (entry.before, entry.after) == (
            {"desired_instances": 2},
            {"desired_instances": 4},
        )

    def test_everything_can_be_sent(self, client, preset):
        sent = {
            "description": "For most",
            "icon": "rocket",
            "is_default": True,
            "parameters": {"size": "m"},
            "desired_instances": None,
            "ttl_seconds": 7_200,
            "scheduling_timezone": "Europe/Berlin",
            "schedules": [{"cron_expression": "* 8 * * *", "desired_instances": 0}],
        }

        body = edit(client, preset, sent).json()

        assert {name: body[name] for name in sent} == sent
        assert body["last_invalidated_at"] is not None

    def test_what_was_read_can_be_sent_back_and_changes_nothing(self, client, preset):
        read = client.get(one(preset)).json()
        sent = {name: read[name] for name in ("parameters", "schedules", "desired_instances")}

        response = edit(client, preset, sent, '"1"')

        assert (response.status_code, response["ETag"]) == (200, '"1"')
        assert not AuditEntry.objects.exists()

    def test_without_if_match_nothing_is_changed(self, client, preset):
        assert_error(edit(client, preset, {"desired_instances": 4}, None), 428)

        preset.refresh_from_db()
        assert preset.desired_instances == 2

    def test_the_second_of_two_editors_is_told(self, client, preset):
        edit(client, preset, {"desired_instances": 4}, '"1"')

        assert_error(edit(client, preset, {"desired_instances": 9}, '"1"'), 412)

        preset.refresh_from_db()
        assert preset.desired_instances == 4

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({"desired": 1}, ["desired"]),
            ({"name": "Huge"}, ["name"]),
            ({"prebuild_status": "healthy"}, ["prebuild_status"]),
            ({"desired_instances": -1}, ["desired_instances"]),
            ({"desired_instances": 2**31}, ["desired_instances"]),
            ({"desired_instances": "many"}, ["desired_instances"]),
            ({"ttl_seconds": 60}, ["ttl_seconds"]),
            ({"ttl_seconds": 31_536_001}, ["ttl_seconds"]),
            ({"description": None}, ["description"]),
            ({"icon": "x" * 65}, ["icon"]),
            ({"is_default": "perhaps"}, ["is_default"]),
            ({"scheduling_timezone": "Mars/Olympus"}, ["scheduling_timezone"]),
            ({"scheduling_timezone": ""}, ["scheduling_timezone"]),
            ({"parameters": []}, ["parameters"]),
            ({"parameters": {"size": "xl"}}, ["parameters.size"]),
            ({"parameters": {"size": None}}, ["parameters.size"]),
            ({"parameters": {"sise": "s"}}, ["parameters.sise"]),
            ({"parameters": {"a\0b": "s"}}, ["parameters"]),
            ({"schedules": {}}, ["schedules"]),
            (
                {"schedules": [{"cron_expression": "5 9 * * *", "desired_instances": 1}]},
                ["schedules"],
            ),
            ({"schedules": [{"cron_expression": "* 9 * * *"}]}, ["schedules.0.desired_instances"]),
            ({"ttl_seconds": 1, "parameters": {"size": "xl"}}, ["ttl_seconds", "parameters.size"]),
        ],
    )
    def test_what_is_wrong_is_named(self, client, preset, body, fields):
        assert_error(edit(client, preset, body), 400, fields=fields)

        preset.refresh_from_db()
        assert preset.revision == 1

    @pytest.mark.parametrize("body", ["null", "[]", "{", "12"])
    def test_a_body_that_is_none_is_refused(self, client, preset, body):
        assert edit(client, preset, body).status_code == 400

    def test_overlapping_rows_are_both_named(self, client, preset):
        rows = [
            {"cron_expression": text, "desired_instances": 1}
            for text in ("* 9-12 * * *", "* 12-14 * * *")
        ]

        response = edit(client, preset, {"schedules": rows})

        assert_error(response, 400, fields=["schedules"])
        assert "Rows 1 and 2 overlap" in response.json()["validations"][0]["detail"]

    @pytest.mark.parametrize(
        ("roles", "organization_roles", "status"),
        [
            ([SiteRole.OWNER], [], 200),
            ([], [OrganizationRole.ADMIN], 200),
            ([], [OrganizationRole.TEMPLATE_ADMIN], 200),
            ([SiteRole.AUDITOR], [], 403),
            ([], [OrganizationRole.AUDITOR], 403),
            ([], [], 403),
        ],
    )
    def test_who_may(self, preset, roles, organization_roles, status):
        user = make_user(roles=roles, organization_roles=organization_roles)

        assert edit(session_of(user), preset, {"icon": "x"}).status_code == status

    def test_a_token_for_reading_may_preview_and_not_save(self, preset, tess):
        now = timezone.now()
        _, secret = account_services.create_token(
            user=tess,
            name="ci",
            scope=TokenScope.READ,
            expires_at=now + timedelta(hours=1),
            now=now,
        )

        assert_error(edit(bearer(secret), preset, {"icon": "x"}), 403, message="scope")
        assert post(bearer(secret), preset, "/preview", {"icon": "x"}).status_code == 200

    def test_it_takes_as_many_statements_for_five_rows_as_for_one(self, client, preset):
        taken = []
        for number in (1, 5):
            rows = [
                {"cron_expression": f"* {hour} * * *", "desired_instances": number}
                for hour in range(number)
            ]
            with CaptureQueriesContext(connection) as statements:
                edit(client, preset, {"schedules": rows})
            taken.append(len(statements))

        assert taken[0] == taken[1]


class TestPreview:
    def test_it_says_what_saving_would_bring_and_saves_nothing(self, client, preset):
        make_ready_prebuilds(preset, 2)
        changes = {"desired_instances": 4, "schedules": [], "parameters": {"size": "m"}}

        response = post(client, preset, "/preview", changes)

        assert response.status_code == 200, response.content
        body = response.json()
        assert set(body) == {"problems", "changes", "steps", "heat_map", "plan", "paused"}
        assert body["problems"] == []
        assert body["changes"]["after"] == {
            "parameters": {"size": "m"},
            "desired_instances": 4,
            "schedules": [],
        }
        assert [step["instances"] for step in body["steps"]] == [4]
        assert [set(day["hours"]) for day in body["heat_map"]] == [{4}] * 7
        assert (body["plan"]["create"], body["plan"]["delete"]) == (4, 2)
        preset.refresh_from_db()
        assert (preset.desired_instances, preset.revision) == (2, 1)

    def test_steps_name_their_schedule(self, client, preset):
        steps = post(client, preset, "/preview").json()["steps"]

        assert {(step["instances"], step["schedule"]) for step in steps} == {
            (5, "* 9-17 * * 1-5"),
            (2, None),
        }

    def test_problems_are_an_answer_and_no_error(self, client, preset):
        response = post(client, preset, "/preview", {"ttl_seconds": 60})

        assert response.status_code == 200
        body = response.json()
        assert [each["field"] for each in body["problems"]] == ["ttl_seconds"]
        assert (body["steps"], body["heat_map"], body["plan"]) == ([], [], None)

    def test_what_is_no_setting_is_an_error(self, client, preset):
        assert_error(post(client, preset, "/preview", {"ttl": 1}), 400, fields=["ttl"])

    def test_members_may_not(self, preset):
        assert_error(post(session_of(make_user()), preset, "/preview"), 403)


class TestRetryAndInvalidate:
    def test_retry_forgets_the_failures(self, client, preset, tess):
        services.mark_validation_failed(preset_id=preset.pk, reason="gone", now=timezone.now())

        response = post(client, preset, "/retry")

        assert response.status_code == 200
        body = response.json()
        assert body["prebuild_status"] == PrebuildStatus.HEALTHY
        assert body["failures_reset_at"] is not None
        assert (AuditEntry.objects.get().action, AuditEntry.objects.get().actor) == ("retry", tess)

    def test_invalidate_stamps_it(self, client, preset):
        response = post(client, preset, "/invalidate")

        assert response.json()["last_invalidated_at"] is not None
        assert AuditEntry.objects.get().object_label == "web / Small"

    @pytest.mark.parametrize("rest", ["/retry", "/invalidate"])
    def test_they_take_no_fields(self, client, preset, rest):
        assert_error(post(client, preset, rest, {"force": True}), 400, fields=["force"])

    @pytest.mark.parametrize("rest", ["/retry", "/invalidate"])
    def test_members_may_not(self, preset, rest):
        assert_error(post(session_of(make_user()), preset, rest), 403)
        assert not AuditEntry.objects.exists()


class TestHistory:
    def test_it_says_who_did_what_newest_first(self, client, preset):
        edit(client, preset, {"desired_instances": 4})
        services.retry_preset(preset_id=preset.pk, now=timezone.now())
        services.retry_preset(preset_id=preset_of(make_template()).pk, now=timezone.now())

        response = client.get(one(preset, "/history"))

        assert response["X-Total-Count"] == "2"
        retried, edited = response.json()
        assert (retried["action"], retried["user"]) == ("retry", None)
        assert edited["user"]["username"] == "tess"
        assert (edited["before"], edited["after"]) == (
            {"desired_instances": 2},
            {"desired_instances": 4},
        )

    def test_it_takes_as_many_statements_for_five_as_for_one(self, client, preset):
        taken = []
        for number in (1, 4):
            for instances in range(number):
                edit(client, preset, {"desired_instances": 10 * number + instances})
            with CaptureQueriesContext(connection) as statements:
                client.get(one(preset, "/history"))
            taken.append(len(statements))

        assert taken[0] == taken[1]

    @pytest.mark.parametrize(
        ("roles", "status"), [([SiteRole.AUDITOR], 200), ([SiteRole.OWNER], 200), ([], 403)]
    )
    def test_editors_and_auditors_may_look(self, preset, roles, status):
        client = session_of(make_user(roles=roles))

        assert client.get(one(preset, "/history")).status_code == status


class TestDelete:
    def delete(self, client, preset, if_match='"1"'):
        headers = {"If-Match": if_match} if if_match else {}
        return client.delete(one(preset), headers=headers)

    def test_one_that_nothing_was_built_from_goes(self, client, preset, tess):
        response = self.delete(client, preset)

        assert (response.status_code, response.content) == (204, b"")
        assert not Preset.objects.exists()
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor) == ("delete", tess)

    def test_one_with_builds_stays_and_the_way_out_is_told(self, client, preset):
        make_pending_prebuilds(preset, 1)

        assert_error(self.delete(client, preset), 409, message="desired_instances")

        assert Preset.objects.exists()

    @pytest.mark.parametrize(("if_match", "status"), [(None, 428), ('"0"', 412)])
    def test_only_what_was_just_read_is_deleted(self, client, preset, if_match, status):
        assert_error(self.delete(client, preset, if_match), status)

    def test_members_may_not(self, preset):
        assert_error(self.delete(session_of(make_user()), preset), 403)
