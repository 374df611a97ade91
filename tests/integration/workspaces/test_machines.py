"""A workspace's jobs go to the machine that has its files, until the machine is forgotten."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.audit import THE_SYSTEM
from accounts.models import AuditEntry
from prebuilds.core.actions import Reason
from prebuilds.execution import deletion
from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    hours,
    make_agent_ready,
    make_daemon,
    make_key,
    make_organization,
    make_pending_prebuilds,
    make_template,
    make_workspace,
    preset_of,
    result_for,
)
from workspaces import machines
from workspaces.enums import Transition
from workspaces.errors import MachineOnline, UnknownMachine
from workspaces.models import ProvisionerDaemon, ProvisionerJob
from workspaces.protocol import LogLine
from workspaces.services import daemons, jobs
from workspaces.services.machines import Release, forget_machine

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=2)
forget = partial(forget_machine, actor=THE_SYSTEM, now=LATER)


def acquire(daemon):
    return jobs.acquire_job(daemon_id=daemon.pk, access_url="http://here", now=NOON)


def do(daemon, count=1):
    """Do jobs well, as a daemon; there must be as many."""
    for _ in range(count):
        job = acquire(daemon)
        jobs.complete_job(
            job_id=job.job_id, lease=job.lease, result=result_for(job.workspace_id), now=NOON
        )


def waiting(workspace) -> ProvisionerJob:
    return ProvisionerJob.objects.get(workspace=workspace, completed_at=None)


@pytest.fixture
def here():
    return make_daemon(name="here", machine="here", now=NOON)


@pytest.fixture
def there():
    return make_daemon(name="there", machine="there", now=NOON)


def built_on(daemon):
    """Make a person's workspace and let a daemon build it."""
    workspace = make_workspace(now=NOON - hours(1))
    do(daemon)
    return workspace


def test_a_new_workspace_is_bound_to_no_machine_until_a_daemon_takes_it(here):
    workspace = make_workspace(now=NOON)
    assert waiting(workspace).machine == ""

    acquire(here)

    assert waiting(workspace).machine == "here"


@pytest.mark.parametrize("transition", Transition)
def test_the_next_job_of_a_workspace_goes_to_its_machine_only(here, there, transition):
    workspace = built_on(here)

    ask_for(workspace, transition, now=NOON)

    assert waiting(workspace).machine == "here"
    assert acquire(there) is None
    assert acquire(here).workspace_id == workspace.pk


def test_another_daemon_of_the_same_machine_takes_it_too(here):
    workspace = built_on(here)
    ask_for(workspace, Transition.STOP, now=NOON)

    assert acquire(make_daemon(machine="here", now=NOON)).workspace_id == workspace.pk


def test_a_daemon_that_tells_no_machine_takes_what_is_bound_to_none(here):
    bound = built_on(here)
    ask_for(bound, Transition.STOP, now=NOON)
    free = make_workspace(now=NOON)
    older_release = make_daemon(now=NOON)

    assert acquire(older_release).workspace_id == free.pk
    assert acquire(older_release) is None
    assert waiting(free).machine == ""


def test_what_such_a_daemon_has_built_is_done_by_any_later_on(here):
    workspace = built_on(make_daemon(now=NOON))
    ask_for(workspace, Transition.STOP, now=NOON)

    assert acquire(here).workspace_id == workspace.pk
    assert waiting(workspace).machine == "here"


def test_a_claim_goes_to_the_machine_of_the_prebuild(here, there):
    preset = preset_of(make_template(presets=[PresetSpec(name="Small", desired_instances=1)]))
    (prebuild,) = make_pending_prebuilds(preset, now=NOON)
    do(here)
    make_agent_ready(prebuild, now=NOON)

    claimed = claim_prebuild(preset, now=NOON)

    assert waiting(claimed).machine == "here"
    assert acquire(there) is None


def test_prebuilds_that_are_deleted_together_go_each_to_its_own_machine(here, there):
    preset = preset_of(make_template())
    first, second = make_pending_prebuilds(preset, 2, now=NOON)
    do(here), do(there)
    where = dict(ProvisionerJob.objects.values_list("workspace", "machine"))
    assert set(where.values()) == {"here", "there"}

    deletion.delete_prebuilds({one.pk: Reason.SURPLUS for one in (first, second)}, now=NOON)

    pending = ProvisionerJob.objects.filter(completed_at=None)
    assert dict(pending.values_list("workspace", "machine")) == where


