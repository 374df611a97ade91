"""Members over the API: who sees them, who changes them, and what they may spend."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, GroupMembership, Membership
from accounts.system import PREBUILDS_USER_ID
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import (
    allow,
    default_organization,
    make_organization,
    make_template,
    make_user,
    make_workspace,
)

pytestmark = pytest.mark.django_db

HERE = "/organizations/default"
FIELDS = {
    "user_id",
    "organization_id",
    "username",
    "name",
    "email",
    "created_at",
    "roles",
    "global_roles",
}


@pytest.fixture
def owner():
    return session_of(make_user("olga", roles=["owner"]))


@pytest.fixture
def ana():
    return make_user("ana")


def names(rows):
    return [each["username"] for each in rows]


class TestReading:
    def test_members_are_shown_with_coders_fields_and_without_the_system_user(self, owner, ana):
        bare = send(owner, "GET", f"{HERE}/members")
        wrapped = send(owner, "GET", f"{HERE}/paginated-members?limit=1")

        assert names(bare.json()) == ["ana", "olga"]
        assert set(bare.json()[0]) == FIELDS
        assert names(wrapped.json()["members"]) == ["ana"]
        assert wrapped.json()["count"] == 2

    def test_roles_are_shown_with_their_words(self, owner):
        make_user("boss", organization_roles=["organization-admin"])

        shown = send(owner, "GET", f"{HERE}/members/boss").json()

        assert shown["roles"] == [
            {
                "name": "organization-admin",
                "display_name": "Organization admin",
                "organization_id": str(default_organization().pk),
            }
        ]

    @pytest.mark.parametrize(
        ("kind", "seen"),
        [
            ("template-admin", True),
            ("user-admin", True),
            ("auditor", True),
            ("organization-admin", True),
            ("organization-template-admin", True),
            ("organization-auditor", True),
            ("member", False),
        ],
    )
    def test_a_plain_member_sees_only_themselves(self, ana, kind, seen):
        user = caller(kind)
        client = session_of(user)

        listed = names(send(client, "GET", f"{HERE}/members").json())

        assert listed == (["ana", user.username] if seen else [user.username])
        assert send(client, "GET", f"{HERE}/members/me").status_code == 200
        found = send(client, "GET", f"{HERE}/members/ana")
        assert found.status_code == (200 if seen else 404)

    def test_a_stranger_sees_no_organization(self, ana):
        client = session_of(caller("stranger"))

        for path in ("members", "members/ana", "members/ana/workspace-quota"):
            assert_error(send(client, "GET", f"{HERE}/{path}"), 404)

    @pytest.mark.parametrize("name", ["prebuilds", str(PREBUILDS_USER_ID), "nobody", "a%00b"])
    def test_the_system_user_is_as_unknown_as_nobody(self, owner, name):
        assert_error(send(owner, "GET", f"{HERE}/members/{name}"), 404)
        assert_error(send(owner, "DELETE", f"{HERE}/members/{name}"), 404)
        assert_error(send(owner, "POST", f"{HERE}/members/{name}"), 404)

    def test_a_list_takes_the_same_statements_whatever_its_length(self, owner):
        def statements():
            with CaptureQueriesContext(connection) as captured:
                send(owner, "GET", f"{HERE}/members")
            return len(captured)

        few = statements()
        for _ in range(4):
            make_user()

        assert statements() == few


class TestJoiningAndLeaving:
    def test_a_person_joins_without_roles(self, owner):
        ben = make_user("ben", organization=make_organization())

        response = send(owner, "POST", f"{HERE}/members/ben")

        assert response.status_code == 200
        assert set(response.json()) == FIELDS
        assert default_organization().memberships.get(user=ben).roles == []
        assert AuditEntry.objects.get().action == "add"

    def test_joining_twice_is_a_conflict(self, owner, ana):
        assert_error(send(owner, "POST", f"{HERE}/members/ana"), 409, fields=["user"])

    def test_who_leaves_leaves_the_groups_too(self, owner, ana):
        allow(ana, 5)

        response = send(owner, "DELETE", f"{HERE}/members/ana")

        assert response.status_code == 204
        assert not Membership.objects.filter(user=ana).exists()
        assert not GroupMembership.objects.filter(user=ana).exists()
        assert AuditEntry.objects.get().action == "remove"

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("user-admin", 204),
            ("organization-admin", 204),
            ("template-admin", 403),
            ("organization-auditor", 403),
            ("auditor", 403),
            ("member", 404),
            ("stranger", 404),
        ],
    )
    def test_who_sends_a_member_away(self, ana, kind, status):
        response = send(session_of(caller(kind)), "DELETE", f"{HERE}/members/ana")

        assert response.status_code == status
        assert Membership.objects.filter(user=ana).exists() is (status != 204)

    def test_a_user_admin_does_not_send_an_organization_admin_away(self):
        make_user("boss", organization_roles=["organization-admin"])

        response = send(session_of(caller("user-admin")), "DELETE", f"{HERE}/members/boss")

        assert_error(response, 403, fields=["roles"])


class TestRoles:
    def put(self, client, user, roles, **headers):
        return send(client, "PUT", f"{HERE}/members/{user}/roles", {"roles": roles}, **headers)

    def test_roles_are_given_and_taken(self, owner, ana):
        given = self.put(owner, "ana", ["organization-auditor"])
        taken = self.put(owner, "ana", [])

        assert [role["name"] for role in given.json()["roles"]] == ["organization-auditor"]
        assert taken.json()["roles"] == []
        assert AuditEntry.objects.filter(action="set_roles").count() == 2

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("organization-admin", 200),
            ("user-admin", 403),
            ("organization-template-admin", 403),
            ("template-admin", 403),
            ("member", 404),
        ],
    )
    def test_who_makes_an_organization_admin(self, ana, kind, status):
        response = self.put(session_of(caller(kind)), "ana", ["organization-admin"])

        assert response.status_code == status
        assert bool(Membership.objects.get(user=ana).roles) is (status == 200)

    def test_nobody_changes_their_own(self):
        boss = make_user("boss", organization_roles=["organization-admin"])

        assert_error(self.put(session_of(boss), "me", []), 400, message="their own roles")

    @pytest.mark.parametrize(
        "roles", ["owner", ["owner"], ["organization-auditor"] * 2, None, [None], [1]]
    )
    def test_bad_input_is_refused(self, owner, ana, roles):
        assert self.put(owner, "ana", roles).status_code == 400

    def test_the_second_of_two_editors_is_told(self, owner, ana):
        seen = send(owner, "GET", f"{HERE}/members/ana")["ETag"]
        self.put(owner, "ana", ["organization-auditor"])

        assert_error(self.put(owner, "ana", [], **{"If-Match": seen}), 412)

    def test_a_token_for_use_changes_nothing(self, ana):
        client = scoped(make_user(roles=["owner"]), "use")

        assert_error(self.put(client, "ana", []), 403)
        assert_error(send(client, "DELETE", f"{HERE}/members/ana"), 403)


class TestQuota:
    def test_what_is_spent_and_what_may_be(self, ana):
        allow(ana, 7)
        allow(ana, 4)
        make_workspace(ana, template=make_template(daily_cost=3))
        client = session_of(ana)

        response = send(client, "GET", f"{HERE}/members/me/workspace-quota")

        assert response.status_code == 200
        assert response.json() == {"credits_consumed": 3, "budget": 11}

    @pytest.mark.parametrize(
        ("kind", "status"), [("organization-admin", 200), ("member", 404), ("stranger", 404)]
    )
    def test_who_sees_it(self, ana, kind, status):
        client = session_of(caller(kind))

        found = send(client, "GET", f"{HERE}/members/ana/workspace-quota")

        assert found.status_code == status
