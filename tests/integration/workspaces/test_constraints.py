"""The database refuses workspaces, builds, jobs and agents that must not be."""

from datetime import timedelta
from itertools import product
from uuid import uuid4

import pytest
from django.db import ProgrammingError, transaction

from accounts.models import User
from accounts.system import PREBUILDS_USER_ID
from tests.factories import (
    NOON,
    default_organization,
    finish_all_jobs,
    make_organization,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from tests.integration.referee import assert_refused, constraints_of, run
from workspaces.models import (
    Agent,
    BuildParameter,
    ProvisionerJob,
    ProvisionerKey,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)

pytestmark = pytest.mark.django_db

IMPLIED = {"build_of_workspace"}


def insert_workspace(owner: User, name: str, **fields) -> Workspace:
    """Insert the bare row, past the services' own checks."""
    return Workspace.objects.create(
        organization=default_organization(),
        owner=owner,
        template=make_template(),
        name=name,
        **fields,
    )


def prebuild_with(**fields):
    def attempt():
        owner = User.with_system.get(pk=PREBUILDS_USER_ID)
        insert_workspace(owner, "prebuild-x", **fields)

    return attempt


def workspace_with(**fields):
    return lambda: insert_workspace(make_user(), "web", **fields)


def job_with(**fields):
    """Try to change a pending job in place."""

    def attempt():
        make_workspace()
        ProvisionerJob.objects.update(**fields)

    return attempt


def build_with(**fields):
    def attempt():
        make_workspace()
        WorkspaceBuild.objects.update(**fields)

    return attempt


def agent_with(**fields):
    def attempt():
        make_workspace()
        finish_all_jobs(now=NOON)
        Agent.objects.update(**fields)

    return attempt


def in_sql(sql: str):
    def attempt():
        make_workspace()
        finish_all_jobs(now=NOON)
        assert run(sql)

    return attempt


def two_live_workspaces_of_one_name():
    owner = make_user()
    insert_workspace(owner, "web")
    insert_workspace(owner, "WEB")


def unknown_automatic_updates():
    insert_workspace(make_user(), "web", automatic_updates="weekly")


def copy_of(row, **changes):
    row.pk, row._state.adding = uuid4(), True
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


def two_unfinished_jobs():
    make_workspace()
    copy_of(ProvisionerJob.objects.get())


def two_builds_of_one_number():
    make_workspace()
    finish_all_jobs(now=NOON)
    job = copy_of(ProvisionerJob.objects.get())  # finished as well
    copy_of(WorkspaceBuild.objects.get(), job=job)


def two_builds_of_one_job():
    make_workspace()
    copy_of(WorkspaceBuild.objects.get(), build_number=2)


def prebuild_stage(**fields):
    """Try to make a build of a prebuild something its stage excludes."""

    def attempt():
        make_pending_prebuilds(preset_of(make_template()), 1)
        WorkspaceBuild.objects.update(**fields)

    return attempt


def two_values_of_one_parameter():
    make_workspace()
    build = WorkspaceBuild.objects.get()
    for value in ("a", "b"):
        BuildParameter.objects.create(build=build, name="region", value=value)


def two_resources_of_one_name():
    make_workspace()
    finish_all_jobs(now=NOON)
    copy_of(WorkspaceResource.objects.get())


def two_agents_of_one_name():
    make_workspace()
    finish_all_jobs(now=NOON)
    copy_of(Agent.objects.get())


def two_keys_of_one_name():
    organization = make_organization()
    for name in ("ci", "CI"):
        ProvisionerKey.objects.create(organization=organization, name=name, digest=uuid4().bytes)


def latest_build_of_another_workspace():
    one, other = make_workspace(), make_workspace()
    Workspace.objects.filter(pk=one.pk).update(latest_build=other.latest_build_id)


def a_workspace_with_a_ttl_becomes_a_prebuild():
    make_workspace()
    Workspace.objects.update(ttl_seconds=3600)
    Workspace.objects.update(owner_id=PREBUILDS_USER_ID)


NO_LIFECYCLE = "workspace_prebuild_has_no_lifecycle"
REFUSED = [
    ("workspace_name_unique_while_live", two_live_workspaces_of_one_name),
    ("workspace_automatic_updates_known", unknown_automatic_updates),
    (NO_LIFECYCLE, prebuild_with(automatic_updates="always")),
    (NO_LIFECYCLE, prebuild_with(autostart_schedule="0 9 * * *")),
    (NO_LIFECYCLE, prebuild_with(ttl_seconds=3600)),
    (NO_LIFECYCLE, prebuild_with(ttl_seconds=0)),
    (NO_LIFECYCLE, prebuild_with(next_start_at=NOON)),
    (NO_LIFECYCLE, prebuild_with(dormant_at=NOON)),
    (NO_LIFECYCLE, prebuild_with(deleting_at=NOON)),
    (NO_LIFECYCLE, a_workspace_with_a_ttl_becomes_a_prebuild),
    ("workspace_start_planned_by_schedule", workspace_with(next_start_at=NOON)),
    ("workspace_undated_while_awake", workspace_with(deleting_at=NOON)),
    ("workspace_latest_build_is_its_own", latest_build_of_another_workspace),
    ("job_one_unfinished_per_workspace", two_unfinished_jobs),
    ("job_provisioner_known", job_with(provisioner_type="magic")),
    ("job_type_known", job_with(type="daydream")),
    ("job_priority_known", job_with(priority=9)),
    ("job_error_code_known", job_with(completed_at=NOON, error="x", error_code="bad_luck")),
    ("job_error_only_when_completed", job_with(error="x")),
    ("job_error_only_when_completed", job_with(error_code="driver_error")),
    ("job_leased_while_started", job_with(started_at=NOON)),
    ("job_leased_while_started", job_with(started_at=NOON, lease=uuid4())),
    ("job_leased_while_started", job_with(started_at=NOON, heartbeat_at=NOON)),
    ("job_leased_while_started", job_with(lease=uuid4())),
    ("build_number_unique", two_builds_of_one_number),
    ("workspaces_workspacebuild_job_id_key", two_builds_of_one_job),
    ("build_number_from_one", build_with(build_number=0)),
    ("build_transition_known", build_with(transition="restart")),
    ("build_stage_known", prebuild_stage(stage="prebuild_loved")),
    ("build_reason_known", build_with(reason="boredom")),
    ("build_prebuild_stage_is_a_start_of_a_preset", prebuild_stage(transition="stop")),
    ("build_prebuild_stage_is_a_start_of_a_preset", prebuild_stage(preset=None)),
    ("build_parameter_unique", two_values_of_one_parameter),
    ("resource_unique", two_resources_of_one_name),
    ("agent_name_unique", two_agents_of_one_name),
    ("agent_lifecycle_known", agent_with(lifecycle_state="daydreaming")),
    ("agent_ready_has_its_time", agent_with(lifecycle_state="ready")),
    ("provisioner_key_name_unique", two_keys_of_one_name),
    ("build_transition_known", in_sql("UPDATE workspaces_workspacebuild SET transition = ''")),
    ("job_type_known", in_sql("UPDATE workspaces_provisionerjob SET type = ''")),
    ("agent_lifecycle_known", in_sql("UPDATE workspaces_agent SET lifecycle_state = 'READY'")),
]


@pytest.mark.parametrize(("constraint", "attempt"), REFUSED)
def test_the_database_refuses(constraint, attempt):
    assert_refused(constraint, attempt)


def test_every_constraint_of_the_models_is_in_the_table():
    named = constraints_of("workspaces", implied=IMPLIED)

    assert named <= {constraint for constraint, _ in REFUSED}


def test_the_name_of_a_deleted_workspace_can_be_used_again():
    owner = make_user()
    insert_workspace(owner, "web", deleted_at=NOON)
    insert_workspace(owner, "web", deleted_at=NOON)

    insert_workspace(owner, "Web")

    assert owner.workspaces.count() == 3


def test_two_people_may_have_a_workspace_of_one_name():
    insert_workspace(make_user(), "web")
    insert_workspace(make_user(), "web")

    assert Workspace.objects.filter(name="web").count() == 2


def test_a_workspace_has_many_finished_jobs_beside_one_unfinished():
    make_workspace()
    finish_all_jobs(now=NOON)
    copy_of(ProvisionerJob.objects.get())
    fresh = {"started_at": None, "heartbeat_at": None, "lease": None, "completed_at": None}

    copy_of(ProvisionerJob.objects.first(), **fresh)

    assert ProvisionerJob.objects.filter(completed_at=None).count() == 1
    assert ProvisionerJob.objects.count() == 3


def test_a_claimed_prebuild_may_have_what_a_prebuild_may_not():
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)

    changed = Workspace.objects.filter(pk=prebuild.pk).update(
        owner=make_user(), ttl_seconds=3600, automatic_updates="always"
    )

    assert changed == 1


