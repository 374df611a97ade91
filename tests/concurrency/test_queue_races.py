"""Daemons, the reaper and people who cancel, all at one job (semantics.md 17)."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from accounts.audit import THE_SYSTEM
from prebuilds.core.actions import Reason
from prebuilds.execution import deletion
from templates_app.services import PresetSpec
from tests import factories
from tests.concurrency.racing import alongside, blocked_by, errors, race, uncommitted
from tests.factories import NOON
from workspaces.enums import Transition
from workspaces.errors import LeaseLost, MachineOnline
from workspaces.models import Agent, ProvisionerJob, Workspace
from workspaces.services import jobs
from workspaces.services.machines import forget_machine

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5
LATER = NOON + timedelta(minutes=1)


def make_pending(number):
    spec = PresetSpec(name="Small", desired_instances=number)
    preset = factories.preset_of(factories.make_template(presets=(spec,)))
    return factories.make_pending_prebuilds(preset, number, now=NOON)


def take_all(daemon):
    taken = []
    while job := jobs.acquire_job(daemon_id=daemon.pk, access_url="http://test", now=NOON):
        taken.append(job)
    return taken


def complete(job, now=LATER):
    jobs.complete_job(
        job_id=job.job_id,
        lease=job.lease,
        result=factories.result_for(job.workspace_id),
        now=now,
    )
    return "completed"


def test_eight_daemons_take_each_of_fifty_jobs_once():
    make_pending(50)
    daemons = [factories.make_daemon() for _ in range(8)]

    results = race(*(partial(take_all, daemon) for daemon in daemons))

    assert errors(results) == []
    taken = [job for jobs_ in results for job in jobs_]
    assert len(taken) == len({job.job_id for job in taken}) == 50
    assert len({job.lease for job in taken}) == 50
    for daemon, jobs_ in zip(daemons, results, strict=True):
        for job in jobs_:
            row = ProvisionerJob.objects.get(pk=job.job_id)
            assert (row.daemon, row.lease, row.status) == (daemon, job.lease, "running")


def test_bound_jobs_go_to_their_machines_only_whoever_races_for_them():
    here, there = (factories.make_daemon(machine=machine) for machine in ("here", "there"))
    workspaces = make_pending(24)
    for daemon in (here, there):
        for _ in range(8):
            complete(factories.acquire(daemon=daemon, now=NOON), now=NOON)
    home = dict(ProvisionerJob.objects.values_list("workspace", "machine"))
    assert Counter(home.values()) == {"here": 8, "there": 8, "": 8}
    for job in take_all(factories.make_daemon()):
        complete(job, now=NOON)
    deletion.delete_prebuilds({one.pk: Reason.SURPLUS for one in workspaces}, now=LATER)

    twin = factories.make_daemon(machine="here")
    results = race(*(partial(take_all, daemon) for daemon in (here, there, twin)))

    assert errors(results) == []
    of_here, of_there, of_twin = ({job.workspace_id for job in jobs_} for jobs_ in results)
    assert of_here | of_there | of_twin == {one.pk for one in workspaces}
    assert not {home[one] for one in of_here | of_twin} - {"here", ""}
    assert not {home[one] for one in of_there} - {"there", ""}


def test_a_build_asked_for_while_its_machine_is_forgotten_is_not_bound_to_it():
    (prebuild,) = make_pending(1)
    complete(factories.acquire(daemon=factories.make_daemon(machine="gone", now=NOON), now=NOON))
    forget = partial(forget_machine, machine="gone", actor=THE_SYSTEM, now=LATER)
    delete = partial(factories.ask_for, prebuild, Transition.DELETE, now=LATER)

    blocked_by(forget, delete)

    assert ProvisionerJob.objects.get(workspace=prebuild, completed_at=None).machine == ""


def test_forgetting_a_machine_waits_for_a_build_that_is_being_asked_for():
    (prebuild,) = make_pending(1)
    complete(factories.acquire(daemon=factories.make_daemon(machine="gone", now=NOON), now=NOON))
    forget = partial(forget_machine, machine="gone", actor=THE_SYSTEM, now=LATER)
    delete = partial(factories.ask_for, prebuild, Transition.DELETE, now=LATER)

    released = blocked_by(delete, forget)

    assert released.pending_jobs == 1
    assert set(prebuild.jobs.values_list("machine", flat=True)) == {""}


def test_a_machine_that_is_back_while_forgetting_it_waits_is_not_forgotten():
    (prebuild,) = make_pending(1)
    complete(factories.acquire(daemon=factories.make_daemon(machine="back", now=NOON), now=NOON))
    forget = partial(forget_machine, machine="back", actor=THE_SYSTEM, now=LATER)

    def come_back_while_a_deletion_is_asked_for():
        factories.ask_for(prebuild, Transition.DELETE, now=LATER)
        factories.make_daemon(machine="back", now=LATER)

    with pytest.raises(MachineOnline):
        blocked_by(come_back_while_a_deletion_is_asked_for, forget)

    assert set(prebuild.jobs.values_list("machine", flat=True)) == {"back"}


def test_a_daemon_never_waits_for_a_job_another_is_just_taking():
    make_pending(2)
    daemons = [factories.make_daemon() for _ in range(2)]

    with uncommitted(partial(factories.acquire, daemon=daemons[0], now=NOON)) as first:
        second = alongside(partial(factories.acquire, daemon=daemons[1], now=NOON))

    assert first.job_id != second.job_id


@pytest.mark.parametrize("_", range(ROUNDS))
def test_the_reaper_against_daemons_that_complete_at_last(_):
    make_pending(6)
    taken = take_all(factories.make_daemon())

    *completions, reaped = race(
        *(partial(complete, job) for job in taken), partial(jobs.reap_lost_jobs, now=LATER)
    )

    for job, outcome in zip(taken, completions, strict=True):
        row = ProvisionerJob.objects.get(pk=job.job_id)
        agents = Agent.objects.filter(resource__build__job=row).count()
        if outcome == "completed":
            assert (row.status, row.error_code, agents) == ("succeeded", "", 1)
            assert job.job_id not in reaped
        else:
            assert isinstance(outcome, LeaseLost)
            assert (row.status, row.error_code, agents) == ("failed", "provisioner_lost", 0)
            assert job.job_id in reaped


def test_two_reapers_end_a_job_once():
    make_pending(10)
    take_all(factories.make_daemon())

    reaped = race(*(partial(jobs.reap_lost_jobs, now=LATER) for _ in range(3)))

    assert errors(reaped) == []
    assert sorted(Counter(job for ids in reaped for job in ids).values()) == [1] * 10


@pytest.mark.parametrize("_", range(ROUNDS))
def test_completing_against_cancelling(_):
    make_pending(6)
    taken = take_all(factories.make_daemon())
    cancels = [partial(jobs.cancel_job, job_id=job.job_id, now=LATER) for job in taken]

    outcomes = race(*(partial(complete, job) for job in taken), *cancels)

    assert errors(outcomes) == []
    for job, answer in zip(taken, outcomes[6:], strict=True):
        row = ProvisionerJob.objects.get(pk=job.job_id)
        assert row.completed_at == LATER
        if answer == "succeeded":
            assert (row.status, row.canceled_at) == ("succeeded", None)
        else:
            assert (answer, row.status) == ("canceling", "canceled")


@pytest.mark.parametrize("_", range(ROUNDS))
def test_cancelling_a_pending_start_against_a_daemon_that_takes_it(_):
    workspaces = make_pending(6)
    daemon = factories.make_daemon()
    cancels = [
        partial(deletion.cancel_pending, workspace_id=one.pk, reason=Reason.SURPLUS, now=LATER)
        for one in workspaces
    ]

    taken, *cancelled = race(partial(take_all, daemon), *cancels)

    assert errors([taken, *cancelled]) == []
    running = {job.workspace_id for job in taken}
    for workspace, was_cancelled in zip(workspaces, cancelled, strict=True):
        workspace.refresh_from_db()
        statuses = sorted(workspace.jobs.values_list("status", flat=True))
        if workspace.pk in running:
            assert (was_cancelled, workspace.deleted_at) == (False, None)
            assert statuses == ["running"]
        else:
            assert workspace.deleted_at == LATER
            assert statuses == ["canceled", "succeeded"]


def test_cancelling_a_pending_start_looks_again_after_waiting_for_the_daemon_that_took_it():
    (workspace,) = make_pending(1)
    cancel = partial(
        deletion.cancel_pending, workspace_id=workspace.pk, reason=Reason.SURPLUS, now=LATER
    )

    cancelled = blocked_by(partial(factories.acquire, daemon=factories.make_daemon()), cancel)

    workspace.refresh_from_db()
    assert ProvisionerJob.objects.get(build__build_number=1).status == "running"
    assert (cancelled, workspace.deleted_at) == (False, None)


@pytest.mark.parametrize("_", range(ROUNDS))
def test_a_person_who_cancels_against_a_daemon_that_takes_the_job(_):
    make_pending(4)
    ids = list(ProvisionerJob.objects.values_list("pk", flat=True))
    daemon = factories.make_daemon()

    taken, *answers = race(
        partial(take_all, daemon), *(partial(jobs.cancel_job, job_id=pk, now=LATER) for pk in ids)
    )

    assert errors([taken, *answers]) == []
    held = {job.job_id for job in taken}
    for pk, answer in zip(ids, answers, strict=True):
        assert answer == ("canceling" if pk in held else "canceled")
        assert ProvisionerJob.objects.get(pk=pk).status == answer


@pytest.mark.parametrize("_", range(ROUNDS))
def test_giving_a_job_back_against_the_reaper(_):
    make_pending(4)
    taken = take_all(factories.make_daemon())

    *given_back, reaped = race(
        *(
            partial(jobs.release_job, job_id=job.job_id, lease=job.lease, now=LATER)
            for job in taken
        ),
        partial(jobs.reap_lost_jobs, now=LATER),
    )

    assert not isinstance(reaped, Exception)
    for job, outcome in zip(taken, given_back, strict=True):
        row = ProvisionerJob.objects.get(pk=job.job_id)
        if job.job_id in reaped:
            assert isinstance(outcome, LeaseLost)
            assert row.status == "failed"
        else:
            assert (outcome, row.status, row.lease) == (None, "pending", None)


def test_two_builds_asked_for_at_once_are_one_build_and_one_refusal():
    (workspace,) = make_pending(1)
    factories.finish_all_jobs(now=NOON)
    people = [factories.make_user() for _ in range(4)]

    outcomes = race(
        *(partial(factories.ask_for, workspace, "stop", by=one, now=LATER) for one in people)
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["BuildInProgress"] * 3 + [
        "WorkspaceBuild"
    ]
    assert Workspace.objects.get().builds.count() == 2
