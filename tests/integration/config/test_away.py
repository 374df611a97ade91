"""The answer while the database is away, by who asked and when; no answer touches the database.

That a real server that is stopped leads here is in tests/acceptance/test_database_away.py.
"""

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from psycopg import errors

from accounts.services import sign_in
from prebuilds.dashboard.base import sessions
from prebuilds.dashboard.runs import queries
from tests.integration.prebuilds.dashboard.house import PASSWORD, build_house

pytestmark = pytest.mark.django_db

PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FRAGMENT = {"hx-request": "true", "accept": "text/html"}
STREAM = {"accept": "text/event-stream"}
SHAPE = {
    "message": "The database does not answer. Try again in a moment.",
    "detail": "",
    "validations": [],
}


@pytest.fixture
def browser():
    house = build_house()
    client = Client(raise_request_exception=False)
    client.force_login(house.admin)
    return client


@pytest.fixture
def lose(monkeypatch):
    """Let whatever reads a session, or the named thing, find the connection lost."""

    def lose(name="load", *, at=sessions.SessionStore, error=None):
        def fail(*_, **__):
            raise error or OperationalError("server closed the connection; password=hunter2")

        monkeypatch.setattr(at, name, fail)

    return lose


@pytest.mark.parametrize("path", ["/", "/cycles/", "/account/", "/admin/", "/cycles/?format=csv"])
def test_a_page_says_that_nothing_was_changed_and_tries_again_by_itself(browser, lose, path):
    lose()

    page = browser.get(path, headers=PAGE)

    assert (page.status_code, page["Retry-After"], page["Refresh"]) == (503, "5", "5")
    assert page["Cache-Control"] == "no-store"
    assert "The database cannot be reached" in page.text
    assert "Nothing was changed" in page.text
    assert "tries again by itself" in page.text
    assert f'href="{path}"' in page.text
    assert "hunter2" not in page.text


def test_it_needs_no_statement_and_no_script_of_its_own(browser, lose, django_assert_num_queries):
    lose()

    with django_assert_num_queries(0):
        page = browser.get("/", headers=PAGE)

    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "http-equiv" not in page.text


def test_an_address_that_looks_like_a_host_stays_on_this_one(browser, lose):
    lose()

    page = browser.get("/", headers=PAGE, PATH_INFO="//evil.example/")

    assert 'href="/%2Fevil.example/"' in page.text


@pytest.mark.parametrize("headers", [FRAGMENT, STREAM, {"accept": "*/*"}])
def test_a_fragment_a_stream_and_a_program_get_a_line(browser, lose, headers):
    lose()

    answer = browser.get("/cycles/table", headers=headers)

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == "The database does not answer. Try again in a moment.\n"
    assert "Refresh" not in answer


def test_a_call_by_session_gets_the_one_shape(browser, lose):
    lose()

    answer = browser.get("/api/v2/users/me", headers=PAGE)

    assert (answer.status_code, answer["Retry-After"], answer.json()) == (503, "1", SHAPE)


def test_what_was_sent_before_any_view_began_was_not_saved_and_is_never_sent_again(browser, lose):
    lose()

    page = browser.post("/account/", {"name": "Ana"}, headers=PAGE)

    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert "Refresh" not in page
    assert "Nothing was changed: what you sent was not saved" in page.text
    assert 'href="/account/"' not in page.text


def test_what_was_sent_to_a_view_that_lost_the_connection_may_have_been_saved(lose):
    build_house()
    lose("open_session", at=sign_in)

    page = Client(raise_request_exception=False).post(
        "/sign-in/", {"username": "ana", "password": PASSWORD}, headers=PAGE
    )

    assert page.status_code == 503
    assert "Refresh" not in page
    assert "Nothing was changed" not in page.text
    assert "look whether it was saved" in page.text


def test_a_stopped_statement_is_a_mistake_of_ours_and_stays_500(browser, lose):
    refused = OperationalError("canceling statement due to statement timeout")
    refused.__cause__ = errors.QueryCanceled("canceling statement due to statement timeout")
    lose("list_runs", at=queries, error=refused)

    page = browser.get("/cycles/", headers=PAGE)

    assert page.status_code == 500
    assert "Something broke on our side" in page.text


def test_a_session_that_cannot_be_saved_is_answered_alike(browser, lose):
    """It fails in a middleware of Django's, where only the handler of 500 sees it."""
    session = browser.session
    session[sessions.SEEN] = int(session[sessions.BEGAN]) - 61
    session.save()
    lose("save", error=InterfaceError("connection already closed"))

    page = browser.get("/account/", headers=PAGE)

    assert page.status_code == 503
    assert "The database cannot be reached" in page.text


@pytest.mark.parametrize("path", ["/", "/api/v2/users/me"])
def test_the_log_has_one_line_with_fixed_words(browser, lose, caplog, path):
    lose()

    browser.get(path, headers=PAGE)

    (line,) = caplog.records
    assert (line.name, line.levelname) == ("prebuilds.outages", "WARNING")
    assert line.getMessage() == "database does not answer"
    assert line.exc_info is None