def test_a_person_with_workspaces_cannot_be_deleted():
    workspace = make_workspace()

    assert_refused(
        "_fk_accounts_user_id",
        lambda: run("DELETE FROM accounts_user WHERE id = %s", workspace.owner_id),
    )


STATUS_TABLE = {
    # started, canceled, completed, with an error: the status
    (False, False, False, False): "pending",
    (True, False, False, False): "running",
    (True, True, False, False): "canceling",
    (False, True, False, False): "canceling",
    (False, True, True, False): "canceled",
    (True, True, True, False): "canceled",
    (False, False, True, False): "succeeded",
    (True, False, True, False): "succeeded",
    (False, False, True, True): "failed",
    (True, False, True, True): "failed",
    (False, True, True, True): "failed",
    (True, True, True, True): "failed",
}


def test_the_status_table_has_every_possible_combination():
    possible = {each for each in product([False, True], repeat=4) if each[2] or not each[3]}

    assert set(STATUS_TABLE) == possible


@pytest.mark.parametrize(("moments", "status"), STATUS_TABLE.items())
def test_a_jobs_status_follows_from_its_timestamps(moments, status):
    started, canceled, completed, failed = moments
    job_id = _pending_job()
    later = NOON + timedelta(seconds=1)

    ProvisionerJob.objects.filter(pk=job_id).update(
        started_at=NOON if started else None,
        heartbeat_at=NOON if started else None,
        lease=uuid4() if started else None,
        canceled_at=later if canceled else None,
        completed_at=later if completed else None,
        error="broken" if failed else "",
    )

    assert ProvisionerJob.objects.get(pk=job_id).status == status
    assert ProvisionerJob.objects.filter(status=status).count() == 1


def test_nobody_can_write_a_status():
    make_workspace()

    with pytest.raises(ProgrammingError, match="generated column"), transaction.atomic():
        run("UPDATE workspaces_provisionerjob SET status = 'succeeded'")


def _pending_job():
    make_workspace()
    return ProvisionerJob.objects.get().pk
