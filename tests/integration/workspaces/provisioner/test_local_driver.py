"""The local driver's promises, on real processes."""

import json
import signal
import stat
import threading
import time

import psutil
import pytest

from tests.unit.workspaces.agent.agent_server import wait_for
from workspaces.protocol import BuildCanceled, BuildFailed
from workspaces.provisioner.drivers.local import LocalDriver, stop_all_workspaces
from workspaces.provisioner.drivers.processes import ProcessIdentity, find_agent


def test_a_start_runs_the_script_among_the_source_files(site, driver, context, server):
    job = site.job(
        "cat docs/a.txt > seen; ./run.sh",
        source_files={
            "docs/a.txt": "content",
            "run.sh": "#!/bin/sh\necho ran > ran",
        },
    )

    result = driver.build(job, context)

    assert (site.work / "seen").read_text() == "content"
    assert (site.work / "ran").read_text() == "ran\n"
    assert result.provisioner_state["directory"] == str(site.id)
    assert psutil.pid_exists(result.provisioner_state["pid"])
    assert context.lines[:2] == ["Writing 2 files", "Starting the agent"]
    assert context.lines[-1].startswith("Ready after ")


def test_the_token_is_reported_before_the_agent_uses_it(site, driver, context, server):
    result = driver.build(site.job(), context)

    (resource,) = context.reported[0]
    assert resource == result.resources[0]
    assert server.tokens == {resource.agents[0].token}
    assert len(resource.agents[0].token) >= 43


def test_the_secret_is_for_the_owner_of_the_process_only(site, driver, context):
    driver.build(site.job(), context)

    config = site.path / ".agent" / "config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(site.path.stat().st_mode) == 0o700


def test_the_agent_is_no_child_that_dies_with_the_daemon(site, driver, context):
    result = driver.build(site.job(), context)

    process = psutil.Process(result.provisioner_state["pid"])
    assert site.processes() == [process]
    with process.oneshot():
        assert process.environ().keys() <= {"PATH", "LANG", "PREBUILDS_WORKSPACE_ID", "LC_CTYPE"}


def test_a_failing_script_fails_the_build_with_the_tail_of_its_log(site, driver, context):
    job = site.job("seq 1 100; echo boom >&2; exit 3")

    with pytest.raises(BuildFailed, match="exit code 3") as failure:
        driver.build(job, context)

    lines = str(failure.value).splitlines()
    assert failure.value.code == "script_failed"
    assert lines[1:] == [*map(str, range(82, 101)), "boom"]
    assert site.processes() == []
    assert site.work.is_dir()


def test_a_hanging_script_fails_the_build_as_a_timeout(site, driver, context):
    job = site.job("echo slow; sleep 600", startup_timeout_seconds=1)

    with pytest.raises(BuildFailed, match="slow") as failure:
        driver.build(job, context)

    assert failure.value.code == "script_timeout"
    assert site.processes() == []


def test_an_agent_that_is_killed_fails_the_build(site, driver, context):
    outcome = in_thread(lambda: driver.build(site.job("echo hi; sleep 600"), context))
    wait_for(lambda: "The start-up script is running" in context.lines)
    identity = json.loads((site.path / ".agent" / "process.json").read_text())

    psutil.Process(identity["pid"]).kill()

    wait_for(lambda: outcome)
    assert isinstance(outcome[0], BuildFailed)
    assert "The agent ended" in str(outcome[0])
    assert site.processes() == []


def test_a_server_nobody_answers_at_is_the_drivers_error(site, root, context, server):
    driver = LocalDriver(root, poll_seconds=0.02, start_slack=0.5)
    job = site.job("true", startup_timeout_seconds=1, access_url="http://127.0.0.1:1")

    with pytest.raises(BuildFailed, match=r"could not reach http://127\.0\.0\.1:1") as failure:
        driver.build(job, context)

    assert failure.value.code == "driver_error"
    assert site.processes() == []


def test_stopping_ends_the_group_and_the_build(site, driver, context):
    outcome = in_thread(lambda: driver.build(site.job("sleep 600 & sleep 600"), context))
    wait_for(lambda: "The start-up script is running" in context.lines)

    context.stopping.set()

    wait_for(lambda: outcome)
    assert isinstance(outcome[0], BuildCanceled)
    assert site.processes() == []


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "", "a\0b", "link/out"])
def test_a_source_file_that_would_leave_the_workspace_fails_the_build(site, driver, context, path):
    outside = site.path.parent.parent / "outside"
    outside.mkdir()
    site.work.mkdir(parents=True)
    (site.work / "link").symlink_to(outside)

    with pytest.raises(BuildFailed) as failure:
        driver.build(site.job(source_files={path: "x"}), context)

    assert repr(path) in str(failure.value)
    assert list(outside.iterdir()) == []
    assert context.reported == []


def test_a_link_in_the_place_of_a_source_file_is_replaced_not_followed(site, driver, context):
    victim = site.path.parent.parent / "victim"
    victim.write_text("mine")
    site.work.mkdir(parents=True)
    (site.work / "a.txt").symlink_to(victim)

    driver.build(site.job(source_files={"a.txt": "x"}), context)

    assert victim.read_text() == "mine"
    assert (site.work / "a.txt").read_text() == "x"


def test_a_claim_keeps_the_processes_and_the_token(site, driver, context):
    built = driver.build(site.job("sleep 600 & true"), context)
    before = site.processes()

    began = time.monotonic()
    claimed = driver.build(site.claim(), context)

    assert time.monotonic() - began < 0.1
    assert claimed == built
    assert site.processes() == before
    assert len(context.reported) == 1


