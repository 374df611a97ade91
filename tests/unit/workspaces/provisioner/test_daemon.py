"""The daemon's promises, with a queue and a driver in memory."""

import time

from tests.unit.workspaces.agent.agent_server import wait_for
from tests.unit.workspaces.provisioner.conftest import make_job
from workspaces.protocol import (
    LOG_TOTAL_LIMIT,
    AgentReport,
    BuildCanceled,
    BuildFailed,
    ResourceReport,
)
from workspaces.provisioner.keeper import Rhythm

SLOW = Rhythm(logs=30, heartbeat=30, reap=30)


def test_jobs_run_side_by_side_up_to_the_concurrency(running):
    jobs = running.transport.add(*[make_job() for _ in range(5)])
    running.start(concurrency=2)
    running.wait_running(2)
    acquired = running.transport.calls.count("acquire")

    running.driver.go_on.set()

    wait_for(lambda: len(running.transport.ended) == 5)
    assert acquired == 2
    assert running.driver.most == 2
    assert all(running.transport.ended[job.job_id] == ("complete",) for job in jobs)


def test_a_finished_job_makes_room_for_the_next_at_once(running):
    running.driver.go_on.set()
    running.transport.add(*[make_job() for _ in range(10)])

    running.start(concurrency=1, poll=(30, 30))

    wait_for(lambda: len(running.transport.ended) == 10, 3)


def test_a_bell_is_answered_without_waiting_for_the_poll(running):
    running.driver.go_on.set()
    running.start(poll=(30, 30))
    wait_for(lambda: "acquire" in running.transport.calls)

    running.transport.add(make_job())
    running.bell.ring()

    wait_for(lambda: len(running.transport.ended) == 1, 3)


def test_a_job_without_a_bell_is_found_by_the_poll(running):
    running.driver.go_on.set()
    running.start()
    wait_for(lambda: "acquire" in running.transport.calls)

    running.transport.add(make_job())

    wait_for(lambda: len(running.transport.ended) == 1)


def test_a_failed_build_fails_the_job_with_the_drivers_words_and_code(running):
    def explode(job, context):
        raise BuildFailed("exit code 3", code="script_failed")

    running.driver.script = explode
    (job,) = running.transport.add(make_job())

    running.start()

    wait_for(lambda: running.transport.ended)
    assert running.transport.ended[job.job_id] == ("fail", "exit code 3", "script_failed")
    assert running.transport.logs[-1] == "exit code 3"


def test_an_unexpected_exception_fails_the_job_and_the_daemon_lives_on(running):
    def explode(job, context):
        if job is first:
            raise ZeroDivisionError("oops")

    running.driver.script = explode
    running.driver.go_on.set()
    first, second = running.transport.add(make_job(), make_job())

    running.start()

    wait_for(lambda: len(running.transport.ended) == 2)
    words = "The driver failed: ZeroDivisionError: oops"
    assert running.transport.ended[first.job_id] == ("fail", words, "driver_error")
    assert running.transport.ended[second.job_id] == ("complete",)


def test_a_lost_lease_stops_the_work_and_says_nothing(running):
    (job,) = running.transport.add(make_job())
    running.start()
    running.wait_running()

    running.transport.lost.add(job.job_id)

    running.wait_running(0)
    running.stop()
    running.join()
    told = {"complete", "fail", "finish_canceled", "release"}
    assert not told & set(running.transport.calls)


def test_a_lease_lost_while_reporting_resources_stops_the_driver(running):
    caught = []

    def report(job, context):
        running.transport.lost.add(job.job_id)
        try:
            agent = AgentReport(name="main", token="t")
            context.report_resources([ResourceReport(name="w", type="x", agents=[agent])])
        except BuildCanceled:
            caught.append(context.stopping.is_set())
            raise

    running.driver.script = report
    running.transport.add(make_job())

    running.start()

    wait_for(lambda: caught == [True])
    running.wait_running(0)
    assert running.transport.ended == {}


def test_a_lease_lost_at_the_end_is_not_an_error(running):
    running.driver.script = lambda job, context: running.transport.lost.add(job.job_id)
    running.driver.go_on.set()
    running.transport.add(make_job())
    running.start(rhythm=SLOW)
    wait_for(lambda: "complete" in running.transport.calls)

    running.transport.add(make_job())

    wait_for(lambda: running.transport.calls.count("complete") == 2)
    assert running.is_alive()


def test_a_cancel_request_is_seen_on_the_heartbeat(running):
    (job,) = running.transport.add(make_job())
    running.start()
    running.wait_running()

    running.transport.cancel_requested.add(job.job_id)

    wait_for(lambda: running.transport.ended)
    assert running.transport.ended[job.job_id] == ("finish_canceled",)


def test_a_stopped_daemon_lets_running_jobs_finish_within_the_grace(running):
    (job,) = running.transport.add(make_job())
    running.start(grace=10)
    running.wait_running()

    running.stop()
    running.transport.add(make_job())
    running.driver.go_on.set()

    running.join()
    assert running.transport.ended == {job.job_id: ("complete",)}
    assert running.transport.calls[-1] == "goodbye"


def test_heartbeats_go_on_during_the_grace(running):
    running.transport.add(make_job())
    running.start(grace=10)
    running.wait_running()
    running.stop()

    beats = running.transport.calls.count("heartbeat")

    wait_for(lambda: running.transport.calls.count("heartbeat") > beats + 2)


def test_after_the_grace_jobs_are_given_back(running):
    jobs = running.transport.add(make_job(), make_job())
    running.start(grace=0.1)
    running.wait_running(2)

    running.stop()

    running.join()
    assert running.transport.ended == {job.job_id: ("release",) for job in jobs}


