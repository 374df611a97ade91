"""Organizations over the API: seen by their members, made by owners, renamed by two at once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, Membership, Organization
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import default_organization, make_organization, make_user

pytestmark = pytest.mark.django_db

FIELDS = {"id", "name", "display_name", "is_default", "created_at"}


@pytest.fixture
def olga():
    return make_user("olga", roles=["owner"])


@pytest.fixture
def owner(olga):
    return session_of(olga)


def names(response):
    return [each["name"] for each in response.json()]


class TestReading:
    def test_an_organization_is_found_by_id_and_by_name(self, owner):
        home = make_organization("acme")

        for name in (home.pk, "ACME"):
            response = send(owner, "GET", f"/organizations/{name}")
            assert response.status_code == 200
            assert set(response.json()) == FIELDS
            assert response.json()["id"] == str(home.pk)

    @pytest.mark.parametrize(
        ("kind", "seen"),
        [
            ("owner", True),
            ("template-admin", True),
            ("user-admin", True),
            ("auditor", True),
            ("organization-admin", False),
            ("member", False),
        ],
    )
    def test_who_sees_organizations_they_are_no_member_of(self, kind, seen):
        make_organization("acme")
        client = session_of(caller(kind))

        found = send(client, "GET", "/organizations/acme")
        listed = names(send(client, "GET", "/organizations"))

        assert found.status_code == (200 if seen else 404)
        assert listed == (["acme", "default"] if seen else ["default"])

    @pytest.mark.parametrize("name", ["nothing", "a%00b", "%ED%A0%80"])
    def test_what_is_not_there_is_not_found(self, owner, name):
        assert_error(send(owner, "GET", f"/organizations/{name}"), 404)

    def test_a_persons_organizations_are_those_the_caller_may_see_too(self):
        ana = make_user("ana")
        Membership.objects.create(organization=make_organization("acme"), user=ana)
        boss = session_of(caller("organization-admin"))

        assert names(send(session_of(ana), "GET", "/users/me/organizations")) == ["acme", "default"]
        assert names(send(boss, "GET", "/users/ana/organizations")) == ["default"]
        assert send(boss, "GET", "/users/ana/organizations/default").status_code == 200
        assert_error(send(boss, "GET", "/users/ana/organizations/acme"), 404)

    def test_a_list_takes_the_same_statements_whatever_its_length(self, owner):
        def statements():
            with CaptureQueriesContext(connection) as captured:
                send(owner, "GET", "/organizations")
            return len(captured)

        few = statements()
        for _ in range(4):
            make_organization()

        assert statements() == few


class TestMaking:
    def test_who_makes_one_administers_it(self, owner, olga):
        response = send(owner, "POST", "/organizations", {"name": "acme", "display_name": "Acme"})

        acme = Organization.objects.get(name="acme")
        assert response.status_code == 201
        assert response.json()["display_name"] == "Acme"
        assert response.json()["is_default"] is False
        assert acme.memberships.get(user=olga).roles == ["organization-admin"]
        assert AuditEntry.objects.get(action="create").actor == olga

    @pytest.mark.parametrize(
        ("kind", "status"),
        [("user-admin", 403), ("auditor", 403), ("organization-admin", 403), ("member", 403)],
    )
    def test_only_owners_make_them(self, kind, status):
        response = send(session_of(caller(kind)), "POST", "/organizations", {"name": "acme"})

        assert_error(response, status)
        assert not Organization.objects.filter(name="acme").exists()

    def test_a_name_in_use_is_a_conflict(self, owner):
        response = send(owner, "POST", "/organizations", {"name": "Default"})

        assert_error(response, 409, fields=["name"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "name"),
            ({"name": "a b"}, "name"),
            ({"name": "x" * 65}, "name"),
            ({"name": []}, "name"),
            ({"name": "acme", "display_name": "x" * 129}, "display_name"),
            ({"name": "acme", "is_default": True}, "is_default"),
        ],
    )
    def test_bad_input_is_named(self, owner, body, field):
        assert_error(send(owner, "POST", "/organizations", body), 400, fields=[field])


class TestRenaming:
    def patch(self, client, body, **headers):
        return send(client, "PATCH", "/organizations/default", body, **headers)

    def test_what_is_left_out_stays(self, owner):
        response = self.patch(owner, {"display_name": "Home"})

        assert (response.json()["name"], response.json()["display_name"]) == ("default", "Home")
        entry = AuditEntry.objects.get()
        assert entry.after == {"display_name": "Home"}

    def test_no_change_leaves_no_entry(self, owner):
        assert self.patch(owner, {}).status_code == 200
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("organization-admin", 200),
            ("template-admin", 403),
            ("organization-template-admin", 403),
            ("auditor", 403),
            ("member", 403),
            ("stranger", 404),
        ],
    )
    def test_who_renames_it(self, kind, status):
        response = self.patch(session_of(caller(kind)), {"name": "home"})

        assert response.status_code == status
        assert (default_organization().name == "home") is (status == 200)

    def test_the_second_of_two_editors_is_told(self, owner):
        seen = send(owner, "GET", "/organizations/default")["ETag"]

        first = self.patch(owner, {"display_name": "One"}, **{"If-Match": seen})
        second = self.patch(owner, {"display_name": "Two"}, **{"If-Match": seen})

        assert first.status_code == 200
        assert_error(second, 412)
        assert default_organization().display_name == "One"

    def test_a_name_in_use_is_a_conflict(self, owner):
        make_organization("acme")

        assert_error(self.patch(owner, {"name": "ACME"}), 409, fields=["name"])

    @pytest.mark.parametrize("scope", ["read", "use"])
    def test_only_a_token_to_manage_changes_it(self, olga, scope):
        client = scoped(olga, scope)

        assert_error(self.patch(client, {"name": "home"}), 403)
        assert_error(send(client, "POST", "/organizations", {"name": "acme"}), 403)
