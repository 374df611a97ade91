"""People over the API: who sees whom, who changes what, and that nobody rises by it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, Membership, User
from accounts.system import PREBUILDS_USER_ID
from tests.api.conftest import session_of, token_of
from tests.api.people import PASSWORD, caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import default_organization, make_organization, make_user

pytestmark = pytest.mark.django_db

FIELDS = {
    "id",
    "username",
    "name",
    "email",
    "created_at",
    "last_seen_at",
    "status",
    "organization_ids",
    "roles",
}


@pytest.fixture
def olga():
    return make_user("olga", roles=["owner"])


@pytest.fixture
def owner(olga):
    return session_of(olga)


@pytest.fixture
def ana():
    return make_user("ana", password="old")


def names(response):
    return [each["username"] for each in response.json()["users"]]


def statements(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert send(client, "GET", path).status_code == 200
    return len(captured)


class TestReading:
    def test_a_person_is_shown_with_coders_fields(self, ana):
        shown = send(session_of(ana), "GET", "/users/me")

        body = shown.json()
        assert shown.status_code == 200
        assert set(body) == FIELDS
        assert body["id"] == str(ana.pk)
        assert body["status"] == "active"
        assert body["roles"] == []
        assert body["organization_ids"] == [str(default_organization().pk)]

    def test_a_site_role_is_shown_with_its_words(self, owner):
        roles = send(owner, "GET", "/users/me").json()["roles"]

        assert roles == [{"name": "owner", "display_name": "Owner"}]

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("owner", 200),
            ("template-admin", 200),
            ("user-admin", 200),
            ("auditor", 200),
            ("organization-admin", 200),
            ("organization-template-admin", 404),
            ("member", 404),
            ("stranger", 404),
        ],
    )
    def test_who_may_know_whom(self, kind, status, ana):
        client = session_of(caller(kind))

        by_name = send(client, "GET", "/users/ANA")
        by_id = send(client, "GET", f"/users/{ana.pk}")

        assert (by_name.status_code, by_id.status_code) == (status, status)
        assert ("ana" in names(send(client, "GET", "/users"))) is (status == 200)

    def test_an_organization_admin_learns_nothing_of_other_organizations(self, ana):
        Membership.objects.create(organization=make_organization(), user=ana)

        shown = send(session_of(caller("organization-admin")), "GET", "/users/ana").json()

        assert shown["organization_ids"] == [str(default_organization().pk)]

    @pytest.mark.parametrize("name", ["prebuilds", str(PREBUILDS_USER_ID), "nobody", "a%00b"])
    def test_the_system_user_is_as_unknown_as_nobody(self, owner, name):
        assert_error(send(owner, "GET", f"/users/{name}"), 404)
        assert_error(send(owner, "PUT", f"/users/{name}/status/activate"), 404)

    def test_an_id_is_an_id_although_somebody_is_called_like_it(self, owner, ana):
        make_user(str(ana.pk))

        assert send(owner, "GET", f"/users/{ana.pk}").json()["username"] == "ana"

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("", ["ana", "bea", "olga"]),
            ("AN", ["ana"]),
            ("Example.com", ["bea"]),
            ("role:owner", ["olga"]),
            ("status:suspended", ["bea"]),
            ("status:active an", ["ana"]),
        ],
    )
    def test_people_are_found_by_words_role_and_status(self, owner, ana, search, found):
        bea = make_user("bea")
        User.objects.filter(pk=bea.pk).update(is_active=False, email="bea@example.com")

        response = owner.get("/api/v2/users", {"q": search})

        assert names(response) == found
        assert response.json()["count"] == len(found)

    @pytest.mark.parametrize("search", ["status:dead", "role:king", "shoe:42", "x " * 31])
    def test_a_search_that_makes_no_sense_is_told(self, owner, search):
        assert_error(owner.get("/api/v2/users", {"q": search}), 400, fields=["q"])

    def test_lists_come_in_parts(self, owner, ana):
        response = owner.get("/api/v2/users", {"limit": 1, "offset": 1})

        assert names(response) == ["olga"]
        assert response.json()["count"] == 2

    def test_a_list_takes_the_same_statements_whatever_its_length(self, owner):
        make_user()
        few = statements(owner, "/users")
        for _ in range(4):
            make_user()

        assert statements(owner, "/users") == few


class TestCreating:
    def body(self, **fields):
        return {"username": "ben", "email": "ben@example.com", "password": PASSWORD, **fields}

    def test_a_person_is_made_in_the_default_organization(self, owner):
        response = send(owner, "POST", "/users", self.body(name="Ben"))

        ben = User.objects.get(username="ben")
        assert response.status_code == 201
        assert set(response.json()) == FIELDS
        assert response.json()["organization_ids"] == [str(default_organization().pk)]
        assert ben.check_password(PASSWORD)
        entry = AuditEntry.objects.get(action="create", object_id=str(ben.pk))
        assert (entry.actor.username, entry.source) == ("olga", "api")
        assert PASSWORD not in str(entry.after)

    def test_a_person_is_made_with_roles_in_chosen_organizations(self, owner):
        home = make_organization()

        made = send(
            owner, "POST", "/users", self.body(organization_ids=[str(home.pk)], roles=["auditor"])
        ).json()

        assert made["organization_ids"] == [str(home.pk)]
        assert [role["name"] for role in made["roles"]] == ["auditor"]

    def test_without_a_password_nobody_signs_in(self, owner):
        send(owner, "POST", "/users", self.body(password=None))

        assert not User.objects.get(username="ben").has_usable_password()

    @pytest.mark.parametrize(
        ("kind", "status"),
        [("user-admin", 201), ("auditor", 403), ("template-admin", 403), ("member", 403)],
    )
    def test_who_may_make_people(self, kind, status):
        response = send(session_of(caller(kind)), "POST", "/users", self.body())

        assert response.status_code == status
        assert User.objects.filter(username="ben").exists() is (status == 201)

    def test_a_user_admin_makes_no_owner(self):
        response = send(
            session_of(caller("user-admin")), "POST", "/users", self.body(roles=["owner"])
        )

        assert_error(response, 403, fields=["roles"])
        assert not User.objects.filter(username="ben").exists()

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"username": "Prebuilds"}, "username"),
            ({"username": "OLGA"}, "username"),
            ({"email": "OLGA@example.com"}, "email"),
        ],
    )
    def test_what_is_in_use_is_a_conflict_at_its_field(self, owner, olga, change, field):
        User.objects.filter(pk=olga.pk).update(email="olga@example.com")

        assert_error(send(owner, "POST", "/users", self.body(**change)), 409, fields=[field])

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"username": "-ben"}, "username"),
            ({"username": "b" * 65}, "username"),
            ({"username": None}, "username"),
            ({"email": "nowhere"}, "email"),
            ({"name": "x" * 129}, "name"),
            ({"password": "short"}, "password"),
            ({"password": "12345678901234"}, "password"),
            ({"password": "x" * 1025}, "password"),
            ({"roles": ["king"]}, "roles.0"),
            ({"roles": ["auditor", "auditor"]}, "roles"),
            ({"roles": "auditor"}, "roles"),
            ({"organization_ids": ["x"]}, "organization_ids.0"),
            ({"organization_ids": [str(PREBUILDS_USER_ID)]}, "organization_ids"),
            ({"is_system": True}, "is_system"),
        ],
    )
    def test_bad_input_is_named(self, owner, change, field):
        assert_error(send(owner, "POST", "/users", self.body(**change)), 400, fields=[field])

    @pytest.mark.parametrize("body", ["[]", "null", '"x"', "{", "{}"])
    def test_what_is_no_object_is_refused(self, owner, body):
        assert send(owner, "POST", "/users", body).status_code == 400


class TestProfile:
    def put(self, client, user="me", /, **body):
        return send(client, "PUT", f"/users/{user}/profile", body)

    def test_everybody_renames_themselves(self, ana):
        response = self.put(session_of(ana), username="anna", name="Anna")

        ana.refresh_from_db()
        assert response.json()["username"] == "anna"
        assert (ana.username, ana.name) == ("anna", "Anna")
        entry = AuditEntry.objects.get(action="update")
        assert entry.before == {"username": "ana", "name": ""}
        assert entry.after == {"username": "anna", "name": "Anna"}

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("owner", 200),
            ("user-admin", 200),
            ("template-admin", 403),
            ("auditor", 403),
            ("organization-admin", 403),
            ("member", 404),
            ("stranger", 404),
        ],
    )
    def test_who_renames_others(self, kind, status, ana):
        assert self.put(session_of(caller(kind)), "ana", username="bea").status_code == status

    def test_a_user_admin_does_not_rename_an_owner(self, olga):
        assert_error(self.put(session_of(caller("user-admin")), "olga", username="x"), 403)

    def test_a_name_in_use_is_a_conflict(self, ana, olga):
        assert_error(self.put(session_of(ana), username="Olga"), 409, fields=["username"])

    def test_the_second_of_two_editors_is_told(self, ana):
        client = session_of(ana)
        seen = send(client, "GET", "/users/me")["ETag"]

        first = send(client, "PUT", "/users/me/profile", {"username": "one"}, **{"If-Match": seen})
        second = send(client, "PUT", "/users/me/profile", {"username": "two"}, **{"If-Match": seen})

        ana.refresh_from_db()
        assert first.status_code == 200
        assert first["ETag"] != seen
        assert_error(second, 412)
        assert ana.username == "one"


class TestRoles:
    def put(self, client, user, roles, **headers):
        return send(client, "PUT", f"/users/{user}/roles", {"roles": roles}, **headers)

    def test_roles_are_given_and_taken(self, owner, ana):
        given = self.put(owner, "ana", ["user-admin", "auditor"])
        taken = self.put(owner, "ana", [])

        assert [role["name"] for role in given.json()["roles"]] == ["auditor", "user-admin"]
        assert taken.json()["roles"] == []
        assert AuditEntry.objects.filter(action="set_roles").count() == 2

    def test_nobody_changes_their_own(self, owner, olga):
        response = self.put(owner, "me", [])

        olga.refresh_from_db()
        assert_error(response, 400, message="their own roles")
        assert olga.roles == ["owner"]

    @pytest.mark.parametrize(
        ("before", "after"), [([], ["owner"]), (["owner"], []), (["auditor"], ["user-admin"])]
    )
    def test_a_user_admin_neither_gives_nor_takes_what_is_above(self, before, after):
        target = make_user(roles=before)

        response = self.put(session_of(caller("user-admin")), target.username, after)

        target.refresh_from_db()
        assert_error(response, 403, fields=["roles"])
        assert target.roles == before

    @pytest.mark.parametrize("kind", ["template-admin", "auditor", "organization-admin"])
    def test_others_give_none(self, kind, ana):
        assert self.put(session_of(caller(kind)), "ana", ["auditor"]).status_code == 403

    def test_the_second_of_two_editors_is_told(self, owner, ana):
        seen = send(owner, "GET", "/users/ana")["ETag"]
        self.put(owner, "ana", ["auditor"])

        assert_error(self.put(owner, "ana", [], **{"If-Match": seen}), 412)
        assert self.put(owner, "ana", [], **{"If-Match": "*"}).status_code == 200


class TestPassword:
    def put(self, client, user="me", /, **body):
        return send(client, "PUT", f"/users/{user}/password", body)

    def test_ones_own_needs_the_old_one(self, ana):
        client = session_of(ana)

        without = self.put(client, password=PASSWORD)
        wrong = self.put(client, password=PASSWORD, old_password="guess")
        right = self.put(client, password=PASSWORD, old_password="old")

        ana.refresh_from_db()
        assert_error(without, 400, fields=["old_password"])
        assert_error(wrong, 400, fields=["old_password"])
        assert right.status_code == 204
        assert ana.check_password(PASSWORD)

    def test_sessions_and_tokens_end_with_the_old_password(self, owner, ana):
        session, token = session_of(ana), token_of(ana)

        self.put(owner, "ana", password=PASSWORD)

        assert send(session, "GET", "/users/me").status_code in {401, 403}
        assert send(token, "GET", "/users/me").status_code == 401
        entry = AuditEntry.objects.get(action="set_password")
        assert entry.after == {"tokens_revoked": 1}

    def test_a_weak_one_is_refused(self, owner, ana):
        assert_error(self.put(owner, "ana", password="ana"), 400, fields=["password"])

    @pytest.mark.parametrize(
        ("kind", "status"), [("user-admin", 403), ("organization-admin", 404), ("member", 404)]
    )
    def test_nobody_becomes_an_owner_by_setting_the_password_of_one(self, kind, status):
        olga = make_user("olga", roles=["owner"], organization=make_organization())

        response = self.put(session_of(caller(kind)), "olga", password=PASSWORD)

        olga.refresh_from_db()
        assert_error(response, status)
        assert not olga.check_password(PASSWORD)


class TestStatus:
    def test_a_suspended_person_is_out_for_good_until_activated(self, owner, ana):
        session, token = session_of(ana), token_of(ana)

        suspended = send(owner, "PUT", "/users/ana/status/suspend")
        out = [send(one, "GET", "/users/me").status_code for one in (session, token)]
        activated = send(owner, "PUT", "/users/ana/status/activate")
        still_out = [send(one, "GET", "/users/me").status_code for one in (session, token)]

        assert suspended.json()["status"] == "suspended"
        assert activated.json()["status"] == "active"
        assert all(code in {401, 403} for code in out + still_out)
        assert send(session_of(User.objects.get(pk=ana.pk)), "GET", "/users/me").status_code == 200
        made = AuditEntry.objects.filter(object_type="user").order_by("pk")
        assert [each.action for each in made] == ["suspend", "activate"]

    def test_suspending_twice_is_once(self, owner, ana):
        for _ in range(2):
            assert send(owner, "PUT", "/users/ana/status/suspend").status_code == 200

        assert AuditEntry.objects.filter(action="suspend").count() == 1

    def test_nobody_suspends_themselves(self, owner, olga):
        assert_error(send(owner, "PUT", "/users/me/status/suspend"), 400)

        olga.refresh_from_db()
        assert olga.is_active

    @pytest.mark.parametrize(
        ("kind", "status"),
        [("user-admin", 403), ("auditor", 403), ("member", 404), ("stranger", 404)],
    )
    @pytest.mark.parametrize("change", ["suspend", "activate"])
    def test_an_owner_is_not_suspended_from_below(self, kind, status, change, olga):
        response = send(session_of(caller(kind)), "PUT", f"/users/olga/status/{change}")

        assert_error(response, status)

    def test_there_is_no_deleting(self, owner, ana):
        assert_error(send(owner, "DELETE", "/users/ana"), 405)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users", {"username": "ben"}),
        ("PUT", "/users/me/profile", {"username": "ben"}),
        ("PUT", "/users/me/password", {"password": PASSWORD}),
        ("PUT", "/users/ana/roles", {"roles": []}),
        ("PUT", "/users/ana/status/suspend", None),
    ],
)
@pytest.mark.parametrize("scope", ["read", "use"])
def test_only_a_token_to_manage_changes_people(olga, ana, scope, method, path, body):
    client = scoped(olga, scope)

    assert_error(send(client, method, path, body), 403, message="scope")
    assert send(client, "GET", "/users").status_code == 200
