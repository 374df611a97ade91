"""The id of a request: on the answer, in the log, and told to a person when we break."""

import asyncio
import json

import pytest

from config.asgi import application
from config.logs import JsonFormatter
from prebuilds.api import reinit
from tests.api.test_reinit import _clean_up

__all__ = ["_clean_up"]

pytestmark = pytest.mark.django_db(transaction=True)

GIVEN = b"proxy-7f3d.1"


@pytest.fixture
def lines(caplog):
    caplog.handler.setFormatter(JsonFormatter())
    return lambda: [json.loads(line) for line in caplog.text.splitlines()]


async def get(path, *headers):
    """Return status, headers and body of an answer, as a server would carry it."""
    sent, asked = [], asyncio.Event()

    async def receive():
        if asked.is_set():
            await asyncio.Event().wait()
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
        "headers": [(b"host", b"127.0.0.1"), *headers],
    }
    await asyncio.wait_for(application(scope, receive, send), 10)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    told = {name.lower(): value for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, body


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sign-in/", 200), ("/api/v2/users/me", 401), ("/nowhere", 404), (reinit.PATH, 401)],
)
async def test_every_answer_carries_it_served_by_django_or_beside_it(path, status):
    answered, headers, _ = await get(path, (b"x-request-id", GIVEN))

    assert (answered, headers[b"x-request-id"]) == (status, GIVEN)


async def test_a_line_written_for_a_request_has_it(lines):
    await get("/api/v2/users/me", (b"x-request-id", GIVEN))

    (line,) = [one for one in lines() if one["logger"] == "django.request"]
    assert line["request_id"] == GIVEN.decode()
    assert line["message"] == "Unauthorized: /api/v2/users/me"


def fail(*_, **__):
    raise RuntimeError("broken; password=hunter2")


async def test_a_broken_page_shows_it_and_the_log_finds_it_without_the_secret(lines, monkeypatch):
    monkeypatch.setattr("prebuilds.dashboard.sign_in.views.SignIn.dispatch", fail)

    status, headers, body = await get("/sign-in/", (b"x-request-id", GIVEN))

    assert (status, headers[b"x-request-id"]) == (500, GIVEN)
    assert f">{GIVEN.decode()}</code>" in body.decode()
    (line,) = [one for one in lines() if one["level"] == "ERROR"]
    assert line["request_id"] == GIVEN.decode()
    assert "RuntimeError: broken; password=(hidden)" in line["exception"]


async def test_a_broken_call_answers_it_in_the_one_shape(monkeypatch):
    monkeypatch.setattr("prebuilds.api.authentication.TokenAuthentication.authenticate", fail)

    status, headers, body = await get("/api/v2/users/me", (b"x-request-id", GIVEN))

    assert (status, headers[b"content-type"]) == (500, b"application/json")
    assert json.loads(body) == {
        "message": f"Something broke on our side. The request's id is {GIVEN.decode()}.",
        "detail": "",
        "validations": [],
    }
