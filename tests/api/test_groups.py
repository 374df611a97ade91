"""Groups over the API: allowance and people; the prebuilds user's group keeps what is its."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, Group, GroupMembership
from accounts.services import ensure_prebuilds_membership
from accounts.system import PREBUILDS_USER_ID
from tests.api.conftest import session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import default_organization, make_organization, make_user

pytestmark = pytest.mark.django_db

LIST = "/organizations/default/groups"
FIELDS = {
    "id",
    "name",
    "display_name",
    "organization_id",
    "organization_name",
    "organization_display_name",
    "quota_allowance",
    "members",
    "total_member_count",
}


@pytest.fixture
def owner():
    return session_of(make_user("olga", roles=["owner"]))


@pytest.fixture
def ana():
    return make_user("ana")


@pytest.fixture
def group():
    return Group.objects.create(
        organization=default_organization(), name="builders", quota_allowance=5
    )


@pytest.fixture
def theirs():
    """The prebuilds user's own group."""
    ensure_prebuilds_membership([default_organization().pk])
    return Group.objects.get(name="coderprebuiltworkspaces")


def patch(client, group, body, **headers):
    return send(client, "PATCH", f"/groups/{group.pk}", body, **headers)


def members(response):
    return [each["username"] for each in response.json()["members"]]


class TestReading:
    def test_a_group_is_shown_with_its_people(self, owner, group, ana):
        GroupMembership.objects.create(group=group, user=ana)

        for path in (f"/groups/{group.pk}", f"{LIST}/Builders", f"{LIST}/{group.pk}"):
            response = send(owner, "GET", path)
            assert response.status_code == 200
            assert set(response.json()) == FIELDS
            assert members(response) == ["ana"]
            assert response.json()["total_member_count"] == 1

    def test_the_system_user_is_in_its_group_and_not_shown(self, owner, theirs):
        shown = send(owner, "GET", f"/groups/{theirs.pk}").json()

        assert (shown["members"], shown["total_member_count"]) == ([], 0)

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("template-admin", 200),
            ("user-admin", 200),
            ("auditor", 200),
            ("organization-admin", 200),
            ("organization-auditor", 200),
            ("member", 404),
            ("stranger", 404),
        ],
    )
    def test_who_sees_groups(self, group, kind, status):
        client = session_of(caller(kind))

        assert send(client, "GET", f"/groups/{group.pk}").status_code == status
        listed = send(client, "GET", LIST)
        if kind == "stranger":
            assert_error(listed, 404)
        else:
            assert len(listed.json()) == (status == 200)

    def test_a_list_takes_the_same_statements_whatever_its_length(self, owner, group, ana):
        def statements():
            with CaptureQueriesContext(connection) as captured:
                send(owner, "GET", LIST)
            return len(captured)

        GroupMembership.objects.create(group=group, user=ana)
        few = statements()
        for number in range(4):
            more = Group.objects.create(organization=default_organization(), name=f"g{number}")
            GroupMembership.objects.create(group=more, user=make_user())

        assert statements() == few


class TestMaking:
    def test_a_group_is_made(self, owner):
        response = send(owner, "POST", LIST, {"name": "builders", "quota_allowance": 9})

        assert response.status_code == 201
        assert set(response.json()) == FIELDS
        assert Group.objects.get().quota_allowance == 9
        assert AuditEntry.objects.get().action == "create"

    def test_a_name_in_use_is_a_conflict(self, owner, group):
        assert_error(send(owner, "POST", LIST, {"name": "Builders"}), 409, fields=["name"])

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": "a b"}, "name"),
            ({"name": None}, "name"),
            ({"quota_allowance": -1}, "quota_allowance"),
            ({"quota_allowance": 2**31}, "quota_allowance"),
            ({"quota_allowance": "much"}, "quota_allowance"),
            ({"quota_allowance": None}, "quota_allowance"),
            ({"avatar": ""}, "avatar"),
        ],
    )
    def test_bad_input_is_named(self, owner, change, field):
        assert_error(send(owner, "POST", LIST, {"name": "x", **change}), 400, fields=[field])

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("user-admin", 201),
            ("organization-admin", 201),
            ("template-admin", 403),
            ("organization-auditor", 403),
            ("member", 403),
            ("stranger", 404),
        ],
    )
    def test_who_makes_groups(self, kind, status):
        response = send(session_of(caller(kind)), "POST", LIST, {"name": "x"})

        assert response.status_code == status


