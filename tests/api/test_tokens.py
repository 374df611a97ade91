"""API tokens over the API: shown once, never wider than their maker, revoked at once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry, Token
from accounts.system import PREBUILDS_USER_ID
from tests.api.conftest import bearer, session_of
from tests.api.people import caller, scoped, send
from tests.api.shape import assert_error
from tests.factories import NOON, make_user

pytestmark = pytest.mark.django_db

MINE = "/users/me/keys/tokens"
ANAS = "/users/ana/keys/tokens"
FIELDS = {"id", "user_id", "token_name", "scope", "created_at", "expires_at", "last_used"}


@pytest.fixture
def ana():
    return make_user("ana")


@pytest.fixture
def client(ana):
    return session_of(ana)


def make(client, path=MINE, **body):
    return send(client, "POST", path, {"token_name": "ci", **body})


class TestMaking:
    def test_the_secret_is_shown_once_and_works(self, client):
        response = make(client)

        key = response.json()["key"]
        listed = send(client, "GET", MINE)
        assert response.status_code == 201
        assert send(bearer(key), "GET", "/users/me").json()["username"] == "ana"
        assert [set(each) for each in listed.json()] == [FIELDS]
        assert key not in listed.text
        assert key not in str(AuditEntry.objects.values().get())

    def test_it_is_for_use_for_thirty_days_unless_said_otherwise(self, client):
        before = timezone.now()

        make(client)

        token = Token.objects.get()
        assert token.scope == "use"
        days = timedelta(days=30)
        assert before + days <= token.expires_at <= timezone.now() + days

    def test_scope_and_lifetime_are_chosen(self, client):
        before = timezone.now()

        make(client, scope="read", lifetime_seconds=60)

        token = Token.objects.get()
        assert token.scope == "read"
        assert before < token.expires_at <= timezone.now() + timedelta(seconds=60)

    def test_the_end_is_a_time_or_never(self, client):
        end = timezone.now() + timedelta(hours=1)

        make(client, token_name="a", expires_at=end.isoformat())
        make(client, token_name="b", expires_at=None)

        assert dict(Token.objects.values_list("name", "expires_at")) == {"a": end, "b": None}

    def test_making_is_written_down(self, client, ana):
        make(client)

        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.action, entry.object_type) == (ana, "create", "token")
        assert entry.after["user"] == "ana"

    def test_a_name_in_use_is_a_conflict_and_an_expired_one_makes_room(self, client):
        make(client)
        taken = make(client, token_name="CI")
        Token.objects.update(expires_at=NOON)

        again = make(client)

        assert_error(taken, 409, fields=["token_name"])
        assert again.status_code == 201

    @pytest.mark.parametrize(
        ("held", "wanted", "status"),
        [
            ("read", "read", 403),
            ("use", "read", 201),
            ("use", "use", 201),
            ("use", "manage", 403),
            ("manage", "manage", 201),
        ],
    )
    def test_no_token_makes_a_wider_one(self, ana, held, wanted, status):
        response = make(scoped(ana, held), scope=wanted)

        assert response.status_code == status
        assert Token.objects.filter(name="ci").exists() is (status == 201)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"token_name": ""}, "token_name"),
            ({"token_name": "x" * 65}, "token_name"),
            ({"scope": "all"}, "scope"),
            ({"scope": None}, "scope"),
            ({"lifetime_seconds": 0}, "lifetime_seconds"),
            ({"lifetime_seconds": 10**30}, "lifetime_seconds"),
            ({"lifetime_seconds": "soon"}, "lifetime_seconds"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"expires_at": "9999-12-31T23:59:59Z"}, "expires_at"),
            ({"expires_at": "noon"}, "expires_at"),
            ({"expires_at": None, "lifetime_seconds": 5}, "expires_at"),
            ({"allow_list": []}, "allow_list"),
        ],
    )
    def test_bad_input_is_named(self, client, change, field):
        assert_error(make(client, **change), 400, fields=[field])
        assert not Token.objects.exists()


@pytest.mark.parametrize("scope", ["use", "manage"])
def test_a_token_grants_no_more_than_its_owner_has(ana, scope):
    client = scoped(ana, scope)

    assert_error(send(client, "POST", "/users", {"username": "ben"}), 403)
    assert send(client, "GET", "/users").json()["count"] == 1


class TestOthers:
    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("owner", 201),
            ("user-admin", 201),
            ("template-admin", 403),
            ("auditor", 403),
            ("organization-admin", 403),
            ("member", 404),
            ("stranger", 404),
        ],
    )
    def test_who_makes_and_revokes_tokens_of_others(self, ana, kind, status):
        scoped(ana, "use", "old")
        client = session_of(caller(kind))

        made = make(client, ANAS)
        revoked = send(client, "DELETE", f"{ANAS}/old")

        assert made.status_code == status
        assert revoked.status_code == (204 if status == 201 else status)

    @pytest.mark.parametrize(
        ("kind", "status"), [("auditor", 200), ("organization-admin", 403), ("member", 404)]
    )
    def test_who_lists_tokens_of_others(self, ana, kind, status):
        assert send(session_of(caller(kind)), "GET", ANAS).status_code == status

    def test_a_user_admin_makes_none_for_an_owner(self):
        make_user("olga", roles=["owner"])

        assert_error(make(session_of(caller("user-admin")), "/users/olga/keys/tokens"), 403)

    def test_a_token_of_an_owner_for_use_makes_none_for_others(self, ana):
        client = scoped(caller("owner"), "use")

        assert_error(make(client, ANAS), 403)

    def test_the_system_user_has_none(self):
        for user in ("prebuilds", PREBUILDS_USER_ID):
            path = f"/users/{user}/keys/tokens"
            assert_error(make(session_of(caller("owner")), path), 404)

    def test_a_token_of_somebody_else_is_not_ones_own(self, client):
        scoped(make_user(), "use", "theirs")

        assert_error(send(client, "DELETE", f"{MINE}/theirs"), 404)
        assert_error(send(client, "GET", f"{MINE}/{Token.objects.get().pk}"), 404)


class TestRevoking:
    @pytest.mark.parametrize("by", ["id", "name", "short path"])
    def test_a_revoked_token_is_of_no_use(self, client, ana, by):
        used = scoped(ana, "use", "CI")
        token = Token.objects.get()
        path = {
            "id": f"{MINE}/{token.pk}",
            "name": f"{MINE}/ci",
            "short path": f"/users/me/keys/{token.pk}",
        }[by]

        assert send(client, "GET", path).json()["id"] == str(token.pk)
        assert send(client, "DELETE", path).status_code == 204

        assert send(used, "GET", "/users/me").status_code == 401
        assert_error(send(client, "DELETE", path), 404)
        assert send(client, "GET", MINE).json() == []
        assert AuditEntry.objects.filter(action="revoke").count() == 1

    def test_a_token_for_reading_revokes_nothing(self, ana):
        client = scoped(ana, "read", "ci")

        assert_error(send(client, "DELETE", f"{MINE}/ci"), 403)


class TestListing:
    def test_expired_ones_are_shown_to_who_asks(self, client, ana):
        Token.objects.create(user=ana, name="old", digest=b"1", expires_at=NOON)

        assert send(client, "GET", MINE).json() == []
        assert len(send(client, "GET", f"{MINE}?include_expired=true").json()) == 1

    def test_a_list_takes_the_same_statements_whatever_its_length(self, client, ana):
        def statements():
            with CaptureQueriesContext(connection) as captured:
                send(client, "GET", MINE)
            return len(captured)

        scoped(ana, "use", "0")
        few = statements()
        for number in range(1, 5):
            scoped(ana, "use", str(number))

        assert statements() == few


class TestLastUse:
    def test_use_is_noted_at_most_once_a_minute(self, ana):
        client = scoped(ana, "read")

        def noted():
            with CaptureQueriesContext(connection) as captured:
                send(client, "GET", "/users/me")
            return sum(each["sql"].startswith("UPDATE") for each in captured)

        assert [noted(), noted()] == [1, 0]
        Token.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
        assert [noted(), noted()] == [1, 0]

    def test_it_is_shown(self, ana, client):
        used = scoped(ana, "read")
        (before,) = send(client, "GET", MINE).json()

        send(used, "GET", "/users/me")

        (after,) = send(client, "GET", MINE).json()
        assert before["last_used"] is None
        assert after["last_used"] is not None
