"""The agent's start-up: the script, its log, its end."""

import os
import signal
import stat
import time
from itertools import pairwise

from tests.unit.workspaces.agent.agent_server import wait_for


def test_a_start_is_reported_as_starting_then_ready(server, agent):
    server.manifest["startup_script"] = "echo hello"

    agent.start(server)

    wait_for(lambda: server.states == ["starting", "ready"])
    wait_for(lambda: server.lines == ["hello"])
    assert agent.status["state"] == "ready"
    assert agent.status["exit_code"] == 0
    assert server.tokens == {"the-token"}


def test_an_empty_script_is_ready_at_once(server, agent):
    server.manifest["startup_script"] = " \n"

    agent.start(server)

    wait_for(lambda: server.states == ["starting", "ready"])


def test_a_failing_script_is_a_start_error_with_its_exit_code(server, agent):
    server.manifest["startup_script"] = "echo before; exit 7"

    agent.start(server)

    wait_for(lambda: server.states == ["starting", "start_error"])
    assert agent.status["exit_code"] == 7
    wait_for(lambda: server.lines == ["before", "The start-up script ended with exit code 7"])


def test_a_killed_script_is_a_start_error_that_names_the_signal(server, agent):
    server.manifest["startup_script"] = "kill -9 $$"

    agent.start(server)

    agent.wait_for_state("start_error")
    assert agent.status["message"] == "The start-up script was killed by SIGKILL"


def test_a_hanging_script_is_killed_with_its_children_after_its_timeout(server, agent):
    server.manifest["startup_script"] = 'sleep 600 & echo $! > child; echo "pid $!"; wait'
    server.manifest["startup_timeout_seconds"] = 0.5

    agent.start(server)
    wait_for(lambda: (agent.work / "child").exists() and (agent.work / "child").read_text())
    child = agent.watch(int((agent.work / "child").read_text()))

    wait_for(lambda: server.states == ["starting", "start_timeout"])
    wait_for(lambda: not child.is_running() or child.status() == "zombie")
    assert agent.process.poll() is None


def test_a_background_process_is_kept_and_does_not_hold_back_ready(server, agent):
    server.manifest["startup_script"] = (
        "(while true; do echo still here; sleep 0.2; done) & echo $! > child; echo done"
    )

    agent.start(server)

    agent.wait_for_state("ready", seconds=5)
    child = agent.watch(int((agent.work / "child").read_text()))
    seen = server.lines.count("still here")
    wait_for(lambda: server.lines.count("still here") > seen + 2)
    assert child.is_running()


def test_a_flood_of_output_neither_blocks_nor_fills_the_disk(server, agent):
    server.manifest["startup_script"] = (
        "head -c 100000000 /dev/zero | tr '\\0' 'x' | fold -w 500; echo the very end"
    )

    began = time.monotonic()
    agent.start(server)

    agent.wait_for_state("ready", seconds=30)
    assert time.monotonic() - began < 25
    assert (agent.state / "startup.log").stat().st_size < 1_500_000
    assert agent.log.endswith("the very end\n")
    wait_for(lambda: server.lines and "the log is cut here" in server.lines[-1], 15)
    assert sum(map(len, server.lines)) <= 1_000_000


def test_one_endless_line_is_cut(server, agent):
    server.manifest["startup_script"] = "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo next"

    agent.start(server)

    wait_for(lambda: len(server.lines) == 2)
    assert [len(line) for line in server.lines] == [2000, 4]


def test_lines_arrive_in_order_in_bounded_batches(server, agent):
    server.manifest["startup_script"] = "seq 1 1000"

    agent.start(server)

    wait_for(lambda: len(server.lines) == 1000)
    assert server.lines == [str(number) for number in range(1, 1001)]
    assert max(size for _, size in server.batches) <= 200
    times = [at for at, _ in server.batches]
    assert all(later - earlier > 0.2 for earlier, later in pairwise(times))


def test_bytes_no_database_takes_are_cleaned(server, agent):
    server.manifest["startup_script"] = (
        "printf 'a\\0b\\n'; printf '\\377\\n'; printf '1%%\\r2%%\\r\\n'; printf 'no newline'"
    )

    agent.start(server)

    wait_for(lambda: server.lines == ["ab", "\N{REPLACEMENT CHARACTER}", "2%", "no newline"])


def test_the_script_sees_its_workspace_and_nothing_of_the_daemon(server, agent):
    server.manifest |= {
        "startup_script": "env; pwd",
        "parameters": {"git-url": "https://x"},
        "environment": {"EXTRA": "1", "PREBUILDS_WORKSPACE_ID": "forged"},
    }

    agent.start(server)

    wait_for(lambda: str(agent.work) in server.lines)
    variables = dict(line.split("=", 1) for line in server.lines if "=" in line)
    assert variables["PARAMETER_GIT_URL"] == "https://x"
    assert variables["WORKSPACE_OWNER"] == "prebuilds"
    assert variables["HOME"] == str(agent.directory / "home")
    assert variables["PREBUILDS_WORKSPACE_ID"] == "w1"
    assert variables["EXTRA"] == "1"
    assert "DATABASE_URL" not in variables
    assert "the-token" not in "".join(server.lines)


def test_sigterm_says_goodbye_and_ends(server, agent):
    agent.start(server)
    wait_for(lambda: server.states == ["starting", "ready"])

    assert agent.terminate() == 0

    assert server.states[-1] == "shutting_down"
    assert agent.status["state"] == "off"


def test_sigterm_ends_a_script_that_is_still_starting(server, agent):
    server.manifest["startup_script"] = "echo $$ > pid; sleep 600"
    agent.start(server)
    wait_for(lambda: (agent.work / "pid").exists() and (agent.work / "pid").read_text())
    script = agent.watch(int((agent.work / "pid").read_text()))

    assert agent.terminate() == 0

    wait_for(lambda: not script.is_running() or script.status() == "zombie")


def test_a_script_that_cannot_be_started_is_a_start_error(server, agent):
    server.manifest["startup_script"] = "true"
    os.rmdir(agent.work)  # noqa: PTH106

    agent.start(server)

    agent.wait_for_state("start_error")


def test_without_a_configuration_it_says_so(agent, server, capfd):
    agent.start(server)
    agent.terminate()
    (agent.state / "config.json").write_text("{}")
    agent.process = type(agent.process)(agent.process.args)

    assert agent.process.wait(10) == 2
    assert "holds no usable configuration" in capfd.readouterr().err


def test_a_hangup_is_ignored(server, agent):
    agent.start(server)
    wait_for(lambda: server.states == ["starting", "ready"] and server._streams)

    agent.process.send_signal(signal.SIGHUP)
    server.claim("alice-id")

    agent.wait_for_state("ready", generation=2)


def test_the_status_file_is_replaced_whole(server, agent):
    agent.start(server)
    agent.wait_for_state("ready")

    assert sorted(path.name for path in agent.state.iterdir()) == ["config.json", "status.json"]
    assert stat.S_ISREG((agent.state / "status.json").stat().st_mode)