def test_a_claim_of_dead_processes_starts_them_again_with_the_same_token(site, driver, context):
    built = driver.build(site.job(), context)
    psutil.Process(built.provisioner_state["pid"]).kill()
    wait_for(lambda: not site.processes())

    claimed = driver.build(site.claim(), context)

    assert claimed.resources == built.resources
    assert len(site.processes()) == 1
    assert claimed.replacements == ()


def test_a_claim_of_a_lost_directory_builds_anew_and_says_so(site, driver, context):
    claimed = driver.build(site.claim(), context)

    assert [replaced.resource for replaced in claimed.replacements] == ["workspace"]
    assert len(site.processes()) == 1


def test_stop_ends_processes_that_left_group_session_and_parent(site, driver, context):
    driver.build(site.job("(setsid sleep 600 &) ; setsid nohup sleep 601 & sleep 0.2"), context)
    assert len(site.processes()) == 3

    driver.build(site.stop(), context)

    assert site.processes() == []
    assert site.work.is_dir()


def test_stop_ends_children_that_wiped_their_environment(site, driver, context):
    driver.build(site.job("env -i sleep 602 & echo $! > pid"), context)
    child = psutil.Process(int((site.work / "pid").read_text()))

    driver.build(site.stop(), context)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_stop_kills_what_does_not_listen(site, driver, context):
    script = (
        "(trap '' TERM; touch deaf; while true; do sleep 0.1; done) & "
        "until [ -e deaf ]; do sleep 0.02; done"
    )
    driver.build(site.job(script), context)

    driver.build(site.stop(), context)

    assert site.processes() == []


def test_stop_lets_the_agent_say_goodbye(site, driver, context, server):
    driver.build(site.job(), context)

    driver.build(site.stop(), context)

    assert server.states == ["starting", "ready", "shutting_down"]


def test_stop_never_touches_another_process_with_a_reused_id(site, driver, context):
    driver.build(site.job(), context)
    driver.build(site.stop(), context)
    bystander = psutil.Popen(["sleep", "600"])
    record = {"pid": bystander.pid, "create_time": bystander.create_time() - 100}
    (site.path / ".agent" / "process.json").write_text(json.dumps(record))

    driver.build(site.stop(), context)

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_an_agent_is_known_although_the_clock_was_set(site, driver, context):
    state = driver.build(site.job(), context).provisioner_state

    shifted = ProcessIdentity(state["pid"], state["create_time"] + 3600)

    assert find_agent(shifted, site.path / ".agent")
    assert not find_agent(shifted, site.path / "other")


def test_stopping_and_starting_again_keeps_the_files(site, driver, context):
    driver.build(site.job("echo once >> count"), context)
    driver.build(site.stop(), context)

    driver.build(site.job("echo once >> count", stage="none"), context)

    assert (site.work / "count").read_text() == "once\nonce\n"


def test_delete_removes_read_only_folders_and_processes(site, driver, context):
    script = "mkdir -p ro/sub; echo x > ro/sub/f; chmod 400 ro/sub/f; chmod 500 ro/sub ro"
    driver.build(site.job(script), context)

    driver.build(site.delete(), context)

    assert not site.path.exists()
    assert site.processes() == []


def test_delete_does_not_follow_links(site, driver, context, tmp_path):
    (tmp_path / "precious").mkdir(mode=0o500)
    driver.build(site.job(f"ln -s {tmp_path}/precious link"), context)

    driver.build(site.delete(), context)

    assert stat.S_IMODE((tmp_path / "precious").stat().st_mode) == 0o500


def test_deleting_what_does_not_exist_succeeds(site, driver, context):
    assert driver.build(site.delete(), context).provisioner_state == {}
    driver.build(site.delete(), context)

    assert not site.path.exists()


def test_a_build_repeated_after_a_crash_leaves_one_process_tree(site, root, context, server):
    script = "sleep 600 & true"
    first = LocalDriver(root, poll_seconds=0.02).build(site.job(script), context)
    (site.path / ".agent" / "process.json").unlink()

    second = LocalDriver(root, poll_seconds=0.02).build(site.job(script), context)

    assert not psutil.pid_exists(first.provisioner_state["pid"]) or zombie(first)
    assert len(site.processes()) == 2
    assert second.resources != first.resources


def test_builds_of_one_workspace_wait_for_each_other(site, driver, context):
    slow, fast = type(context)(), type(context)()
    outcome = in_thread(lambda: driver.build(site.job("sleep 600"), slow))
    wait_for(lambda: "The start-up script is running" in slow.lines)
    deleted = in_thread(lambda: driver.build(site.delete(), fast))

    slow.stopping.set()

    wait_for(lambda: outcome and deleted)
    assert isinstance(outcome[0], BuildCanceled)
    assert deleted[0].provisioner_state == {}
    assert not site.path.exists()


def test_all_workspaces_are_stopped_at_once(site, root, driver, context):
    driver.build(site.job("setsid sleep 600 & true"), context)

    assert stop_all_workspaces(root) == 1
    assert site.processes() == []
    assert stop_all_workspaces(root) == 0
    assert stop_all_workspaces(root / "nowhere") == 0


def test_ended_agents_leave_no_zombies(site, driver, context):
    pid = driver.build(site.job(), context).provisioner_state["pid"]

    driver.build(site.stop(), context)

    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(pid).send_signal(signal.SIGCONT)


def zombie(result):
    try:
        return psutil.Process(result.provisioner_state["pid"]).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def in_thread(call):
    """Run in a thread; the list gets what came of it."""
    outcome = []

    def run():
        try:
            outcome.append(call())
        except Exception as error:  # noqa: BLE001
            outcome.append(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome
