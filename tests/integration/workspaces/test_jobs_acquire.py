"""Which job a daemon is given, and what it is told about it (semantics.md 17)."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.system import PREBUILDS_USER_ID
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    hours,
    make_daemon,
    make_organization,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    result_for,
)
from workspaces.enums import Transition
from workspaces.models import ProvisionerDaemon, ProvisionerJob
from workspaces.services import builds, jobs

pytestmark = pytest.mark.django_db


def acquire(daemon=None, now=NOON):
    daemon = daemon or make_daemon(now=now)
    return jobs.acquire_job(daemon_id=daemon.pk, access_url="http://here", now=now)


def acquire_all(daemon=None):
    daemon, found = daemon or make_daemon(now=NOON), []
    while job := acquire(daemon):
        found.append(job)
    return found


def pending_job(workspace) -> ProvisionerJob:
    return ProvisionerJob.objects.get(workspace=workspace, completed_at=None)


def delete_by_system(workspace, now):
    builds.create_build(
        workspace_id=workspace.pk,
        transition=Transition.DELETE,
        initiator_id=PREBUILDS_USER_ID,
        now=now,
    )


def test_people_come_before_prebuilds_deletions_before_creations_and_then_the_oldest():
    preset = preset_of(make_template(presets=[PresetSpec(name="Small", desired_instances=2)]))
    gone_late, gone_early = make_ready_prebuilds(preset, 2, now=NOON - hours(9))
    (first_made,) = make_pending_prebuilds(_other_preset(), 1, now=NOON - hours(8))
    (second_made,) = make_pending_prebuilds(_other_preset(), 1, now=NOON - hours(7))
    delete_by_system(gone_early, NOON - hours(6))
    delete_by_system(gone_late, NOON - hours(5))
    persons_first = make_workspace(now=NOON - hours(4))
    persons_second = make_workspace(now=NOON - hours(3))

    order = [job.workspace_id for job in acquire_all()]

    assert order == [
        persons_first.pk,
        persons_second.pk,
        gone_early.pk,
        gone_late.pk,
        first_made.pk,
        second_made.pk,
    ]


def _other_preset():
    return preset_of(make_template(presets=[PresetSpec(name="Small", desired_instances=1)]))


def test_a_persons_build_of_a_prebuild_counts_as_a_persons():
    (prebuild,) = make_ready_prebuilds(_other_preset(), 1, now=NOON - hours(2))
    make_pending_prebuilds(_other_preset(), 1, now=NOON - hours(1))
    ask_for(prebuild, Transition.STOP, now=NOON)

    assert acquire().workspace_id == prebuild.pk


def test_an_empty_queue_gives_nothing():
    assert acquire() is None


def test_a_job_is_given_once():
    make_workspace(now=NOON)

    assert acquire() is not None
    assert acquire() is None


def test_an_acquired_job_is_running_and_leased_to_its_daemon():
    workspace = make_workspace(now=NOON - hours(1))
    daemon = make_daemon(now=NOON)

    given = acquire(daemon)

    job = ProvisionerJob.objects.get(workspace=workspace)
    assert (job.status, job.started_at, job.heartbeat_at) == ("running", NOON, NOON)
    assert (job.daemon, job.lease) == (daemon, given.lease)


def test_every_acquire_hands_out_a_lease_of_its_own():
    for _ in range(3):
        make_workspace(now=NOON)

    leases = [job.lease for job in acquire_all()]

    assert len(set(leases)) == 3


TAGS = [
    # the job's, the daemon's, does it fit
    ({}, {}, True),
    ({}, {"os": "linux"}, True),
    ({"os": "linux"}, {"os": "linux"}, True),
    ({"os": "linux"}, {"os": "linux", "gpu": "yes"}, True),
    ({"os": "linux"}, {}, False),
    ({"os": "linux"}, {"os": "windows"}, False),
    ({"os": "linux", "gpu": "yes"}, {"os": "linux"}, False),
    ({"os": "linux"}, {"OS": "linux"}, False),
]


@pytest.mark.parametrize(("wanted", "offered", "fits"), TAGS)
def test_a_jobs_tags_must_be_contained_in_the_daemons(wanted, offered, fits):
    make_workspace(template=make_template(tags=wanted), now=NOON)
    daemon = make_daemon(tags=offered, now=NOON)

    assert (acquire(daemon) is not None) == fits


@pytest.mark.parametrize(
    ("types", "fits"),
    [(["local"], True), (["magic", "local"], True), (["magic"], False), ([], False)],
)
def test_a_daemon_gets_jobs_of_its_types_only(types, fits):
    make_workspace(now=NOON)

    assert (acquire(make_daemon(provisioner_types=types, now=NOON)) is not None) == fits


def test_a_job_that_does_not_fit_does_not_block_those_behind_it():
    make_workspace(template=make_template(tags={"gpu": "yes"}), now=NOON - hours(1))
    behind = make_workspace(now=NOON)

    assert acquire().workspace_id == behind.pk


def test_a_daemon_of_an_organization_sees_its_jobs_only():
    organization = make_organization()
    make_workspace(now=NOON - hours(1))
    own = make_workspace(
        make_user(organization=organization),
        template=make_template(organization=organization),
        now=NOON,
    )
    daemon = make_daemon(now=NOON)
    ProvisionerDaemon.objects.filter(pk=daemon.pk).update(organization=organization)

    assert [job.workspace_id for job in acquire_all(daemon)] == [own.pk]


def test_a_daemon_without_an_organization_serves_all():
    organization = make_organization()
    make_workspace(now=NOON)
    make_workspace(
        make_user(organization=organization), template=make_template(organization=organization)
    )

    assert len(acquire_all()) == 2


def test_a_canceled_job_is_never_acquired():
    workspace = make_workspace(now=NOON)
    jobs.cancel_job(job_id=pending_job(workspace).pk, now=NOON)

    assert acquire() is None


def test_a_job_canceled_in_its_row_only_is_never_acquired_either():
    make_workspace(now=NOON)
    ProvisionerJob.objects.update(canceled_at=NOON)

    assert acquire() is None


def test_a_job_that_was_given_back_is_given_again_with_another_lease():
    make_workspace(now=NOON)
    first = acquire()
    jobs.release_job(job_id=first.job_id, lease=first.lease, now=NOON)

    second = acquire(now=NOON + timedelta(seconds=1))

    assert second.job_id == first.job_id
    assert second.lease != first.lease


def test_the_daemon_is_told_everything_the_build_needs():
    template = make_template(
        "web",
        definitions=[ParameterDefinition(name="size", type="string", default="s")],
        source_files={"a.txt": "hello"},
        startup_script="echo hi",
        startup_timeout_seconds=7,
    )
    owner = make_user("dana")
    workspace = make_workspace(
        owner, template=template, name="mine", parameters={"size": "m"}, now=NOON
    )

    job = acquire()

    assert (job.workspace_id, job.workspace_name) == (workspace.pk, "mine")
    assert (job.build_id, job.build_number) == (workspace.latest_build_id, 1)
    assert (job.owner_id, job.owner_name) == (owner.pk, "dana")
    assert (job.template_name, job.template_version) == ("web", "1.0.0")
    assert (job.transition, job.stage) == ("start", "none")
    assert (job.source_files, job.startup_script) == ({"a.txt": "hello"}, "echo hi")
    assert job.startup_timeout_seconds == 7
    assert job.parameters == {"size": "m"}
    assert job.provisioner_state == {}
    assert job.access_url == "http://here"


def test_acquiring_costs_the_same_number_of_statements_whatever_waits(django_assert_num_queries):
    for _ in range(10):
        make_workspace(now=NOON)
    daemon = make_daemon(now=NOON)

    with django_assert_num_queries(2):  # daemon, lease
        acquire(daemon)


def test_asking_again_with_the_same_lease_tells_the_same_and_counts_as_a_sign_of_life():
    make_workspace(now=NOON)
    daemon, lease = make_daemon(now=NOON), uuid4()
    words = {"daemon_id": daemon.pk, "access_url": "http://here", "lease": lease}
    first = jobs.acquire_job(**words, now=NOON)

    again = jobs.acquire_job(**words, now=NOON + timedelta(seconds=9))

    assert again == first
    row = ProvisionerJob.objects.get()
    assert (row.started_at, row.heartbeat_at) == (NOON, NOON + timedelta(seconds=9))


def test_a_daemon_nobody_knows_gets_nothing_not_even_silence():
    make_workspace(now=NOON)

    for lease in (None, uuid4()):
        with pytest.raises(ProvisionerDaemon.DoesNotExist):
            jobs.acquire_job(daemon_id=uuid4(), access_url="", lease=lease, now=NOON)

    assert ProvisionerJob.objects.get().status == "pending"


def test_the_next_build_gets_the_state_the_one_before_left_behind():
    workspace = make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(workspace, Transition.STOP, now=NOON)

    assert acquire().provisioner_state == result_for(workspace.pk).provisioner_state


def test_a_claim_build_gets_the_state_of_the_prebuild():
    preset = preset_of(make_template())
    (prebuild,) = make_ready_prebuilds(preset, 1, now=NOON)
    claim_prebuild(preset, now=NOON)

    job = acquire()

    assert (job.workspace_id, job.stage, job.build_number) == (prebuild.pk, "prebuild_claim", 2)
    assert job.provisioner_state == {"directory": str(prebuild.pk)}


def test_after_a_failed_build_the_last_state_there_was_counts():
    workspace = make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(workspace, Transition.STOP, now=NOON)
    finish_all_jobs(now=NOON, fail="no")
    ask_for(workspace, Transition.DELETE, now=NOON)

    assert acquire().provisioner_state == {"directory": str(workspace.pk)}