class TestChanging:
    def test_what_is_left_out_stays(self, owner, group):
        response = patch(owner, group, {"quota_allowance": 40})

        group.refresh_from_db()
        assert response.status_code == 200
        assert (group.name, group.quota_allowance) == ("builders", 40)
        entry = AuditEntry.objects.get()
        assert (entry.before, entry.after) == ({"quota_allowance": 5}, {"quota_allowance": 40})

    def test_people_come_and_go(self, owner, group, ana):
        ben = make_user("ben")

        added = patch(owner, group, {"add_users": [str(ana.pk), str(ben.pk)]})
        again = patch(owner, group, {"add_users": [str(ana.pk)]})
        removed = patch(owner, group, {"remove_users": [str(ana.pk), str(uuid4())]})

        assert members(added) == members(again) == ["ana", "ben"]
        assert members(removed) == ["ben"]
        entries = AuditEntry.objects.order_by("pk").values_list("after", flat=True)
        assert list(entries) == [{"added": ["ana", "ben"]}, {"removed": ["ana"]}]

    def test_adding_many_takes_no_more_statements_than_adding_one(self, owner, group):
        def statements(people):
            with CaptureQueriesContext(connection) as captured:
                body = {"add_users": [str(one.pk) for one in people]}
                assert patch(owner, group, body).status_code == 200
            return len(captured)

        one = statements([make_user()])

        assert statements([make_user() for _ in range(5)]) == one

    def test_who_is_no_member_of_the_organization_does_not_come(self, owner, group, ana):
        far = make_user(organization=make_organization())

        response = patch(owner, group, {"name": "x", "add_users": [str(ana.pk), str(far.pk)]})

        group.refresh_from_db()
        assert_error(response, 400, fields=["add_users"], message=str(far.pk))
        assert group.name == "builders"
        assert not group.memberships.exists()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"add_users": ["ana"]}, "add_users.0"),
            ({"add_users": [str(PREBUILDS_USER_ID)] * 2}, "add_users"),
            ({"add_users": "x"}, "add_users"),
            (
                {"add_users": [str(PREBUILDS_USER_ID)], "remove_users": [str(PREBUILDS_USER_ID)]},
                "remove_users",
            ),
            ({"name": ""}, "name"),
            ({"organization_id": "x"}, "organization_id"),
        ],
    )
    def test_bad_input_is_named(self, owner, group, body, field):
        assert_error(patch(owner, group, body), 400, fields=[field])

    @pytest.mark.parametrize("kind", ["template-admin", "organization-auditor", "auditor"])
    def test_who_may_only_look(self, group, kind):
        client = session_of(caller(kind))

        assert_error(patch(client, group, {"name": "x"}), 403)
        assert_error(send(client, "DELETE", f"/groups/{group.pk}"), 403)

    def test_the_second_of_two_editors_is_told(self, owner, group, ana):
        seen = send(owner, "GET", f"/groups/{group.pk}")["ETag"]

        first = patch(owner, group, {"add_users": [str(ana.pk)]}, **{"If-Match": seen})
        second = patch(owner, group, {"quota_allowance": 1}, **{"If-Match": seen})
        third = patch(owner, group, {"quota_allowance": 1}, **{"If-Match": first["ETag"]})

        assert first["ETag"] != seen
        assert_error(second, 412)
        assert third.status_code == 200
        path = f"/groups/{group.pk}"
        assert_error(send(owner, "DELETE", path, **{"If-Match": seen}), 412)

    def test_a_group_is_deleted(self, owner, group):
        assert send(owner, "DELETE", f"/groups/{group.pk}").status_code == 204
        assert not Group.objects.exists()
        assert AuditEntry.objects.get().action == "delete"

    def test_a_token_for_use_changes_nothing(self, group):
        client = scoped(make_user(roles=["owner"]), "use")

        assert_error(patch(client, group, {"name": "x"}), 403)
        assert_error(send(client, "POST", LIST, {"name": "x"}), 403)


class TestThePrebuildsGroup:
    def test_its_allowance_is_changed(self, owner, theirs):
        response = patch(owner, theirs, {"name": theirs.name, "quota_allowance": 100})

        assert response.json()["quota_allowance"] == 100

    @pytest.mark.parametrize("name", ["other", "CoderPrebuiltWorkspaces"])
    def test_it_keeps_its_name(self, owner, theirs, name):
        assert_error(patch(owner, theirs, {"name": name}), 409, fields=["name"])

    def test_it_is_not_deleted(self, owner, theirs):
        assert_error(send(owner, "DELETE", f"/groups/{theirs.pk}"), 409)

    def test_it_keeps_its_member(self, owner, theirs):
        response = patch(owner, theirs, {"remove_users": [str(PREBUILDS_USER_ID)]})

        assert_error(response, 409, fields=["remove_users"])
        assert theirs.memberships.get().user_id == PREBUILDS_USER_ID

    def test_the_system_user_joins_no_other(self, owner, group):
        response = patch(owner, group, {"add_users": [str(PREBUILDS_USER_ID)]})

        assert_error(response, 400, fields=["add_users"])
