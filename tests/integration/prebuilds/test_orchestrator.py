"""The loop: interval, bells, faults and the end (semantics.md 11)."""

import sys
import threading
import time
import traceback
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts.audit import THE_SYSTEM
from accounts.system import PREBUILDS_USER_ID
from prebuilds import reconciler, services
from prebuilds.core.policy import Policy
from prebuilds.orchestrator import Orchestrator
from templates_app.models import Preset, Template
from tests import factories
from tests.factories import NOON
from workspaces import listening
from workspaces.models import ProvisionerJob, Workspace

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "snapshot"]),
    pytest.mark.serial,
]

PATIENCE = 15.0
NEVER = timedelta(hours=1)


def wait_until(condition, patience=PATIENCE):
    """Wait for a condition with a deadline and return how long that took."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > patience:
            pytest.fail(f"not within {patience} s")
        time.sleep(0.005)
    return time.monotonic() - started


class Loop:
    """An orchestrator in a thread of its own, and the cycles it has run."""

    def __init__(self, interval, policy):
        self.cycles = []
        self.orchestrator = Orchestrator(
            policy=policy, clock=timezone.now, interval=interval, on_cycle=self.cycles.append
        )
        self.thread = threading.Thread(target=self._run, name="loop under test", daemon=True)

    def _run(self):
        try:
            self.orchestrator.run_loop()
        finally:
            connections.close_all()

    def stop(self):
        self.orchestrator.stop("the test is over")
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), self._where()

    def _where(self):
        """Return the stack of the thread that does not end."""
        frame = sys._current_frames()[self.thread.ident]
        return "".join(traceback.format_stack(frame))


@contextmanager
def running(interval=NEVER, policy=None):
    """Run a loop until the block ends; its first cycle is done when the block begins."""
    loop = Loop(interval, policy or Policy())
    loop.thread.start()
    try:
        wait_until(lambda: loop.cycles)
        yield loop
    finally:
        loop.stop()


@pytest.fixture(autouse=True, scope="module")
def _hub():
    """Leave no LISTEN connection behind: the test database could not be dropped."""
    yield
    listening.hub().stop()


@pytest.fixture
def preset():
    return factories.preset_of(factories.make_template())


def prebuilds():
    return Workspace.objects.filter(owner_id=PREBUILDS_USER_ID, deleted_at__isnull=True)


def test_the_first_cycle_runs_at_once(preset):
    with running() as loop:
        assert loop.cycles[0].lock_acquired
        assert prebuilds().count() == 2


def test_without_a_bell_a_cycle_runs_every_interval():
    with running(interval=timedelta(seconds=0.1)) as loop:
        wait_until(lambda: len(loop.cycles) >= 4)

    assert [one.lock_acquired for one in loop.cycles[:4]] == [True] * 4


@pytest.mark.parametrize("event", ["edit", "claim", "promotion", "resume", "job", "agent"])
def test_a_commit_that_changes_what_a_cycle_would_do_starts_one_within_a_second(preset, event):
    (workspace,) = factories.make_ready_prebuilds(preset, 1)
    if event == "resume":
        factories.pause(now=timezone.now())
    (starting,) = factories.make_pending_prebuilds(preset, 1)
    daemon = factories.make_daemon()
    job = factories.acquire(daemon=daemon)

    with running() as loop:
        settle(loop)
        before = len(loop.cycles)
        match event:
            case "edit":
                Preset.objects.update(desired_instances=3)
            case "claim":
                factories.claim_prebuild(preset)
            case "promotion":
                factories.promote_new_version(preset.version.template)
            case "resume":
                services.resume_reconciliation(actor=THE_SYSTEM, now=timezone.now())
            case "job":
                from workspaces.services import jobs

                jobs.complete_job(
                    job_id=job.job_id,
                    lease=job.lease,
                    result=factories.result_for(starting.pk),
                    now=timezone.now(),
                )
            case "agent":
                from workspaces.models import Agent

                Agent.objects.filter(resource__build__workspace=workspace).update(
                    lifecycle_state="start_error"
                )
        took = wait_until(lambda: len(loop.cycles) > before)

    assert took < 1.0


def settle(loop):
    """Wait until what the set-up rang has been heard: no cycle for a while."""
    quiet_since, count = time.monotonic(), len(loop.cycles)
    while time.monotonic() - quiet_since < 0.4:
        if len(loop.cycles) != count:
            quiet_since, count = time.monotonic(), len(loop.cycles)
        time.sleep(0.01)


def test_heartbeats_and_logs_ring_nothing(preset):
    factories.make_pending_prebuilds(preset, 1)
    factories.acquire()

    with running() as loop:
        settle(loop)
        before = len(loop.cycles)
        for _ in range(20):
            ProvisionerJob.objects.filter(started_at__isnull=False).update(
                heartbeat_at=timezone.now(), log_length=7
            )
            Template.objects.update(description="a new word")
        settle(loop)

        assert len(loop.cycles) == before


def test_a_burst_of_bells_leads_to_few_cycles(preset):
    with running() as loop:
        settle(loop)
        before = len(loop.cycles)
        for number in range(100):
            Preset.objects.update(desired_instances=3 + number % 2)
        Preset.objects.update(desired_instances=5)
        wait_until(lambda: prebuilds().count() == 5)
        settle(loop)

        assert len(loop.cycles) - before < 20


def test_a_bell_during_a_cycle_leads_to_one_more(preset, monkeypatch):
    from prebuilds import execution

    real, rung = execution.execute_decision, []

    def execute(decision, **options):
        outcome = real(decision, **options)
        if not rung:
            rung.append(Preset.objects.update(desired_instances=4))
        return outcome

    monkeypatch.setattr(execution, "execute_decision", execute)
    with running():
        wait_until(lambda: prebuilds().count() == 4)


def test_the_loop_recovers_when_the_database_ends_all_its_connections(preset):
    with running(interval=timedelta(seconds=0.2)) as loop:
        for round_ in range(3, 6):
            end_other_connections()
            Preset.objects.update(desired_instances=round_)
            wait_until(lambda wanted=round_: prebuilds().count() == wanted)
        before = len(loop.cycles)
        wait_until(lambda: len(loop.cycles) > before)


def test_bells_are_heard_again_after_the_listen_connection_was_ended(preset):
    with running() as loop:
        settle(loop)
        end_other_connections()
        before = len(loop.cycles)
        wait_until(lambda: len(loop.cycles) > before)
        settle(loop)

        before = len(loop.cycles)
        Preset.objects.update(desired_instances=4)
        wait_until(lambda: len(loop.cycles) > before)
        wait_until(lambda: prebuilds().count() == 4)


def end_other_connections():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_an_error_in_a_cycle_does_not_end_the_loop(preset, monkeypatch):
    real, failures = reconciler.run_cycle, []

    def run_cycle(**kwargs):
        if len(failures) < 2:
            failures.append(kwargs["trigger"])
            raise RuntimeError("poisoned")
        return real(**kwargs)

    monkeypatch.setattr(reconciler, "run_cycle", run_cycle)
    with running(interval=timedelta(seconds=0.05)):
        assert prebuilds().count() == 2

    assert len(failures) == 2


def test_stop_ends_a_waiting_loop_soon():
    with running() as loop:
        started = time.monotonic()
        loop.stop()

        assert time.monotonic() - started < 2.0
        assert loop.orchestrator.stop_cause == "the test is over"


def test_stop_during_a_cycle_lets_it_finish(preset, monkeypatch):
    from prebuilds import execution

    real = execution.execute_decision
    loop = Loop(NEVER, Policy())

    def execute(decision, **options):
        loop.orchestrator.stop("SIGTERM")
        return real(decision, **options)

    monkeypatch.setattr(execution, "execute_decision", execute)
    loop.thread.start()
    loop.thread.join(PATIENCE)
    loop.stop()

    assert loop.orchestrator.stop_cause == "SIGTERM"
    assert len(loop.cycles) == 1
    assert prebuilds().count() == 2


def test_the_loop_wakes_as_soon_as_a_backoff_has_ended_and_not_before():
    loop = Orchestrator(policy=Policy(), clock=lambda: NOON, interval=timedelta(minutes=1))

    waits = {
        "nothing backs off": loop._seconds_until(None),
        "soon": loop._seconds_until(NOON + timedelta(seconds=7)),
        "later than the interval": loop._seconds_until(NOON + timedelta(hours=1)),
        "over": loop._seconds_until(NOON - timedelta(hours=1)),
    }

    assert waits["nothing backs off"] == waits["later than the interval"] == 60
    assert 7 < waits["soon"] < 7.5
    assert 0 < waits["over"] < 0.5
