"""GET /readyz: 200 only while this process may be sent traffic; it needs no sign-in."""

import threading

import pytest
from django.db import InterfaceError, OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder

from prebuilds import schema_state
from prebuilds.api import readiness

pytestmark = pytest.mark.django_db

URL = "/readyz"
WELL = {"status": "ok", "process": "ok", "database": "ok", "migrations": "ok"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A process that was just started: it believes nothing and does not leave."""
    made = Clock()
    monkeypatch.setattr(readiness, "_migrated", readiness.Migrated(made))
    monkeypatch.setattr(readiness, "_leaving", threading.Event())
    return made


def forget_a_migration():
    MigrationRecorder.Migration.objects.filter(app="prebuilds", name="0009_mails").delete()


def test_it_is_ready_when_the_database_is_up_to_date(anonymous):
    response = anonymous.get(URL)

    assert (response.status_code, response.json()) == (200, WELL)


def test_a_migration_that_is_missing_keeps_traffic_away_until_it_is_applied(anonymous):
    recorder = MigrationRecorder(connection)
    forget_a_migration()

    missing = anonymous.get(URL)
    recorder.record_applied("prebuilds", "0009_mails")
    mended = anonymous.get(URL)

    assert missing.status_code == 503
    assert missing.json() == WELL | {"status": "failing", "migrations": "missing"}
    assert (mended.status_code, mended.json()) == (200, WELL)


def test_a_look_at_the_migrations_is_believed_for_a_minute_and_no_longer(anonymous, clock):
    anonymous.get(URL)
    forget_a_migration()

    clock.now = readiness.BELIEVED_SECONDS - 1
    believed = anonymous.get(URL)
    clock.now = readiness.BELIEVED_SECONDS
    looked = anonymous.get(URL)

    assert (believed.status_code, looked.status_code) == (200, 503)


def test_a_process_that_leaves_says_so(anonymous):
    readiness.refuse_traffic()

    response = anonymous.get(URL)

    assert response.status_code == 503
    assert response.json() == WELL | {"status": "failing", "process": "stopping"}


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize("asked_before", [False, True])
def test_a_database_that_does_not_answer_is_said_and_nothing_else(
    anonymous, monkeypatch, error, asked_before
):
    def refuse(*args):
        raise error("connection to host db.internal as user prebuilds:hunter2 failed")

    if asked_before:
        anonymous.get(URL)
    monkeypatch.setattr(schema_state, "pending_migrations", refuse)
    monkeypatch.setattr(type(connections["default"]), "is_usable", refuse)
    response = anonymous.get(URL)

    assert response.status_code == 503
    assert response.json() == {
        "status": "failing",
        "process": "ok",
        "database": "unreachable",
        "migrations": "unknown",
    }


def test_a_connection_that_has_died_is_no_database(anonymous, monkeypatch):
    anonymous.get(URL)
    monkeypatch.setattr(type(connections["default"]), "is_usable", lambda self: False)

    assert anonymous.get(URL).json()["database"] == "unreachable"


def test_it_asks_twice_at_first_and_then_next_to_nothing(anonymous, django_assert_num_queries):
    with django_assert_num_queries(2):
        anonymous.get(URL)
    with django_assert_num_queries(0):  # a ping below Django's notice
        again = anonymous.get(URL)

    assert again.status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
def test_a_probe_from_beside_us_needs_no_tls_no_session_and_no_allowance(anonymous, settings, path):
    settings.SECURE_SSL_REDIRECT = True
    settings.PREBUILDS_API_RATE = 1

    responses = [anonymous.get(path) for _ in range(3)]

    assert {response.status_code for response in responses} <= {200, 503}
    assert not any(response.cookies for response in responses)
    assert all("no-store" in response["Cache-Control"] for response in responses)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(anonymous, method):
    assert getattr(anonymous, method)(URL).status_code == 405


def test_head_answers_the_same_without_a_body(anonymous):
    response = anonymous.head(URL)

    assert (response.status_code, response.content) == (200, b"")
