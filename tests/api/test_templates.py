"""Templates over the API: list, make, edit, delete, promote, invalidate (semantics.md 1, 5, 18)."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services as account_services
from accounts.enums import OrganizationRole, SiteRole, TokenScope
from accounts.models import AuditEntry, Organization
from templates_app import services
from templates_app.models import Preset, Template
from templates_app.services import PresetSpec, VersionSpec
from tests.api.conftest import bearer, session_of
from tests.api.shape import assert_error
from tests.factories import (
    default_organization,
    finish_all_jobs,
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)

pytestmark = pytest.mark.django_db

ALL = "/api/v2/templates"
TEMPLATE_FIELDS = {
    "id",
    "organization_id",
    "organization_name",
    "organization_display_name",
    "name",
    "display_name",
    "description",
    "icon",
    "provisioner",
    "active_version_id",
    "active_version_name",
    "deprecated",
    "deprecation_message",
    "default_ttl_ms",
    "allow_user_autostart",
    "allow_user_autostop",
    "time_til_dormant_ms",
    "time_til_dormant_autodelete_ms",
    "created_at",
    "updated_at",
}
VERSION = {
    "name": "1.0.0",
    "startup_script": "true",
    "parameters": [{"name": "size", "options": ["s", "m"], "default_value": "s"}],
    "presets": [{"name": "Small", "desired_instances": 2, "parameters": {"size": "s"}}],
}


@pytest.fixture
def tess():
    return make_user("tess", roles=[SiteRole.TEMPLATE_ADMIN])


@pytest.fixture
def client(tess):
    return session_of(tess)


@pytest.fixture
def template():
    return make_template("web")


def of_organization(organization=None):
    return f"/api/v2/organizations/{(organization or default_organization()).pk}/templates"


def one(template):
    return f"{ALL}/{template.pk}"


def send(client, method, url, body=None, **headers):
    return getattr(client, method)(
        url, body if body is not None else {}, content_type="application/json", headers=headers
    )


def names(response):
    assert response.status_code == 200, response.content
    return [each["name"] for each in response.json()]


class TestList:
    def test_all_that_one_may_see_are_listed_by_name(self, template):
        make_template("api")
        make_template("theirs", organization=make_organization())
        Template.objects.filter(pk=make_template("gone").pk).update(deleted_at=timezone.now())

        response = session_of(make_user()).get(ALL)

        assert names(response) == ["api", "web"]
        assert response["X-Total-Count"] == "2"
        assert set(response.json()[0]) == TEMPLATE_FIELDS

    def test_a_site_role_sees_every_organization(self, client, template):
        make_template("theirs", organization=make_organization())

        assert names(client.get(ALL)) == ["theirs", "web"]

    def test_those_of_one_organization_are_listed(self, client, template):
        other = make_organization("other")
        make_template("theirs", organization=other)

        assert names(client.get(of_organization(other))) == ["theirs"]
        assert names(client.get("/api/v2/organizations/OTHER/templates")) == ["theirs"]

    def test_a_stranger_does_not_know_the_organization(self, template):
        stranger = make_user(organization=make_organization())

        assert_error(session_of(stranger).get(of_organization()), 404)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=we", ["web"]),
            ("q=Kubernetes", ["api"]),
            ("q=exact_name:api", ["api"]),
            ("q=nothing", []),
            ("deprecated=true", ["api"]),
            ("deprecated=false", ["web"]),
            ("q=deprecated:true", ["api"]),
            ("limit=1&offset=1", ["web"]),
        ],
    )
    def test_it_is_searched(self, client, template, query, found):
        make_template("api", fields={"display_name": "On Kubernetes", "deprecation_message": "old"})

        assert names(client.get(f"{ALL}?{query}")) == found

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("q=deprecated:maybe", "q"),
            ("q=color:red", "q"),
            ("deprecated=perhaps", "deprecated"),
            ("limit=0", "limit"),
            ("colour=red", "colour"),
        ],
    )
    def test_a_query_that_makes_no_sense_is_named(self, client, query, field):
        assert_error(client.get(f"{ALL}?{query}"), 400, fields=[field])

    def test_it_takes_as_many_statements_for_five_as_for_one(self, client):
        taken = []
        for number in (1, 4):
            for _ in range(number):
                make_template()
            with CaptureQueriesContext(connection) as statements:
                client.get(ALL)
            taken.append(len(statements))

        assert taken[0] == taken[1]

    def test_nobody_in_particular_is_refused(self, anonymous):
        assert_error(anonymous.get(ALL), 401)


class TestRead:
    def test_by_id_and_by_name(self, client, template):
        by_id = client.get(one(template))
        by_name = client.get(f"{of_organization()}/WEB")

        assert by_id.json() == by_name.json()
        assert by_id["ETag"] == by_name["ETag"]
        assert by_id.json()["active_version_name"] == "1.0.0"
        assert by_id.json()["provisioner"] == "local"

    def test_what_is_deleted_or_nobodys_or_not_to_be_known_is_the_same(self, template):
        stranger = session_of(make_user(organization=make_organization()))
        hidden = stranger.get(one(template))
        Template.objects.update(deleted_at=timezone.now())
        deleted = session_of(make_user()).get(one(template))
        missing = stranger.get(f"{ALL}/{uuid4()}")

        assert hidden.status_code == deleted.status_code == missing.status_code == 404
        assert hidden.json() == deleted.json() == missing.json()


class TestMake:
    def make(self, client, organization=None, **body):
        return send(
            client,
            "post",
            of_organization(organization),
            {"name": "web", "version": VERSION, **body},
        )

    def test_a_template_is_born_with_its_first_version(self, client, tess):
        response = self.make(
            client, display_name="Web", default_ttl_ms=3_600_000, time_til_dormant_ms=0
        )

        assert response.status_code == 201, response.content
        body = response.json()
        assert set(body) == TEMPLATE_FIELDS
        assert (body["display_name"], body["default_ttl_ms"]) == ("Web", 3_600_000)
        template = Template.objects.get()
        assert str(template.active_version_id) == body["active_version_id"]
        assert template.active_version.created_by == tess
        assert template.default_ttl_seconds == 3_600
        assert preset_of(template).desired_instances == 2
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor, entry.source) == ("create", tess, "api")

    def test_a_taken_name_is_a_conflict_at_its_field(self, client, template):
        assert_error(self.make(client, name="WEB"), 409, fields=["name"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": "no spaces"}, "name"),
            ({"name": None}, "name"),
            ({"version": None}, "version"),
            ({"version": []}, "version.non_field_errors"),
            ({"version": {}}, "version.name"),
            ({"default_ttl_ms": 1_500}, "default_ttl_ms"),
            ({"default_ttl_ms": 2**62}, "default_ttl_ms"),
            ({"template_version_id": str(uuid4())}, "template_version_id"),
        ],
    )
    def test_what_is_wrong_is_named(self, client, body, field):
        assert_error(self.make(client, **body), 400, fields=[field])
        assert not Template.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({"name": "x" * 65}, "name"),
            ({"daily_cost": 2**40}, "daily_cost"),
            ({"startup_timeout_seconds": 0}, "startup_timeout_seconds"),
            ({"tags": ["os"]}, "tags"),
            ({"tags": {" os": "linux"}}, "tags"),
            ({"tags": {"os": "a\0b"}}, "tags.os"),
            ({"source_files": {"../x": ""}}, "source_files"),
            ({"source_files": {"a\0b": ""}}, "source_files"),
            ({"parameters": {}}, "parameters"),
            ({"parameters": [{"name": "a"}, {"name": "a"}], "presets": []}, "parameters.a"),
            ({"parameters": [{"name": "a", "type": "float"}]}, "parameters.0.type"),
            (
                {"parameters": [{"name": "a", "validation_min": 2**70}]},
                "parameters.0.validation_min",
            ),
            ({"presets": [{"name": "x", "color": 1}]}, "presets.0.color"),
            (
                {"presets": [{"name": "x", "parameters": {"size": "xl"}}]},
                "presets.0.parameters.size",
            ),
            ({"presets": [{"name": "x", "ttl_seconds": 60}]}, "presets.0.ttl_seconds"),
            ({"presets": [{"name": "x", "schedules": [{}] * 101}]}, "presets.0.schedules"),
        ],
    )
    def test_what_is_wrong_with_the_version_is_named(self, client, fields, where):
        response = self.make(client, version={**VERSION, **fields})

        assert_error(response, 400, fields=[f"version.{where}"])
        assert not Template.objects.exists()

    @pytest.mark.parametrize("body", ["null", "[]", '"x"', "", "{", '{"name": "\\ud800"}'])
    def test_a_body_that_is_none_is_refused(self, client, body):
        response = client.post(of_organization(), body, content_type="application/json")

        assert response.status_code == 400

    def test_members_may_not(self):
        assert_error(self.make(session_of(make_user())), 403)

    def test_an_organizations_own_template_admin_may_there_only(self):
        home = make_organization()
        user = make_user(organization=home, organization_roles=[OrganizationRole.TEMPLATE_ADMIN])

        assert self.make(session_of(user), home).status_code == 201
        assert_error(self.make(session_of(user)), 404)

    @pytest.mark.parametrize("scope", [TokenScope.READ, TokenScope.USE])
    def test_a_narrow_token_may_not(self, tess, scope):
        now = timezone.now()
        _, secret = account_services.create_token(
            user=tess, name="ci", scope=scope, expires_at=now + timedelta(hours=1), now=now
        )

        assert_error(self.make(bearer(secret)), 403, message="scope")
        assert not Template.objects.exists()


class TestEdit:
    def test_only_what_is_sent_changes(self, client, template, tess):
        response = send(client, "patch", one(template), {"display_name": "Web", "icon": "globe"})

        assert response.status_code == 200
        body = response.json()
        assert (body["display_name"], body["icon"], body["name"]) == ("Web", "globe", "web")
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.after) == (tess, {"display_name": "Web", "icon": "globe"})

    def test_deprecating_is_an_edit(self, client, template):
        response = send(client, "patch", one(template), {"deprecation_message": "Use the other."})

        assert response.json()["deprecated"] is True
        template.refresh_from_db()
        assert not template.is_usable

    def test_nothing_changed_is_said_so(self, client, template):
        response = send(client, "patch", one(template), {"display_name": ""})

        assert (response.status_code, response.content) == (304, b"")
        assert not AuditEntry.objects.exists()

    def test_the_second_of_two_editors_is_told(self, client, template):
        seen = client.get(one(template))["ETag"]
        send(client, "patch", one(template), {"display_name": "First"}, **{"If-Match": seen})

        late = send(
            client, "patch", one(template), {"display_name": "Second"}, **{"If-Match": seen}
        )

        assert_error(late, 412)
        template.refresh_from_db()
        assert template.display_name == "First"

    def test_a_star_overwrites(self, client, template):
        response = send(client, "patch", one(template), {"icon": "x"}, **{"If-Match": "*"})

        assert response.status_code == 200

    def test_a_taken_name_is_a_conflict(self, client, template):
        make_template("taken")

        response = send(client, "patch", one(template), {"name": "taken"})

        assert_error(response, 409, fields=["name"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"displayname": "x"}, "displayname"),
            ({"display_name": "x" * 129}, "display_name"),
            ({"display_name": None}, "display_name"),
            ({"display_name": "a\0b"}, "display_name"),
            ({"allow_user_autostart": "perhaps"}, "allow_user_autostart"),
            ({"default_ttl_ms": -1}, "default_ttl_ms"),
            ({"time_til_dormant_ms": "soon"}, "time_til_dormant_ms"),
        ],
    )
    def test_what_is_wrong_is_named(self, client, template, body, field):
        assert_error(send(client, "patch", one(template), body), 400, fields=[field])

    @pytest.mark.parametrize(
        ("roles", "organization_roles", "status"),
        [
            ([SiteRole.OWNER], [], 200),
            ([], [OrganizationRole.ADMIN], 200),
            ([], [OrganizationRole.TEMPLATE_ADMIN], 200),
            ([SiteRole.AUDITOR], [], 403),
            ([SiteRole.USER_ADMIN], [], 403),
            ([], [], 403),
        ],
    )
    def test_who_may(self, template, roles, organization_roles, status):
        user = make_user(roles=roles, organization_roles=organization_roles)

        response = send(session_of(user), "patch", one(template), {"icon": "x"})

        assert response.status_code == status


class TestDelete:
    def test_its_pools_drain_and_its_name_is_free(self, client, template):
        make_ready_prebuilds(preset_of(template), 1)

        response = client.delete(one(template))

        assert response.status_code == 200
        assert set(response.json()) == {"message", "detail"}
        assert_error(client.get(one(template)), 404)
        assert AuditEntry.objects.get().action == "delete"

    def test_peoples_workspaces_keep_it(self, client, template):
        make_workspace(template=template)

        assert_error(client.delete(one(template)), 409, message="1 workspace")

        template.refresh_from_db()
        assert template.deleted_at is None

    def test_workspaces_that_are_gone_do_not(self, client, template):
        workspace = make_workspace(template=template)
        finish_all_jobs()
        type(workspace).objects.update(deleted_at=timezone.now())

        assert client.delete(one(template)).status_code == 200

    def test_a_stale_state_is_not_deleted(self, client, template):
        response = client.delete(one(template), headers={"If-Match": '"old"'})

        assert_error(response, 412)

    def test_members_may_not(self, template):
        assert_error(session_of(make_user()).delete(one(template)), 403)


class TestVersions:
    def test_they_are_listed_newest_first(self, client, template, tess):
        services.create_version(template=template, created_by=tess, spec=VersionSpec(name="2.0.0"))

        response = client.get(f"{one(template)}/versions")

        assert names(response) == ["2.0.0", "1.0.0"]
        assert [each["is_active"] for each in response.json()] == [False, True]

    def test_one_is_promoted(self, client, template, tess):
        new = services.create_version(
            template=template, created_by=tess, spec=VersionSpec(name="2.0.0")
        )

        response = send(client, "patch", f"{one(template)}/versions", {"id": str(new.pk)})

        assert response.status_code == 200, response.content
        assert "2.0.0" in response.json()["message"]
        template.refresh_from_db()
        assert template.active_version == new
        assert AuditEntry.objects.get().after == {"active_version": "2.0.0"}

    def test_anothers_version_is_not(self, client, template):
        other = make_template().active_version_id

        response = send(client, "patch", f"{one(template)}/versions", {"id": str(other)})

        assert_error(response, 400, message="another template")

    @pytest.mark.parametrize("body", [{}, {"id": "2.0.0"}, {"id": None}])
    def test_what_is_wrong_is_named(self, client, template, body):
        assert_error(send(client, "patch", f"{one(template)}/versions", body), 400, fields=["id"])

    def test_members_may_look_and_not_promote(self, template):
        member = session_of(make_user())

        assert member.get(f"{one(template)}/versions").status_code == 200
        body = {"id": str(template.active_version_id)}
        assert_error(send(member, "patch", f"{one(template)}/versions", body), 403)


class TestInvalidate:
    def test_every_preset_of_the_active_version_is_stamped_and_named(self, client):
        presets = [PresetSpec(name="Small", desired_instances=1), PresetSpec(name="Large")]
        template = make_template("web", presets=presets)

        response = send(client, "post", f"{one(template)}/prebuilds/invalidate")

        assert response.status_code == 200
        assert response.json() == {
            "invalidated": [
                {
                    "template_name": "web",
                    "template_version_name": "1.0.0",
                    "preset_name": preset,
                }
                for preset in ("Large", "Small")
            ]
        }
        assert not Preset.objects.filter(last_invalidated_at=None).exists()
        assert AuditEntry.objects.count() == 2

    def test_it_takes_as_many_statements_for_five_as_for_one(self, client):
        taken = []
        for number in (1, 5):
            template = make_template(presets=[PresetSpec(name=f"P{n}") for n in range(number)])
            with CaptureQueriesContext(connection) as statements:
                send(client, "post", f"{one(template)}/prebuilds/invalidate")
            taken.append(len(statements))

        assert taken[0] == taken[1]

    def test_members_may_not(self, template):
        member = session_of(make_user())

        assert_error(send(member, "post", f"{one(template)}/prebuilds/invalidate"), 403)
        assert Preset.objects.get().last_invalidated_at is None


def test_a_look_at_an_organization_that_is_not_there_is_a_404(client):
    assert not Organization.objects.filter(name="nowhere").exists()
    assert_error(client.get("/api/v2/organizations/nowhere/templates"), 404)
