"""The daemon's twin far from the database, against a real server on loopback."""

import json
import socket
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest

from tests.unit.workspaces.provisioner.conftest import make_job
from workspaces.errors import LeaseLost
from workspaces.protocol import AgentReport, BuildResult, DaemonProfile, LogLine, ResourceReport
from workspaces.provisioner import http_transport
from workspaces.provisioner.http_transport import HttpTransport, RequestRefused
from workspaces.provisioner.transport import KeyRefused, TransportUnavailable

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
PROFILE = DaemonProfile(
    name="d",
    hostname="h",
    version="1",
    provisioner_types=["local"],
    tags={"a": "b"},
    concurrency=2,
    machine="m-1",
)
DROP, HANG, CUT = "drop", "hang", "cut"
"""What the server may do instead of answering."""


class Server:
    """Answers as it is told and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.answers = {}
        self.hanging = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = _Http(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def will(self, verb, *answers):
        """Answer a verb with these, in order; the last for ever."""
        self.answers[verb] = list(answers)

    def answer(self, verb):
        prepared = self.answers.get(verb, [(204, None)])
        return prepared.pop(0) if len(prepared) > 1 else prepared[0]

    def said(self, verb):
        return [body for path, body, _ in self.asked if path.rpartition("/")[2] == verb]

    def stop(self):
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the client went away


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.asked.append((self.path, body, dict(self.headers)))
        answer = self.owner.answer(self.path.rpartition("/")[2])
        if answer == DROP:
            return
        if answer == HANG:
            self.owner.hanging.set()
            self.connection.recv(1)  # until the client hangs up
            return
        status, content = answer if answer != CUT else (200, {"cut": "off"})
        raw = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw) + (answer == CUT)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    server.will("daemons", (201, {"id": str(uuid4()), "tags": {}}))
    yield server
    server.stop()


@pytest.fixture
def transport(server):
    transport = HttpTransport(url=server.url + "/", key="the-key")
    transport.register(PROFILE)
    return transport


def error(message="no", detail="", validations=()):
    return {"message": message, "detail": detail, "validations": list(validations)}


LOST = (409, error("This job is no longer yours.", "lease_lost"))
LINE = LogLine(at=NOW, level="info", stage="build", output="hello")
RESOURCES = [ResourceReport(name="w", type="t", agents=[AgentReport(name="main", token="secret")])]
CALLS = {
    "heartbeat": lambda t, job: t.heartbeat(job),
    "logs": lambda t, job: t.append_logs(job, [LINE]),
    "resources": lambda t, job: t.report_resources(job, RESOURCES),
    "complete": lambda t, job: t.complete(job, BuildResult(provisioner_state={"a": 1})),
    "fail": lambda t, job: t.fail(job, error="no\x00", code="driver_error"),
    "finish-canceled": lambda t, job: t.finish_canceled(job),
    "release": lambda t, job: t.release(job),
}


def test_a_daemon_shows_its_key_and_introduces_itself(server, transport):
    path, body, headers = server.asked[0]

    assert path == "/api/v2/provisioner/daemons"
    assert headers["Authorization"] == "Bearer the-key"
    assert body == asdict(PROFILE)


@pytest.mark.parametrize("verb", CALLS)
def test_every_word_about_a_job_carries_daemon_and_lease(server, transport, verb):
    job = make_job()
    server.will("heartbeat", (200, {"cancel": False}))

    CALLS[verb](transport, job)

    path, body, _ = server.asked[-1]
    assert path == f"/api/v2/provisioner/jobs/{job.job_id}/{verb}"
    assert body["lease"] == str(job.lease)
    assert body["daemon_id"] == transport._daemon_id


def test_what_a_build_leaves_behind_arrives_whole(server, transport):
    result = BuildResult(provisioner_state={"directory": "/x"}, resources=RESOURCES)

    transport.complete(make_job(), result)

    (said,) = server.said("complete")
    assert said["provisioner_state"] == {"directory": "/x"}
    assert said["resources"] == [
        {"name": "w", "type": "t", "agents": [{"name": "main", "token": "secret"}]}
    ]


@pytest.mark.parametrize("cancel", [True, False])
def test_a_heartbeat_tells_whether_to_stop(server, transport, cancel):
    server.will("heartbeat", (200, {"cancel": cancel}))

    assert transport.heartbeat(make_job()) is cancel


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("answer", [LOST, (404, error()), (401, error())], ids=lambda a: str(a[0]))
def test_a_lost_lease_an_unknown_job_and_a_refused_key_all_end_the_work(
    server, transport, verb, answer
):
    server.will(verb, answer)

    with pytest.raises(LeaseLost):
        CALLS[verb](transport, make_job())


AWAY = [DROP, CUT, (500, None), (502, error()), (503, error()), (429, error()), (408, error())]


@pytest.mark.parametrize("verb", [*CALLS, "touch", "acquire", "reap"])
@pytest.mark.parametrize("answer", AWAY, ids=str)
def test_a_server_in_trouble_is_unavailable(server, transport, verb, answer):
    server.will(verb, answer)

    with pytest.raises(TransportUnavailable) as caught:
        _say(transport, verb)

    assert not isinstance(caught.value, KeyRefused)


def _say(transport, verb):
    if verb in CALLS:
        return CALLS[verb](transport, make_job())
    return transport.acquire(wait=0) if verb == "acquire" else getattr(transport, verb)()


def test_a_server_that_is_not_there_is_unavailable():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with pytest.raises(TransportUnavailable):
        HttpTransport(url=f"http://127.0.0.1:{port}", key="k").register(PROFILE)


def test_a_server_that_never_answers_is_unavailable(server, transport, monkeypatch):
    monkeypatch.setattr(http_transport, "TIMEOUT", 0.2)
    server.will("touch", HANG)

    with pytest.raises(TransportUnavailable, match="timed out"):
        transport.touch()


def test_it_works_again_as_soon_as_the_server_does(server, transport):
    server.will("touch", DROP, (503, error()), (204, None))
    for _ in range(2):
        with pytest.raises(TransportUnavailable):
            transport.touch()

    transport.touch()

    assert len(server.said("touch")) == 3


@pytest.mark.parametrize("verb", ["touch", "acquire", "reap"])
def test_a_refused_key_is_told_apart(server, transport, verb):
    server.will(verb, (401, error("This provisioner key is unknown or revoked.")))

    with pytest.raises(KeyRefused, match="unknown or revoked"):
        _say(transport, verb)


def test_a_refusal_names_the_field(server, transport):
    server.will("daemons", (400, error("No.", validations=[{"field": "tags", "detail": "bad"}])))

    with pytest.raises(RequestRefused, match=r"400: No\. tags: bad"):
        transport.register(PROFILE)


def test_a_redirect_is_refused_and_not_followed(server, transport):
    server.will("touch", (301, None))

    with pytest.raises(RequestRefused, match="301"):
        transport.touch()


def test_a_daemon_the_server_has_forgotten_introduces_itself_anew(server, transport):
    server.will("touch", (404, error()), (204, None))

    transport.touch()

    assert len(server.said("daemons")) == 2


class TestAcquire:
    def told(self, job):
        return 200, json.loads(json.dumps(asdict(job), default=str))

    def test_a_job_arrives_as_the_server_told_it(self, server, transport):
        job = make_job(parameters={"a": "b"}, source_files={"x": "y"}, provisioner_state={"n": 1})
        server.will("acquire", self.told(job))

        assert transport.acquire(wait=3) == job
        assert server.said("acquire")[0]["wait_seconds"] == 3

    def test_what_a_newer_server_adds_does_no_harm(self, server, transport):
        status, words = self.told(make_job())
        server.will("acquire", (status, words | {"novelty": 1}))

        assert transport.acquire(wait=0) is not None

    def test_a_server_that_tells_of_no_trace_is_understood(self, server, transport):
        status, words = self.told(job := make_job())
        del words["traceparent"]
        server.will("acquire", (status, words))

        assert transport.acquire(wait=0) == job

    def test_what_an_older_server_leaves_out_is_said(self, server, transport):
        server.will("acquire", (200, {"job_id": str(uuid4())}))

        with pytest.raises(RequestRefused, match="other words"):
            transport.acquire(wait=0)

    def test_no_job_is_nothing(self, server, transport):
        assert transport.acquire(wait=0) is None

    def test_after_a_broken_answer_it_asks_with_the_same_lease(self, server, transport):
        job = make_job()
        server.will("acquire", DROP, CUT, (500, None), self.told(job), (204, None))

        for _ in range(3):
            with pytest.raises(TransportUnavailable):
                transport.acquire(wait=0)
        assert transport.acquire(wait=0) == job
        transport.acquire(wait=0)

        leases = [each["lease"] for each in server.said("acquire")]
        assert len(set(leases[:4])) == 1
        assert leases[4] != leases[0]

    def test_an_interrupt_ends_the_wait_at_once(self, server, transport):
        server.will("acquire", HANG)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(transport.acquire(wait=25)))
        waiting.start()
        assert server.hanging.wait(5)
        started = time.monotonic()

        transport.interrupt()

        waiting.join(5)
        assert answers == [None]
        assert time.monotonic() - started < 2

    def test_after_an_interrupt_it_does_not_wait_again(self, server, transport):
        server.will("acquire", HANG)
        transport.interrupt()

        assert transport.acquire(wait=25) is None
        assert server.said("acquire") == []

    def test_a_farewell_names_the_lease_that_was_never_answered(self, server, transport):
        server.will("acquire", DROP)
        with pytest.raises(TransportUnavailable):
            transport.acquire(wait=0)

        transport.goodbye()

        assert server.said("goodbye") == [{"lease": server.said("acquire")[0]["lease"]}]

    def test_without_one_a_farewell_is_short(self, server, transport):
        transport.acquire(wait=0)
        server.will("goodbye", (404, error()))

        transport.goodbye()

        assert server.said("goodbye") == [{}]


def test_a_long_log_goes_in_several_requests_in_order(server, transport, monkeypatch):
    monkeypatch.setattr(http_transport, "LOG_BATCH", 100)
    lines = [
        LogLine(at=NOW, level="info", stage="s", output=f"{number} " + "x" * 40)
        for number in range(7)
    ]

    transport.append_logs(make_job(), lines)

    batches = server.said("logs")
    assert len(batches) > 2
    assert [line["output"] for batch in batches for line in batch["lines"]] == [
        line.output for line in lines
    ]


def test_an_error_too_long_to_be_kept_is_sent_as_its_end(server, transport):
    transport.fail(make_job(), error="a" * 10_000 + "the end", code="driver_error")

    (said,) = server.said("fail")
    assert len(said["error"]) == 8_000
    assert said["error"].endswith("the end")


def test_the_key_is_in_no_error(server, transport):
    server.will("touch", (400, error("no")))
    transport_, words = HttpTransport(url="http://127.0.0.1:1", key="very-secret"), []

    for call in (transport.touch, lambda: transport_.register(PROFILE)):
        with pytest.raises((RequestRefused, TransportUnavailable)) as caught:
            call()
        words.append(str(caught.value))

    assert not any("secret" in each or "the-key" in each for each in words)