def test_a_second_signal_gives_back_at_once(running):
    (job,) = running.transport.add(make_job())
    running.start(grace=60)
    running.wait_running()

    running.stop()
    running.stop()

    running.join()
    assert running.transport.ended == {job.job_id: ("release",)}


def test_a_driver_that_does_not_listen_cannot_keep_the_daemon(running):
    running.driver.deaf = True
    running.transport.add(make_job())
    running.start(grace=0, give_back=0.2)
    running.wait_running()

    running.stop()

    running.join()
    assert running.transport.calls[-1] == "goodbye"


def test_a_queue_that_is_away_while_acquiring_is_waited_for(running):
    running.driver.go_on.set()
    running.transport.away = {"register", "acquire", "touch", "reap"}
    running.start()
    wait_for(lambda: "register" in running.transport.calls)
    running.transport.away = {"acquire", "touch", "reap"}
    wait_for(lambda: running.transport.calls.count("acquire") > 2)

    running.transport.add(make_job())
    running.transport.away = set()

    wait_for(lambda: running.transport.ended)


def test_the_end_of_a_job_is_told_again_until_it_is_heard(running):
    running.driver.go_on.set()
    running.transport.away = {"complete"}
    (job,) = running.transport.add(make_job())
    running.start()
    wait_for(lambda: running.transport.calls.count("complete") >= 3)

    running.transport.away = set()

    wait_for(lambda: running.transport.ended)
    assert running.transport.ended[job.job_id] == ("complete",)


def test_a_queue_that_is_away_never_blocks_a_drivers_log(running):
    done = []

    def talk(job, context):
        for number in range(1000):
            context.log(str(number), stage="s")
        done.append(1)

    running.driver.script = talk
    running.transport.away = {"append_logs"}
    running.transport.add(make_job())
    running.start()
    wait_for(lambda: done)

    running.transport.away = set()
    running.driver.go_on.set()

    wait_for(lambda: running.transport.ended)
    assert running.transport.logs == [str(number) for number in range(1000)]


def test_log_lines_arrive_while_the_job_runs(running):
    running.driver.script = lambda job, context: context.log("working", stage="s")
    running.transport.add(make_job())

    running.start()

    wait_for(lambda: running.transport.logs == ["working"])
    assert len(running.driver.running) == 1


def test_a_log_is_cut_at_its_limit(running):
    def flood(job, context):
        for _ in range(2000):
            context.log("x" * 1000, stage="s")

    running.driver.script = flood
    running.driver.go_on.set()
    running.transport.add(make_job())

    running.start()

    wait_for(lambda: running.transport.ended)
    assert sum(map(len, running.transport.logs)) <= LOG_TOTAL_LIMIT
    assert len(running.transport.logs) < 1100


def test_lost_jobs_of_others_are_reaped_again_and_again(running):
    running.start()

    wait_for(lambda: running.transport.calls.count("reap") >= 2)


def test_a_keeper_that_stumbles_goes_on(running, monkeypatch):
    broken = [True]

    def touch():
        if broken.pop() if broken else False:
            raise ValueError("a bug")
        running.transport.calls.append("touched")

    monkeypatch.setattr(running.transport, "touch", touch)

    running.start()

    wait_for(lambda: "touched" in running.transport.calls)


def test_once_ends_when_no_job_is_left(running):
    running.driver.go_on.set()
    running.transport.add(*[make_job() for _ in range(3)])

    running.start(once=True, concurrency=2)

    running.join()
    assert len(running.transport.ended) == 3


def test_a_daemon_stopped_before_it_reached_the_queue_just_ends(running):
    running.transport.away = {"register"}
    running.start()
    wait_for(lambda: "register" in running.transport.calls)

    began = time.monotonic()
    running.stop()

    running.join()
    assert time.monotonic() - began < 1
    assert "goodbye" not in running.transport.calls


def test_a_key_refused_from_the_start_ends_the_daemon(running):
    running.transport.refused = {"register"}

    running.start()

    running.join()
    assert running.refusal == "revoked"
    assert "acquire" not in running.transport.calls


def test_a_key_refused_later_ends_the_daemon_and_says_why(running):
    (job,) = running.transport.add(make_job())
    running.start(concurrency=2)
    running.wait_running()

    running.transport.lost.add(job.job_id)
    running.transport.refused = {"acquire", "touch", "goodbye"}

    running.join()
    assert running.refusal == "revoked"
    assert running.transport.ended == {}


def test_a_queue_that_can_wait_is_asked_to_wait_as_long_as_the_poll(running):
    running.start(poll=(0.2, 0.3))

    wait_for(lambda: len(running.transport.waits) > 1)

    assert all(0.1 < wait <= 0.3 for wait in running.transport.waits)


def test_with_once_nothing_is_waited_for(running):
    running.start(once=True, poll=(20, 28))

    running.join()

    assert running.transport.waits == [0.0]


def test_a_queue_that_is_away_is_asked_again_soon_though_the_poll_is_long(running, monkeypatch):
    monkeypatch.setattr("workspaces.provisioner.daemon.RETRY_SECONDS", (0.01, 0.02))
    running.transport.away = {"acquire"}
    running.start(poll=(30, 30))
    wait_for(lambda: running.transport.calls.count("acquire") > 2)

    running.driver.go_on.set()
    running.transport.away = set()
    running.transport.add(make_job())

    wait_for(lambda: running.transport.ended)


def test_a_signal_interrupts_an_acquire_that_waits(running):
    running.start(poll=(30, 30))
    wait_for(lambda: "acquire" in running.transport.calls)

    running.stop()

    running.join()
    assert "interrupt" in running.transport.calls