def test_where_they_are_costs_a_deletion_no_statement(here):
    preset = preset_of(make_template())
    prebuilds = make_pending_prebuilds(preset, 2, now=NOON)
    do(here), finish_all_jobs(now=NOON)
    bound = set(ProvisionerJob.objects.filter(machine="here").values_list("workspace", flat=True))

    costs = {}
    for prebuild in prebuilds:
        with CaptureQueriesContext(connection) as statements:
            deletion.delete_prebuilds({prebuild.pk: Reason.SURPLUS}, now=NOON)
        costs[prebuild.pk in bound] = len(statements)

    assert costs[True] == costs[False]
    assert len([one for one in statements if one["sql"].startswith("INSERT")]) == 2


def test_the_newest_earlier_job_that_has_a_machine_says_where(here, there):
    """A release that knows nothing of machines leaves jobs without one in between."""
    workspace = built_on(here)
    for number, machine in enumerate(["there", ""]):
        ask_for(workspace, Transition.STOP, now=NOON + timedelta(minutes=number))
        finish_all_jobs(now=NOON) or do(here if number == 0 else there)
        newest = workspace.jobs.latest("created_at")
        ProvisionerJob.objects.filter(pk=newest.pk).update(machine=machine)

    ask_for(workspace, Transition.START, now=LATER)

    assert waiting(workspace).machine == "there"


def test_a_job_given_back_stays_where_it_may_have_left_something(here, there):
    workspace = make_workspace(now=NOON)
    job = acquire(here)

    jobs.release_job(job_id=job.job_id, lease=job.lease, now=NOON)

    assert acquire(there) is None
    assert acquire(here).workspace_id == workspace.pk


def test_a_job_its_daemon_never_heard_of_is_bound_no_more_than_before(here, there):
    fresh = make_workspace(now=NOON)
    job = acquire(here)

    jobs.release_unanswered(daemon_id=here.pk, lease=job.lease, now=NOON)

    assert waiting(fresh).machine == ""
    do(there)
    ask_for(fresh, Transition.STOP, now=NOON)
    again = acquire(there)
    jobs.release_unanswered(daemon_id=there.pk, lease=again.lease, now=NOON)
    assert waiting(fresh).machine == "there"


def test_a_job_given_back_once_stays_bound_when_it_is_next_given_to_nobody(here, there):
    """The daemon began to write files, gave the job back, and never heard that it got it again."""
    workspace = make_workspace(now=NOON)
    job = acquire(here)
    line = LogLine(at=NOON, level="info", stage="files", output="Writing 1 file")
    jobs.append_job_logs(job_id=job.job_id, lease=job.lease, lines=[line], now=NOON)
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=NOON)
    again = acquire(here)

    jobs.release_unanswered(daemon_id=here.pk, lease=again.lease, now=NOON)

    assert waiting(workspace).machine == "here"
    assert acquire(there) is None


def test_a_build_tells_its_jobs_machine_when_asked(here):
    workspace = built_on(here)

    assert ask_for(workspace, Transition.STOP, now=NOON).job.machine == "here"


class TestForgetting:
    def test_waiting_jobs_and_later_builds_are_done_by_any_daemon(self, here, there):
        first, second = built_on(here), built_on(here)
        ask_for(first, Transition.STOP, now=NOON)

        released = forget(machine="here")

        assert released == Release(workspaces=2, pending_jobs=1)
        assert acquire(there).workspace_id == first.pk
        ask_for(second, Transition.DELETE, now=NOON)
        assert acquire(there).workspace_id == second.pk

    def test_another_machines_workspaces_stay_bound(self, here, there):
        elsewhere = built_on(there)
        built_on(here)

        forget(machine="here")

        ask_for(elsewhere, Transition.STOP, now=NOON)
        assert waiting(elsewhere).machine == "there"

    def test_it_is_written_down_once_with_what_it_released(self, here):
        built_on(here)

        forget(machine="here")
        assert forget(machine="here") == Release(workspaces=0, pending_jobs=0)

        entry = AuditEntry.objects.get(action="forget_machine")
        assert (entry.object_type, entry.object_label) == ("provisionerdaemon", "here")
        assert entry.before == {"machine": "here"}
        assert entry.after == {"workspaces_released": 1, "pending_jobs_released": 0}

    def test_not_while_a_daemon_of_it_is_online(self, here):
        workspace = built_on(here)
        daemons.retire_daemon(daemon_id=here.pk, now=LATER)
        make_daemon(name="again", machine="here", now=LATER)

        with pytest.raises(MachineOnline, match="again of that machine is online"):
            forget(machine="here")

        assert workspace.jobs.get().machine == "here"

    def test_not_while_a_job_of_it_is_not_given_up(self, here):
        make_workspace(now=NOON)
        acquire(here)

        with pytest.raises(MachineOnline):
            forget(machine="here")

        jobs.reap_lost_jobs(now=LATER)
        assert forget(machine="here").workspaces == 1

    def test_a_machine_nobody_ever_came_from_is_not_there(self):
        with pytest.raises(UnknownMachine, match='"nowhere"'):
            forget(machine="nowhere")

    def test_what_was_deleted_keeps_its_past(self, here):
        workspace = built_on(here)
        ask_for(workspace, Transition.DELETE, now=NOON)
        do(here)

        assert forget(machine="here") == Release(workspaces=0, pending_jobs=0)
        assert set(workspace.jobs.values_list("machine", flat=True)) == {"here"}


