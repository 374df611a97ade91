"""The lease is a fence: who lost it changes nothing (semantics.md 17)."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import serializers

from tests.factories import (
    NOON,
    acquire,
    finish_all_jobs,
    make_daemon,
    make_workspace,
    result_for,
)
from workspaces.enums import JobStatus
from workspaces.errors import LeaseLost
from workspaces.models import (
    Agent,
    JobLog,
    ProvisionerDaemon,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)
from workspaces.protocol import LogLine
from workspaces.services import daemons, jobs

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(seconds=10)
LINE = LogLine(at=NOON, level="info", stage="build", output="hello")


def logs(job, lease):
    jobs.append_job_logs(job_id=job.job_id, lease=lease, lines=[LINE], now=LATER)


def resources(job, lease):
    jobs.report_resources(
        job_id=job.job_id, lease=lease, resources=result_for(job.workspace_id).resources, now=LATER
    )


def complete(job, lease):
    jobs.complete_job(
        job_id=job.job_id, lease=lease, result=result_for(job.workspace_id), now=LATER
    )


def fail(job, lease):
    jobs.fail_job(job_id=job.job_id, lease=lease, error="no", code="driver_error", now=LATER)


VERBS = {
    "heartbeat": lambda job, lease: jobs.heartbeat_job(job_id=job.job_id, lease=lease, now=LATER),
    "logs": logs,
    "report_resources": resources,
    "complete": complete,
    "fail": fail,
    "finish_canceled": lambda job, lease: jobs.finish_canceled_job(
        job_id=job.job_id, lease=lease, now=LATER
    ),
    "release": lambda job, lease: jobs.release_job(job_id=job.job_id, lease=lease, now=LATER),
}


def given_to_another(job):
    """Give the job back and let another daemon have it: the old lease is stale."""
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=NOON)
    assert acquire(now=NOON).job_id == job.job_id
    return job.lease


def given_back(job):
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=NOON)
    return job.lease


def reaped(job):
    assert jobs.reap_lost_jobs(now=NOON + timedelta(seconds=31)) == [job.job_id]
    return job.lease


def completed(job):
    complete(job, job.lease)
    return job.lease


def never_held(_job):
    return uuid4()


LOSSES = [given_to_another, given_back, reaped, completed, never_held]


def everything() -> str:
    """Return every row a verb could touch, as text."""
    models = (ProvisionerJob, WorkspaceBuild, Workspace, JobLog, WorkspaceResource, Agent)
    rows = [row for model in models for row in model.objects.order_by("pk")]
    return serializers.serialize("json", [*rows, *ProvisionerDaemon.objects.all()])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("lose", LOSSES)
def test_with_a_stale_lease_every_verb_is_refused_and_changes_nothing(verb, lose):
    make_workspace(now=NOON)
    job = acquire(now=NOON)
    stale = lose(job)
    before = everything()

    with pytest.raises(LeaseLost):
        VERBS[verb](job, stale)

    assert everything() == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_job_that_does_not_exist_is_nobodys(verb):
    make_workspace(now=NOON)
    job = acquire(now=NOON)
    ProvisionerJob.objects.update(lease=uuid4())

    with pytest.raises(LeaseLost):
        VERBS[verb](job, job.lease)


@pytest.mark.parametrize("verb", VERBS)
def test_with_its_lease_every_verb_works(verb):
    make_workspace(now=NOON)
    job = acquire(now=NOON)

    VERBS[verb](job, job.lease)

    expected = {"complete": "succeeded", "fail": "failed", "finish_canceled": "canceled"}
    expected |= {"release": "pending"}
    assert ProvisionerJob.objects.get().status == expected.get(verb, "running")


def test_a_heartbeat_moves_the_time_and_says_nobody_asked_to_cancel():
    make_workspace(now=NOON)
    job = acquire(now=NOON)

    wanted = jobs.heartbeat_job(job_id=job.job_id, lease=job.lease, now=LATER)

    assert wanted is False
    assert ProvisionerJob.objects.get().heartbeat_at == LATER


SILENCE = [
    # silent for, is it lost
    (timedelta(seconds=29, microseconds=999_999), False),
    (timedelta(seconds=30), False),
    (timedelta(seconds=30, microseconds=1), True),
    (timedelta(hours=1), True),
]


@pytest.mark.parametrize(("silent", "lost"), SILENCE)
def test_a_job_is_lost_when_its_daemon_was_silent_for_more_than_30_seconds(silent, lost):
    make_workspace(now=NOON)
    job = acquire(now=NOON)
    jobs.heartbeat_job(job_id=job.job_id, lease=job.lease, now=LATER)

    reaped = jobs.reap_lost_jobs(now=LATER + silent)

    assert reaped == ([job.job_id] if lost else [])
    assert ProvisionerJob.objects.get().status == ("failed" if lost else "running")


def test_a_lost_job_says_so():
    make_workspace(now=NOON)
    acquire(now=NOON)
    end = NOON + timedelta(seconds=31)

    jobs.reap_lost_jobs(now=end)

    job = ProvisionerJob.objects.get()
    assert (job.status, job.error_code, job.completed_at) == ("failed", "provisioner_lost", end)
    assert "silent for 30 s" in job.error


def test_pending_and_ended_jobs_are_never_reaped():
    make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    make_workspace(now=NOON)

    assert jobs.reap_lost_jobs(now=NOON + timedelta(days=9)) == []


def test_logs_count_as_a_sign_of_life():
    make_workspace(now=NOON)
    job = acquire(now=NOON)

    logs(job, job.lease)

    assert jobs.reap_lost_jobs(now=NOON + timedelta(seconds=31)) == []


def test_a_pending_job_is_canceled_at_once():
    make_workspace(now=NOON)
    job_id = ProvisionerJob.objects.get().pk

    status = jobs.cancel_job(job_id=job_id, now=LATER)

    job = ProvisionerJob.objects.get()
    assert status == job.status == JobStatus.CANCELED
    assert job.canceled_at == job.completed_at == LATER


def test_a_running_job_is_canceling_until_its_daemon_ends_it():
    make_workspace(now=NOON)
    job = acquire(now=NOON)

    assert jobs.cancel_job(job_id=job.job_id, now=LATER) == JobStatus.CANCELING
    assert jobs.heartbeat_job(job_id=job.job_id, lease=job.lease, now=LATER) is True

    end = LATER + timedelta(seconds=1)
    jobs.finish_canceled_job(job_id=job.job_id, lease=job.lease, now=end)

    row = ProvisionerJob.objects.get()
    assert (row.status, row.canceled_at, row.completed_at) == ("canceled", LATER, end)


def test_canceling_twice_keeps_the_first_time():
    make_workspace(now=NOON)
    job = acquire(now=NOON)
    jobs.cancel_job(job_id=job.job_id, now=NOON)

    status = jobs.cancel_job(job_id=job.job_id, now=LATER)

    assert status == JobStatus.CANCELING
    assert ProvisionerJob.objects.get().canceled_at == NOON


@pytest.mark.parametrize(("fail", "status"), [("", "succeeded"), ("no", "failed")])
def test_an_ended_job_stays_as_it_is(fail, status):
    make_workspace(now=NOON)
    (job_id,) = finish_all_jobs(now=NOON, fail=fail)

    found = jobs.cancel_job(job_id=job_id, now=LATER)

    assert found == status
    assert ProvisionerJob.objects.get().canceled_at is None


def test_a_job_that_ended_well_before_it_saw_the_cancel_is_canceled_all_the_same():
    make_workspace(now=NOON)
    job = acquire(now=NOON)
    jobs.cancel_job(job_id=job.job_id, now=NOON)

    complete(job, job.lease)

    assert ProvisionerJob.objects.get().status == "canceled"


def test_giving_back_makes_a_job_pending_and_leaves_only_the_last_sign_of_life():
    make_workspace(now=NOON)
    before = ProvisionerJob.objects.values().get()
    job = acquire(now=NOON)

    jobs.release_job(job_id=job.job_id, lease=job.lease, now=LATER)

    assert ProvisionerJob.objects.values().get() == {**before, "heartbeat_at": NOON}


def test_a_job_given_back_is_not_lost_however_long_it_waits():
    make_workspace(now=NOON)
    given_back(acquire(now=NOON))

    assert jobs.reap_lost_jobs(now=NOON + timedelta(days=1)) == []
    assert ProvisionerJob.objects.get().status == "pending"


def test_a_job_given_back_between_looking_and_reaping_is_not_ended(monkeypatch):
    make_workspace(now=NOON)
    job, reap = acquire(now=NOON), jobs._reap

    def given_back_first(job_id, now):
        given_back(job)
        return reap(job_id, now)

    monkeypatch.setattr(jobs, "_reap", given_back_first)

    assert jobs.reap_lost_jobs(now=NOON + timedelta(minutes=1)) == []
    assert ProvisionerJob.objects.get().status == "pending"


def test_giving_back_a_job_that_was_canceled_ends_it():
    make_workspace(now=NOON)
    job = acquire(now=NOON)
    jobs.cancel_job(job_id=job.job_id, now=NOON)

    jobs.release_job(job_id=job.job_id, lease=job.lease, now=LATER)

    row = ProvisionerJob.objects.get()
    assert (row.status, row.completed_at) == ("canceled", LATER)


def test_a_daemon_says_hello_is_seen_and_says_goodbye():
    daemon = make_daemon(name="d1", tags={"os": "linux"}, concurrency=3, now=NOON)
    assert (daemon.started_at, daemon.last_seen_at, daemon.stopped_at) == (NOON, NOON, None)

    daemons.retire_daemon(daemon_id=daemon.pk, now=LATER)
    daemon.refresh_from_db()
    assert (daemon.last_seen_at, daemon.stopped_at) == (LATER, LATER)

    daemons.touch_daemon(daemon_id=daemon.pk, now=LATER + timedelta(seconds=1))
    daemon.refresh_from_db()
    assert (daemon.last_seen_at, daemon.stopped_at) == (LATER + timedelta(seconds=1), None)
