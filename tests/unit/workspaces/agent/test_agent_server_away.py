"""The agent and a server that is away, slow, or claims the workspace."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.unit.workspaces.agent.agent_server import AgentServer, claimed_event, wait_for
from tests.unit.workspaces.agent.conftest import AgentProcess
from workspaces.agent import client as client_room
from workspaces.agent.client import Client, Delay, Refused, Unreachable
from workspaces.agent.outbox import MOST_LINES, Outbox

WHICH = "import sys; print(sys.executable if sys.version_info[:2] == (3, 9) else '')"


def start_warm(server, agent, script="echo owner $WORKSPACE_OWNER"):
    server.manifest["startup_script"] = script
    agent.start(server)
    wait_for(lambda: server.states == ["starting", "ready"])
    wait_for(lambda: server._streams)


def test_a_claim_starts_once_more_as_the_new_owner(server, agent):
    start_warm(server, agent)
    pid = agent.process.pid

    server.claim("alice-id")

    wait_for(lambda: server.states == ["starting", "ready"] * 2)
    agent.wait_for_state("ready", generation=2)
    assert agent.status["owner_id"] == "alice-id"
    wait_for(lambda: server.lines == ["owner prebuilds", "owner alice"])
    assert server.tokens == {"the-token"}
    assert agent.process.poll() is None
    assert agent.process.pid == pid


def test_after_a_claim_it_stops_asking(server, agent):
    start_warm(server, agent)
    server.claim("alice-id")
    agent.wait_for_state("ready", generation=2)
    asked = server.reinit_requests

    server.events(claimed_event("bob-id"), None)
    agent.terminate()

    assert server.reinit_requests == asked
    assert agent.status["generation"] == 2


def test_the_same_owner_twice_is_ignored(server, agent):
    start_warm(server, agent)

    threads = psutil.Process(agent.process.pid).num_threads()
    server.events(claimed_event("system"))
    wait_for(lambda: psutil.Process(agent.process.pid).num_threads() == threads - 1)
    agent.terminate()

    assert agent.status["generation"] == 1
    assert server.states == ["starting", "ready", "shutting_down"]


def test_pings_errors_and_nonsense_start_nothing(server, agent):
    start_warm(server, agent)

    server.events("event: ping\n\n", "event: data\ndata: {]\n\n", ": comment\n\n")
    server.events("event: error\ndata: {}\n\n", None)
    wait_for(lambda: server.reinit_requests >= 2)

    assert agent.status["generation"] == 1
    assert agent.process.poll() is None


def test_a_closed_stream_is_opened_again(server, agent):
    start_warm(server, agent)
    server.events(None)
    wait_for(lambda: server.reinit_requests >= 2 and len(server._streams) >= 2)

    server.claim("alice-id")

    agent.wait_for_state("ready", generation=2)


def test_409_ends_asking_for_ever(server, agent):
    server.reinit_status = 409
    agent.start(server)
    wait_for(lambda: server.states == ["starting", "ready"])
    wait_for(lambda: server.reinit_requests == 1)

    server.manifest["startup_script"] = "never run"
    agent.terminate()

    assert server.reinit_requests == 1


def test_a_server_that_comes_back_gets_everything_in_order(server, agent):
    script = "while [ ! -e go ]; do sleep 0.05; done; seq 1 50"
    server.manifest["startup_script"] = script
    agent.start(server)
    wait_for(lambda: server.states == ["starting"])
    server.stop()

    (agent.work / "go").touch()
    agent.wait_for_state("ready")
    server.restart()

    wait_for(lambda: server.states == ["starting", "ready"], 20)
    wait_for(lambda: server.lines == [str(number) for number in range(1, 51)], 20)


def test_a_claim_after_a_server_restart_still_arrives(server, agent):
    start_warm(server, agent)
    server.stop()
    server.restart()
    wait_for(lambda: server._streams, 20)

    server.claim("alice-id")

    agent.wait_for_state("ready", generation=2)


@pytest.mark.parametrize("status", [401, 503])
def test_a_server_that_refuses_at_first_is_asked_again_quickly(server, agent, status):
    server.status = status
    agent.start(server)
    wait_for(lambda: server.manifest_requests >= 3, 5)

    server.status = None

    wait_for(lambda: server.states == ["starting", "ready"], 5)


def test_a_report_the_server_will_never_take_does_not_hold_back_the_next(server):
    refused = {"states": 0}

    class Picky(Client):
        def send(self, method, path, body=None, **options):
            if path == "/logs":
                refused["states"] += 1
                raise Refused(400)
            return super().send(method, path, body, **options)

    outbox = Outbox(Picky(server.url, "t"))
    outbox.put_line("bad")
    outbox.start()
    wait_for(lambda: refused["states"] == 1)
    outbox.put_state("ready")

    wait_for(lambda: server.states == ["ready"])
    assert outbox.flush(1)


def test_the_queue_of_lines_is_bounded_and_says_what_was_lost():
    outbox = Outbox(Client("http://127.0.0.1:1", "t"))

    for number in range(MOST_LINES + 5):
        outbox.put_line(str(number))
    outbox._lines.popleft()
    outbox._lines.popleft()
    outbox.put_line("after")

    texts = [line["output"] for line in outbox._lines]
    assert texts[-2:] == ["[5 lines were lost: the server could not keep up]", "after"]
    assert len(texts) <= MOST_LINES


def test_minutes_of_nothing_but_401_mean_that_the_workspace_is_gone(server, monkeypatch):
    revoked = []
    client = Client(server.url, "t", on_revoked=lambda: revoked.append(1))
    server.status = 401
    with pytest.raises(Refused):
        client.fetch_manifest()
    assert not revoked

    monkeypatch.setattr(client_room, "REVOKED_AFTER", 0.0)
    with pytest.raises(Refused):
        client.fetch_manifest()

    assert revoked


def test_another_answer_in_between_starts_the_count_anew(server, monkeypatch):
    client = Client(server.url, "t")
    server.status = 401
    with pytest.raises(Refused):
        client.fetch_manifest()
    server.status = None

    client.fetch_manifest()

    assert client._refused_since is None


def test_a_manifest_without_its_fields_is_no_manifest(server):
    server.manifest = {"nothing": "useful"}

    with pytest.raises(Unreachable, match="makes no sense"):
        Client(server.url, "t").fetch_manifest()


def test_delays_double_up_to_the_most():
    delay = Delay(0.1, 1.0)

    seconds = [delay.next() for _ in range(6)]

    assert all(
        0.75 * most <= got <= most
        for got, most in zip(seconds, [0.1, 0.2, 0.4, 0.8, 1, 1], strict=True)
    )
    delay.reset()
    assert delay.next() <= 0.1


def test_its_syntax_is_that_of_the_oldest_python_it_promises():
    for module in Path(client_room.__file__).parent.glob("*.py"):
        ast.parse(module.read_text(), feature_version=(3, 9))


def test_it_runs_with_the_oldest_python_it_promises(server, tmp_path):
    command = [shutil.which("python3.9") or sys.executable, "-c", WHICH]
    python = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not python:
        pytest.skip("no Python 3.9 here")
    agent = AgentProcess(tmp_path / "w1", python=python)
    try:
        agent.start(server)
        wait_for(lambda: server.states == ["starting", "ready"])
    finally:
        agent.end()


def test_a_server_that_is_not_there_yet_is_waited_for(agent):
    first = AgentServer()
    first.stop()
    agent.start(first)
    wait_for(lambda: "refused" in agent.status.get("message", "").lower())

    first.restart()

    wait_for(lambda: first.states == ["starting", "ready"], 5)
    first.stop()
