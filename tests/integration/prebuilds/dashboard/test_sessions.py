"""When a session ends: by itself after a while, at once with the password or the person."""

from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.audit import AT_THE_SHELL
from accounts.services import users
from prebuilds.dashboard.base import sessions
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough passphrase"
HOUR = 3600
FRAGMENT = {"HX-Request": "true"}
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def _spans(settings):
    settings.PREBUILDS_SESSION_IDLE = timedelta(hours=12)
    settings.PREBUILDS_SESSION_LIFETIME = timedelta(days=14)


@pytest.fixture
def ana():
    return make_user("ana", roles=["owner"], password=PASSWORD)


@pytest.fixture
def client(ana):
    client = Client()
    client.post("/sign-in/", {"username": "ana", "password": PASSWORD})
    return client


@pytest.fixture
def wait(monkeypatch):
    """Return a function that lets time pass for sessions."""
    passed = [0]
    real = sessions._now
    monkeypatch.setattr(sessions, "_now", lambda: real() + passed[0])

    def let_pass(seconds):
        passed[0] += seconds

    return let_pass


def is_in(client):
    return client.get("/account/edit", headers=FRAGMENT).status_code == 200


def test_a_session_ends_after_half_a_day_without_anybody_doing_anything(client, wait):
    wait(12 * HOUR - 60)
    before = is_in(client)

    wait(60)

    assert before
    assert not is_in(client)
    assert not Session.objects.exists()


def test_whoever_opens_a_page_now_and_then_stays_in(client, wait):
    for _ in range(4):
        wait(11 * HOUR)
        client.get("/account/")

    assert is_in(client)


def test_whoever_changes_something_stays_in(client, wait):
    for _ in range(2):
        wait(11 * HOUR)
        client.post("/account/mail/", {}, headers=FRAGMENT)

    assert is_in(client)


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/pools/table", FRAGMENT),
        ("/live/pools", STREAM),
        ("/live/pools", {}),
        ("/api/v2/users/me", {}),
    ],
)
@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
def test_what_an_open_page_asks_for_by_itself_keeps_nobody_in(client, wait, address, headers):
    for _ in range(3):
        wait(5 * HOUR)
        client.get(address, headers=headers).close()

    assert not is_in(client)


def test_a_session_ends_after_its_lifetime_however_busy(client, wait):
    for _ in range(27):
        wait(12 * HOUR - 60)
        client.get("/account/")
    before = is_in(client)

    wait(12 * HOUR - 60)
    client.get("/account/")
    wait(HOUR)

    assert before
    assert not is_in(client)


def test_a_fragment_of_an_ended_session_sends_the_page_to_the_sign_in(client, wait):
    wait(12 * HOUR)

    answer = client.get("/pools/table", headers=FRAGMENT)

    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/sign-in/")


def test_a_busy_person_writes_the_session_once_a_minute_at_most(
    client, wait, django_assert_num_queries
):
    def writes():
        with django_assert_num_queries(2):  # the session and the person
            client.get("/sign-in/")

    writes()
    wait(59)
    writes()
    wait(1)
    with pytest.raises(pytest.fail.Exception):
        writes()


def test_a_session_from_before_there_were_times_is_over(ana):
    client = Client()
    client.force_login(ana)
    session = client.session
    session[sessions.BEGAN] = session[sessions.SEEN] = 0
    session.save()

    assert not is_in(client)


def test_nobodys_session_has_no_times():
    store = sessions.SessionStore()
    store["theme"] = "dark"
    store.save()

    assert SESSION_KEY not in store
    assert sessions.BEGAN not in store


def test_a_new_password_signs_out_everywhere_else(ana, client):
    elsewhere = Client()
    elsewhere.force_login(ana)

    client.post(
        "/account/password",
        {
            "old_password": PASSWORD,
            "password": "another long passphrase",
            "again": "another long passphrase",
        },
    )

    assert is_in(client)
    assert not is_in(elsewhere)


def test_who_is_suspended_is_out_at_once_and_stays_out_when_let_in_again(ana, client):
    boss = make_user("boss", roles=["owner"])
    now = timezone.now()

    users.suspend_user(user_id=ana.pk, actor=AT_THE_SHELL, now=now)
    suspended = is_in(client)
    users.activate_user(user_id=ana.pk, actor=AT_THE_SHELL, now=now)

    assert boss.is_active
    assert not suspended
    assert not is_in(client)
