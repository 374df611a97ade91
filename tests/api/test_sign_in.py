"""Signing in over the API: a token for a password. Wrong ones: tests/integration/accounts."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Token, User
from prebuilds.api.throttling import Tally, tally
from tests.api.conftest import bearer, session_of
from tests.api.people import API, PASSWORD, scoped, send
from tests.api.shape import assert_error
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ana():
    user = make_user("ana", password=PASSWORD)
    User.objects.filter(pk=user.pk).update(email="ana@example.com")
    return user


@pytest.fixture(autouse=True)
def _half_past(monkeypatch):
    """Stop the clock in the middle of a window, with nothing counted before or after."""
    monkeypatch.setattr(tally, "_clock", lambda: 30.0)
    tally.clear()
    yield
    tally.clear()


def login(address="192.0.2.1", **body):
    client = Client(REMOTE_ADDR=address)
    return client.post(
        f"{API}/users/login", {"password": PASSWORD, **body}, content_type="application/json"
    )


@pytest.mark.parametrize(
    "who", [{"username": "ana"}, {"username": "ANA"}, {"email": "Ana@example.com"}]
)
def test_a_password_gives_a_token_that_does_what_the_person_may(who, ana, settings):
    before = timezone.now()

    response = login(**who)

    token = Token.objects.get()
    me = send(bearer(response.json()["session_token"]), "GET", "/users/me")
    assert response.status_code == 201
    assert set(response.json()) == {"session_token"}
    assert me.json()["username"] == "ana"
    assert token.scope == "manage"
    lifetime = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    assert before + lifetime <= token.expires_at <= timezone.now() + lifetime


def test_signing_in_is_written_down(ana):
    login(username="ana")

    entry = AuditEntry.objects.get()
    ana.refresh_from_db()
    assert (entry.actor, entry.action, entry.object_type) == (ana, "create", "token")
    assert entry.address == "192.0.2.1"
    assert ana.last_login is not None


@pytest.mark.parametrize(
    "body",
    [
        {"username": "ana", "password": "wrong"},
        {"username": "nobody"},
        {"username": "prebuilds"},
        {"email": "nobody@example.com"},
        {"email": "ana"},
    ],
)
def test_one_answer_whatever_is_wrong(body):
    response = login(**body)

    assert_error(response, 401, message="do not fit together")
    assert not Token.objects.exists()


def test_a_suspended_person_gets_the_same_answer(ana):
    User.objects.filter(pk=ana.pk).update(is_active=False)

    assert_error(login(username="ana"), 401, message="do not fit together")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "ana", "email": "a@example.com"}, "username"),
        ({"username": None}, "username"),
        ({"username": "ana", "password": None}, "password"),
        ({"username": "ana", "password": "x" * 1025}, "password"),
        ({"username": "a\0b"}, "username"),
        ({"username": "ana", "otp": "1"}, "otp"),
    ],
)
def test_bad_input_is_named(body, field):
    assert_error(login(**body), 400, fields=[field])


def test_signing_out_ends_the_token(ana):
    client = bearer(login(username="ana").json()["session_token"])

    response = send(client, "POST", "/users/logout")

    assert response.status_code == 200
    assert response.json()["message"]
    assert send(client, "GET", "/users/me").status_code == 401
    assert Token.objects.get().revoked_at is not None


def test_a_token_for_reading_signs_itself_out(ana):
    client = scoped(ana, "read")

    assert send(client, "POST", "/users/logout").status_code == 200
    assert send(client, "GET", "/users/me").status_code == 401


def test_signing_out_ends_the_session(ana):
    client = session_of(ana)

    send(client, "POST", "/users/logout")

    assert send(client, "GET", "/users/me").status_code == 401


def test_signing_out_needs_somebody():
    assert_error(send(Client(), "POST", "/users/logout"), 401)


class TestTokenRates:
    def test_a_token_is_good_for_so_many_requests_a_minute(self, ana, settings):
        settings.PREBUILDS_API_RATE = 2
        first, second = scoped(ana, "read", "one"), scoped(ana, "read", "two")

        codes = [send(first, "GET", "/users/me").status_code for _ in range(3)]
        refused = send(first, "GET", "/users/me")

        assert codes == [200, 200, 429]
        assert_error(refused, 429)
        assert refused["Retry-After"] == "30"
        assert send(second, "GET", "/users/me").status_code == 200
        assert send(session_of(ana), "GET", "/users/me").status_code == 200

    def test_tokens_that_are_none_are_refused_more_curtly_and_good_ones_pass(self, ana, settings):
        settings.PREBUILDS_FAILED_TOKEN_RATE = 2
        bad, good = bearer("guess"), scoped(ana, "read")

        codes = [send(bad, "GET", "/users/me").status_code for _ in range(3)]
        refused = send(bad, "GET", "/users/me")

        assert codes == [401, 401, 429]
        assert_error(refused, 429)
        assert "Retry-After" in refused
        assert send(good, "GET", "/users/me").status_code == 200


def test_a_tally_starts_anew_with_each_window_and_forgets_the_old_keys():
    now = [59.0]
    counts = Tally(clock=lambda: now[0])

    before = [counts.add(key, limit=9) for key in ("a", "a", "b")]
    left = counts.seconds_left()
    now[0] = 60.0

    assert before == [1, 2, 1]
    assert left == 1.0
    assert counts.add("a", limit=9) == 1
    assert counts.size() == 1
