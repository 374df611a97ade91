"""Every address and method × everybody who could ask, against the table in `matrix`."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.urls import get_resolver
from django.urls.resolvers import URLResolver

from tests.api.listening import stop_hub
from tests.api.matrix import (
    ADMIN_ROWS,
    API_ROWS,
    CALLERS,
    PAGE_ROWS,
    READ_TOKEN_MAY,
    SHARED_BY_ALL,
    STATUSES,
    Row,
)
from tests.api.requests_of_matrix import ask_api, ask_page
from tests.api.world import World, build_world, read_status

API = "api/v2/"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
UNSAFE = METHODS[1:]
OWNER = CALLERS.index("owner")
WRONG = {"nonsense": "\N{SNOWMAN}"}
IN_DATABASE = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    caplog.set_level(logging.CRITICAL, "django.request")  # some thousand refusals are as meant
    yield build_world()
    stop_hub()


def routes(patterns: Iterable[Any], before: str = "") -> Iterator[str]:
    """Walk everything that answers, but what the admin makes of each model."""
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver) and route != "admin/":
            yield from routes(each.url_patterns, route)
        elif not isinstance(each, URLResolver):
            yield route


def ask(world: World, caller: str, row: Row, **words: Any) -> Any:
    """Send one request and take back whatever it did; return its status and body."""
    isolated = transaction.atomic()
    isolated._from_testcase = True  # a service may insist on the outermost transaction
    with isolated:
        client = world.client(caller, by_session=not row.is_api)
        send = ask_api if row.is_api else ask_page
        response = send(world, client, row.method, row.route, **words)
        transaction.set_rollback(True)
    return response


def verdict(row: Row, response: Any) -> str:
    """Return the letter of the table that this response is."""
    status = read_status(response)
    if status == 302 and "/?next=" in response["Location"]:
        return ">"
    return "." if status == row.status else STATUSES.get(status, f"<{status}>")


def differences(world: World, rows: Iterable[Row]) -> list[str]:
    """Ask for every row as everybody; return the lines that are not as the table has them."""
    wrong = []
    for row in rows:
        found = [verdict(row, ask(world, caller, row)) for caller in CALLERS]
        if found != list(row.verdicts):
            wrong.append(f"{row.method} {row.route}: {row.said}, found {row.write(found)}")
    return wrong


@pytest.mark.timeout(180)
@IN_DATABASE
@pytest.mark.parametrize("method", METHODS)
def test_the_api_answers_everybody_as_the_table_says(world: World, method: str) -> None:
    wrong = differences(world, [row for row in API_ROWS if row.method == method])

    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(180)
@IN_DATABASE
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_pages_answer_everybody_as_the_table_says(world: World, method: str) -> None:
    wrong = differences(world, [row for row in PAGE_ROWS if row.method == method])

    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(180)
@IN_DATABASE
def test_the_admin_answers_everybody_as_the_table_says(world: World) -> None:
    wrong = differences(world, ADMIN_ROWS)

    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(180)
@IN_DATABASE
def test_a_method_without_a_row_is_not_possible(world: World) -> None:
    offered = methods_by_route([*API_ROWS, *PAGE_ROWS])
    callers = {"workspaceagents/me": "agent", "provisioner/": "key", "sign-in/": "anonymous"}

    for route, methods in offered.items():
        row = next(each for each in [*API_ROWS, *PAGE_ROWS] if each.whole == route)
        caller = next((callers[name] for name in callers if row.route.startswith(name)), "owner")
        for method in set(METHODS) - methods:
            response = ask(world, caller, row.with_method(method))
            assert read_status(response) == 405, f"{method} {route}"


@pytest.mark.timeout(180)
@IN_DATABASE
def test_nobody_learns_by_a_bad_body_what_they_may_not_do(world: World) -> None:
    wrong = []

    for row in API_ROWS:
        for caller, meant in zip(CALLERS, row.verdicts, strict=True):
            if row.method in UNSAFE and meant in "134" and not row.is_decided_by_body:
                found = verdict(row, ask(world, caller, row, body=WRONG))
                if found != meant:
                    wrong.append(f"{row.method} {row.route} as {caller}: {meant}, found {found}")

    assert wrong == []


@IN_DATABASE
def test_a_stranger_finds_no_word_of_another_organization(world: World) -> None:
    names = ("organization", "workspace", "build", "agent", "template", "version", "preset")
    names += ("group", "token", "daemon", "key", "job", "people/user")
    secrets = [str(world.fill[name]) for name in names]
    told = []

    for row in [*API_ROWS, *PAGE_ROWS, *ADMIN_ROWS]:
        meant = row.verdicts[CALLERS.index("stranger")]
        if row.method == "GET" and meant == ".":
            response = ask(world, "stranger", row)
            text = "" if response.streaming else response.content.decode()
            told += [f"{row.route}: {secret}" for secret in secrets if secret in text]

    assert told == []


def test_every_address_has_a_row() -> None:
    walked = set(routes(get_resolver().url_patterns))

    assert {row.whole for row in [*API_ROWS, *PAGE_ROWS]} == walked


def test_every_model_of_the_admin_has_a_row() -> None:
    models = {f"admin/{m._meta.app_label}/{m._meta.model_name}/" for m in admin.site._registry}

    assert {row.route for row in ADMIN_ROWS} == models | {"admin/"}


def test_a_token_to_read_changes_nothing() -> None:
    for row in API_ROWS:
        if row.method in UNSAFE and row.status < 404 and row.verdicts[OWNER] == ".":
            meant = row.verdicts[CALLERS.index("read-token")]
            assert meant == ("." if row.route in READ_TOKEN_MAY else "3"), row.route


def test_what_has_an_id_does_not_exist_for_a_stranger() -> None:
    for row in [*API_ROWS, *PAGE_ROWS]:
        if "<" in row.route and row.route not in SHARED_BY_ALL:
            meant = row.verdicts[CALLERS.index("stranger")]
            assert meant == ("1" if row.is_for_machines else "4"), row.route


def methods_by_route(rows: Iterable[Row]) -> dict[str, set[str]]:
    offered: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        offered[row.whole].add(row.method)
    return offered
