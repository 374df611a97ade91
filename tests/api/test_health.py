"""GET /healthz: 200 only while the database answers and cycles complete; it needs no sign-in."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from prebuilds import selectors
from prebuilds.models import ReconcileRun

pytestmark = pytest.mark.django_db

URL = "/healthz"


def make_run(age, **fields):
    """Make a cycle that was completed so long ago."""
    at = timezone.now() - age
    return ReconcileRun.objects.create(
        trigger="interval", **{"started_at": at, "completed_at": at, **fields}
    )


def answer_of(response):
    body = response.json()
    return response.status_code, body["status"], body["database"], body["last_cycle"]


def test_before_the_first_cycle_it_fails(anonymous):
    response = anonymous.get(URL)

    assert response.status_code == 503
    assert response.json() == {
        "status": "failing",
        "database": "ok",
        "last_cycle": "none yet",
        "last_cycle_age_seconds": None,
    }


@pytest.mark.parametrize(
    ("interval", "age", "status", "word"),
    [
        (60, 0, 200, "ok"),
        (60, 175, 200, "ok"),
        (60, 181, 503, "stale"),
        (60, 86400, 503, "stale"),
        (600, 1790, 200, "ok"),
        (600, 1801, 503, "stale"),
        (1, 175, 200, "ok"),
        (1, 181, 503, "stale"),
    ],
)
def test_it_is_well_for_three_intervals_and_at_least_three_minutes(
    anonymous, settings, interval, age, status, word
):
    settings.PREBUILDS_RECONCILIATION_INTERVAL = timedelta(seconds=interval)
    make_run(timedelta(seconds=age))

    response = anonymous.get(URL)

    overall = "ok" if status == 200 else "failing"
    assert answer_of(response) == (status, overall, "ok", word)
    assert age <= response.json()["last_cycle_age_seconds"] < age + 5


def test_the_newest_completed_cycle_counts(anonymous):
    make_run(timedelta(hours=1))
    make_run(timedelta(seconds=5))
    make_run(timedelta(hours=2))

    assert anonymous.get(URL).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [{"completed_at": None}, {"lock_acquired": False}],
    ids=["cut off", "another held the lock"],
)
def test_a_cycle_that_did_not_happen_is_no_sign_of_life(anonymous, fields):
    make_run(timedelta(seconds=5), **fields)

    assert answer_of(anonymous.get(URL)) == (503, "failing", "ok", "none yet")


def test_a_paused_cycle_is_one(anonymous):
    make_run(timedelta(seconds=5), paused=True)

    assert anonymous.get(URL).status_code == 200


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_does_not_answer_is_said_and_nothing_else(anonymous, monkeypatch, error):
    def refuse():
        raise error("connection to host db.internal as user prebuilds:hunter2 failed")

    monkeypatch.setattr(selectors, "last_cycle_at", refuse)
    response = anonymous.get(URL)

    assert response.status_code == 503
    assert response.json() == {
        "status": "failing",
        "database": "unreachable",
        "last_cycle": "unknown",
        "last_cycle_age_seconds": None,
    }


def test_a_mistake_of_ours_is_not_taken_for_a_database_that_is_away(anonymous, monkeypatch):
    def mistake():
        raise ValueError("ours")

    monkeypatch.setattr(selectors, "last_cycle_at", mistake)

    with pytest.raises(ValueError, match="ours"):
        anonymous.get(URL)


@pytest.mark.parametrize(("age", "status"), [(5, 200), (3600, 503)])
def test_head_answers_the_same_without_a_body(anonymous, age, status):
    make_run(timedelta(seconds=age))

    response = anonymous.head(URL)

    assert (response.status_code, response.content) == (status, b"")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(anonymous, method):
    response = getattr(anonymous, method)(URL)

    assert response.status_code == 405
    assert {one.strip() for one in response["Allow"].split(",")} == {"GET", "HEAD"}


def test_it_is_one_small_statement_whoever_asks(anonymous, django_assert_num_queries):
    make_run(timedelta(seconds=5))

    with django_assert_num_queries(1):
        response = anonymous.get(URL)

    assert response.status_code == 200
    assert "Location" not in response


def test_nobody_keeps_the_answer_and_it_sets_no_cookie(anonymous):
    response = anonymous.get(URL)

    assert "no-store" in response["Cache-Control"]
    assert response["Content-Type"] == "application/json"
    assert not response.cookies


def test_it_tells_nothing_but_four_words(anonymous):
    make_run(timedelta(seconds=5), error="Traceback: password hunter2")

    response = anonymous.get(URL)

    assert set(response.json()) == {"status", "database", "last_cycle", "last_cycle_age_seconds"}
    assert "hunter2" not in response.text