def test_a_machine_is_told_by_a_daemon_that_is_online_before_one_seen_later(here):
    other = make_daemon(name="other", machine="here", now=NOON)
    daemons.retire_daemon(daemon_id=other.pk, now=NOON + timedelta(seconds=5))

    found = machines.find_machine("here", now=NOON + timedelta(seconds=6))

    assert (found.name, found.is_online) == ("here", True)


def test_what_is_bound_to_a_machine_is_counted(here, there):
    preset = preset_of(make_template(presets=[PresetSpec(name="Small", desired_instances=1)]))
    make_pending_prebuilds(preset, now=NOON)
    do(here)
    ask_for(built_on(here), Transition.STOP, now=NOON)
    built_on(there)

    assert machines.count_holdings("here") == machines.Holdings(
        workspaces=2, of_people=1, pending_jobs=1
    )


def test_only_waiting_jobs_of_machines_that_are_away_wait_for_one(
    here, there, django_assert_num_queries
):
    for daemon in (here, there):
        ask_for(built_on(daemon), Transition.STOP, now=NOON)
    daemons.retire_daemon(daemon_id=there.pk, now=NOON)
    make_workspace(now=NOON)
    everything = list(ProvisionerJob.objects.all())

    with django_assert_num_queries(1):
        found = machines.awaited_machines(everything, now=NOON)

    assert [(one.name, one.last_seen_at) for one in found.values()] == [("there", NOON)]
    assert [job.machine for job in everything if job.pk in found] == ["there"]
    assert [(one.name, number) for one, number in machines.count_awaiting(now=NOON)] == [
        ("there", 1)
    ]
    with django_assert_num_queries(0):
        done = [job for job in everything if job.completed_at]
        assert machines.awaited_machines(done, now=NOON) == {}


def test_a_machine_is_away_for_an_organization_that_none_of_its_daemons_serves():
    other, _ = make_key(organization=make_organization())
    gone = make_daemon(name="gone", machine="shared", key=make_key()[0], now=NOON)
    ask_for(built_on(gone), Transition.STOP, now=NOON)
    daemons.retire_daemon(daemon_id=gone.pk, now=NOON)
    make_daemon(name="theirs", machine="shared", key=other, now=NOON)

    found = machines.awaited_machines(list(ProvisionerJob.objects.all()), now=NOON)

    assert [one.name for one in found.values()] == ["gone"]


def test_a_list_has_the_machines_that_are_online_or_hold_something(
    here, there, django_assert_num_queries
):
    built_on(there)
    for daemon in (there, make_daemon(name="empty", machine="empty", now=NOON)):
        daemons.retire_daemon(daemon_id=daemon.pk, now=NOON)
    make_daemon(name="tells none", now=NOON)

    with django_assert_num_queries(2):
        found = machines.list_machines(now=NOON)

    assert [(one.name, one.is_online, held.workspaces) for one, held in found] == [
        ("here", True, 0),
        ("there", False, 1),
    ]


def test_rows_of_the_release_before_have_no_machine():
    """It knows nothing of the column, so the database says what stands in it."""
    daemon = make_daemon(now=NOON)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workspaces_provisionerdaemon (id, name, hostname, version,"
            " provisioner_types, tags, concurrency, started_at, last_seen_at)"
            " SELECT gen_random_uuid(), 'old', '', '', '[]', '{}', 1, now(), now()"
        )

    assert ProvisionerDaemon.objects.exclude(pk=daemon.pk).get().machine == ""
