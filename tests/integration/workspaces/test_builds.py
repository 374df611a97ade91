"""Asking for work: numbers, carried values, refusals, and bulk (semantics.md 12, 17)."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.system import PREBUILDS_USER_ID
from templates_app.parameters import InvalidParameters, ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec, create_version
from tests.factories import (
    NOON,
    acquire,
    allow,
    finish_all_jobs,
    make_pending_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces import locks
from workspaces.enums import BuildReason, Stage, Transition
from workspaces.errors import BuildInProgress, WorkspaceDeleted
from workspaces.models import BuildParameter, ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.services import builds, jobs

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)
DISK = ParameterDefinition(name="disk", type="number", default="10", mutable=False)
SIZE = ParameterDefinition(name="size", type="string", default="s")
ONCE = ParameterDefinition(name="once", type="string", default="no", ephemeral=True)
NEEDED = ParameterDefinition(name="needed", type="string", required=True)


def built_workspace(parameters=None, **version):
    template = make_template(**{"definitions": [DISK, SIZE, ONCE], "daily_cost": 4, **version})
    owner = make_user()
    allow(owner, 100)
    workspace = make_workspace(owner, template=template, parameters=parameters or {}, now=NOON)
    finish_all_jobs(now=NOON)
    return workspace


def ask(workspace, transition=Transition.START, **more):
    return builds.create_build(
        workspace_id=workspace.pk,
        transition=transition,
        **{"initiator_id": workspace.owner_id, "now": LATER, **more},
    )


def values(build):
    return dict(build.parameters.values_list("name", "value"))


def new_version(workspace, *definitions):
    spec = VersionSpec(name=f"v-{uuid4()}", definitions=definitions)
    return create_version(template=workspace.template, created_by=make_user(), spec=spec)


def test_builds_are_numbered_from_one_per_workspace():
    one, other = built_workspace(), built_workspace()
    for transition in (Transition.STOP, Transition.START):
        ask(one, transition)
        finish_all_jobs(now=LATER)

    assert sorted(one.builds.values_list("build_number", flat=True)) == [1, 2, 3]
    assert list(other.builds.values_list("build_number", flat=True)) == [1]


def test_the_newest_build_is_the_latest_of_its_workspace():
    workspace = built_workspace()

    build = ask(workspace, Transition.STOP, reason=BuildReason.AUTOSTOP)

    workspace.refresh_from_db()
    assert workspace.latest_build == build
    assert workspace.updated_at == build.created_at == LATER
    assert (build.transition, build.reason, build.stage) == ("stop", "autostop", Stage.NONE)


def test_build_and_job_are_born_together():
    workspace = make_workspace(template=make_template(tags={"os": "linux"}), now=NOON)

    job = workspace.builds.get().job

    assert (job.status, job.workspace_id, job.created_at) == ("pending", workspace.pk, NOON)
    assert job.organization_id == workspace.organization_id
    assert job.initiator_id == workspace.owner_id
    assert (job.provisioner_type, job.tags) == ("local", {"os": "linux"})


def test_only_a_start_costs():
    workspace = built_workspace()

    stop = ask(workspace, Transition.STOP)
    finish_all_jobs(now=LATER)
    start = ask(workspace, Transition.START)

    assert (stop.daily_cost, start.daily_cost) == (0, 4)


PRIORITIES = [
    # does the system ask, the transition, the job's priority
    (False, Transition.START, 0),
    (False, Transition.DELETE, 0),
    (True, Transition.DELETE, 1),
    (True, Transition.START, 2),
    (True, Transition.STOP, 2),
]


@pytest.mark.parametrize(("by_system", "transition", "priority"), PRIORITIES)
def test_who_asks_decides_who_is_served_first(by_system, transition, priority):
    workspace = built_workspace()
    initiator = PREBUILDS_USER_ID if by_system else workspace.owner_id

    assert ask(workspace, transition, initiator_id=initiator).job.priority == priority


@pytest.mark.parametrize("state", ["pending", "running", "canceling"])
def test_a_workspace_has_one_unfinished_build(state):
    workspace = built_workspace()
    ask(workspace)
    if state != "pending":
        job = acquire(now=LATER)
    if state == "canceling":
        jobs.cancel_job(job_id=job.job_id, now=LATER)

    with pytest.raises(BuildInProgress):
        ask(workspace, Transition.DELETE)

    assert workspace.builds.count() == 2


@pytest.mark.parametrize("fail", ["", "no"])
def test_after_the_end_of_a_build_good_or_bad_there_may_be_another(fail):
    workspace = built_workspace()
    ask(workspace, Transition.STOP)
    finish_all_jobs(now=LATER, fail=fail)

    assert ask(workspace).build_number == 3


def test_a_deleted_workspace_gets_no_more_builds():
    workspace = built_workspace()
    ask(workspace, Transition.DELETE)
    finish_all_jobs(now=LATER)

    with pytest.raises(WorkspaceDeleted):
        ask(workspace)


def test_values_are_carried_over_from_build_to_build():
    workspace = built_workspace({"disk": "20", "size": "l", "once": "yes"})

    build = ask(workspace)

    assert values(build) == {"disk": "20", "size": "l", "once": "no"}


def test_given_values_replace_the_ones_carried_over():
    workspace = built_workspace({"size": "l"})

    build = ask(workspace, given={"size": "m"})

    assert values(build) == {"disk": "10", "size": "m", "once": "no"}


def test_values_a_new_version_no_longer_has_are_dropped_and_its_defaults_are_added():
    workspace = built_workspace({"size": "l"})
    version = new_version(
        workspace, SIZE, ParameterDefinition(name="new", type="bool", default="true")
    )

    build = ask(workspace, template_version=version)

    assert values(build) == {"size": "l", "new": "true"}
    assert build.template_version == version


REFUSED = [
    ({"disk": "30"}, "disk"),
    ({"sise": "m"}, "sise"),
]


@pytest.mark.parametrize(("given", "field"), REFUSED)
def test_a_start_with_a_value_that_may_not_be_is_refused_and_nothing_happens(given, field):
    workspace = built_workspace()

    with pytest.raises(InvalidParameters) as refusal:
        ask(workspace, given=given)

    assert [problem.field for problem in refusal.value.problems] == [field]
    assert WorkspaceBuild.objects.count() == ProvisionerJob.objects.count() == 1


def test_an_immutable_value_may_be_given_again_as_it_is():
    workspace = built_workspace({"disk": "20"})

    assert values(ask(workspace, given={"disk": "20.0"}))["disk"] == "20.0"


def test_a_start_on_a_version_with_a_new_required_parameter_must_give_it():
    workspace = built_workspace()
    version = new_version(workspace, NEEDED)

    with pytest.raises(InvalidParameters):
        ask(workspace, template_version=version)

    assert values(ask(workspace, template_version=version, given={"needed": "x"})) == {
        "needed": "x"
    }


@pytest.mark.parametrize("transition", [Transition.STOP, Transition.DELETE])
def test_ending_is_never_stopped_by_parameters(transition):
    workspace = built_workspace({"size": "l"})
    version = new_version(workspace, NEEDED)

    build = ask(workspace, transition, template_version=version)

    assert values(build) == {"disk": "10", "size": "l", "once": "no"}


def test_a_deletion_stays_on_the_workspaces_own_version():
    workspace = built_workspace()
    before = workspace.latest_build.template_version
    template = workspace.template
    template.active_version = new_version(workspace, NEEDED)
    template.save()

    assert ask(workspace, Transition.DELETE).template_version == before


def test_the_preset_is_kept_while_the_version_stays():
    preset = preset_of(make_template())
    (prebuild,) = make_pending_prebuilds(preset, 1, now=NOON)
    finish_all_jobs(now=NOON)

    assert ask(prebuild, Transition.STOP).preset == preset
    finish_all_jobs(now=NOON)
    version = new_version(prebuild)
    assert ask(prebuild, template_version=version).preset is None


def requests_for(preset, number):
    """Insert bare workspaces and return the requests for their first builds."""
    version, requests = preset.version, []
    for index in range(number):
        workspace = Workspace(
            organization_id=version.template.organization_id,
            owner_id=PREBUILDS_USER_ID,
            template=version.template,
            name=f"bulk-{index}",
            latest_build_id=uuid4(),
        )
        requests.append(
            builds.BuildRequest(
                workspace=workspace,
                build_id=workspace.latest_build_id,
                build_number=1,
                transition=Transition.START,
                template_version=version,
                initiator_id=PREBUILDS_USER_ID,
                parameters={"a": "1", "b": "2"},
                preset_id=preset.pk,
            )
        )
    Workspace.objects.bulk_create(request.workspace for request in requests)
    return requests


@pytest.mark.parametrize("number", [1, 50])
def test_fifty_builds_cost_as_many_statements_as_one(number):
    requests = requests_for(preset_of(make_template()), number)

    with CaptureQueriesContext(connection) as statements:
        made = builds.insert_builds(requests, now=NOON)

    inserts = [one for one in statements if one["sql"].startswith("INSERT")]
    assert len(inserts) == 3
    assert len(statements) <= 9  # and a savepoint around each
    assert len(made) == ProvisionerJob.objects.count() == number
    assert BuildParameter.objects.count() == 2 * number


def test_no_requests_make_no_builds():
    assert builds.insert_builds([], now=NOON) == []


def pending_prebuild():
    (prebuild,) = make_pending_prebuilds(
        preset_of(make_template(presets=[PresetSpec(name="Small", desired_instances=1)])), now=NOON
    )
    jobs.cancel_job(job_id=ProvisionerJob.objects.get().pk, now=LATER)
    return prebuild


def test_an_orphan_is_deleted_without_a_daemon():
    prebuild = pending_prebuild()
    first = WorkspaceBuild.objects.get()

    with transaction.atomic():
        builds.orphan_delete(
            locks.lock_workspace(prebuild.pk),
            initiator_id=PREBUILDS_USER_ID,
            reason="surplus",
            now=LATER,
        )

    prebuild.refresh_from_db()
    last = prebuild.latest_build
    assert prebuild.deleted_at == LATER
    assert (last.build_number, last.transition, last.action_reason) == (2, "delete", "surplus")
    assert (last.reason, last.preset, last.template_version) == (
        "reconcile",
        first.preset,
        first.template_version,
    )
    assert (last.job.status, last.job.completed_at, last.job.started_at) == (
        "succeeded",
        LATER,
        None,
    )
    assert finish_all_jobs(now=LATER) == []
