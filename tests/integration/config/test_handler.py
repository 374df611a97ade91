"""One change of threads a request: what runs where, and which views keep out of it."""

import asyncio
import sys
import threading

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from config.handler import OneHop, make_handler, waits

UUID = "5c24dad1-52f6-4591-8c24-dad152f64591"
SOON = 10
HOST = (b"host", b"127.0.0.1")

seen = []


class Recorder:
    """A middleware that could run either way, as most do."""

    sync_capable = async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        seen.append(threading.get_ident())
        response = self.get_response(request)
        seen.append(threading.get_ident())
        return response


def answer(request):
    seen.append(threading.get_ident())
    return HttpResponse("well", status=int(request.GET.get("status", "200")))


def fail(request):
    raise RuntimeError("no")


async def lines():
    for line in (b"one", b"two"):
        await asyncio.sleep(0)
        yield line


def stream(request):
    return StreamingHttpResponse(lines())


urlpatterns = [path("answer", answer), path("fail", fail), path("stream", stream)]


@pytest.fixture
def own_views(settings):
    """Serve the views of this module, behind three middlewares."""
    settings.MIDDLEWARE = [f"{__name__}.Recorder"] * 3
    settings.ROOT_URLCONF = sys.modules[__name__]
    seen.clear()


def scope_of(path, query=b"", **more):
    words = {"type": "http", "method": "GET", "headers": [HOST], "query_string": query}
    return {**words, "path": path, **more}


def ask(application, path, query=b""):
    """Send one request; return the status and the body."""

    async def talk():
        line = ApplicationCommunicator(application, scope_of(path, query))
        await line.send_input({"type": "http.request"})
        start = await line.receive_output(SOON)
        body, more = b"", True
        while more:
            message = await line.receive_output(SOON)
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await line.wait(SOON)
        return start["status"], body

    return asyncio.run(talk())


@pytest.mark.usefixtures("own_views")
def test_middleware_and_view_run_in_one_thread_that_is_not_the_loops():
    assert ask(OneHop(), "/answer") == (200, b"well")

    assert len(seen) == 7
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


@pytest.mark.usefixtures("own_views")
@pytest.mark.parametrize(
    ("path", "query", "status"),
    [("/answer", b"status=409", 409), ("/nowhere", b"", 404)],
)
def test_what_the_view_answers_is_what_is_sent(path, query, status):
    assert ask(OneHop(), path, query)[0] == status


@pytest.mark.usefixtures("own_views")
def test_a_view_that_fails_is_a_500():
    assert ask(OneHop(), "/fail")[0] == 500


@pytest.mark.usefixtures("own_views")
def test_a_stream_is_sent_piece_by_piece():
    assert ask(OneHop(), "/stream") == (200, b"onetwo")


WAITING = [
    (f"/api/v2/provisioner/daemons/{UUID}/acquire", True),
    ("/live/pools", True),
    ("/api/v2/users/me/workspaces", False),
    (f"/api/v2/provisioner/daemons/{UUID}/touch", False),
    ("/", False),
    ("/nowhere/at/all", False),
]


@pytest.mark.parametrize(("path", "expected"), WAITING)
def test_views_that_wait_stay_with_djangos_own_handler(path, expected):
    assert waits(scope_of(path)) is expected


def test_a_prefix_that_a_proxy_adds_is_no_part_of_the_address():
    acquire = f"/here/api/v2/provisioner/daemons/{UUID}/acquire"

    assert waits(scope_of(acquire, root_path="/here"))
    assert not waits(scope_of(acquire))


@pytest.mark.django_db(transaction=True)
def test_the_product_is_served_either_way():
    application = make_handler()

    assert ask(application, "/api/v2/workspaces")[0] == 401
    assert ask(application, "/live/pools")[0] == 401
