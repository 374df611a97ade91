"""What a job leaves behind when it ends: state, resources, deadline, log."""

from dataclasses import replace
from datetime import timedelta

import pytest

from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    acquire,
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_workspace,
    preset_of,
    result_for,
)
from workspaces.enums import LifecycleState, Transition
from workspaces.models import (
    Agent,
    JobLog,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)
from workspaces.protocol import (
    LOG_CUT,
    LOG_LINE_LIMIT,
    LOG_TOTAL_LIMIT,
    AgentReport,
    LogLine,
    ResourceReplacement,
    ResourceReport,
)
from workspaces.services import agents, jobs

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)


def complete(job, result=None, now=LATER):
    jobs.complete_job(
        job_id=job.job_id, lease=job.lease, result=result or result_for(job.workspace_id), now=now
    )


def running_job(**workspace):
    make_workspace(now=NOON, **workspace)
    return acquire(now=NOON)


def log(job, *outputs):
    lines = [LogLine(at=NOON, level="info", stage="build", output=each) for each in outputs]
    jobs.append_job_logs(job_id=job.job_id, lease=job.lease, lines=lines, now=NOON)


def stored_log():
    return list(JobLog.objects.order_by("pk").values_list("output", flat=True))


def test_a_completed_start_stores_state_resources_and_agent():
    job = running_job()

    complete(job, result_for(job.workspace_id, token="secret"))

    row = ProvisionerJob.objects.get()
    assert (row.status, row.completed_at) == ("succeeded", LATER)
    build = WorkspaceBuild.objects.get()
    assert build.provisioner_state == {"directory": str(job.workspace_id)}
    resource = WorkspaceResource.objects.get()
    assert (resource.build, resource.name, resource.type) == (build, "workspace", "local_process")
    agent = Agent.objects.get()
    assert (agent.resource, agent.name, agent.lifecycle_state) == (resource, "main", "created")
    assert bytes(agent.token_digest) == agents.digest("secret")


def test_an_agents_token_is_stored_nowhere():
    job = running_job()

    complete(job, result_for(job.workspace_id, token="very-secret-token"))

    for model in (Agent, WorkspaceBuild, WorkspaceResource, ProvisionerJob, Workspace):
        assert "very-secret-token" not in str(list(model.objects.values()))
        assert b"very-secret-token" not in repr(list(model.objects.values())).encode()


def test_resources_reported_early_let_the_agent_connect_before_the_build_ends():
    job = running_job()

    jobs.report_resources(
        job_id=job.job_id,
        lease=job.lease,
        resources=result_for(job.workspace_id, token="secret").resources,
        now=NOON,
    )

    assert ProvisionerJob.objects.get().status == "running"
    assert agents.authenticate("secret").resource.build_id == job.build_id


def test_reporting_the_same_resources_again_keeps_the_rows_and_renews_the_token():
    job = running_job()
    jobs.report_resources(
        job_id=job.job_id,
        lease=job.lease,
        resources=result_for(job.workspace_id, token="first").resources,
        now=NOON,
    )
    before = Agent.objects.get()

    complete(job, result_for(job.workspace_id, token="second"))

    after = Agent.objects.get()
    assert (after.pk, after.created_at) == (before.pk, NOON)
    assert bytes(after.token_digest) == agents.digest("second")


def test_completing_costs_the_same_number_of_statements_whatever_was_made(
    django_assert_num_queries,
):
    job = running_job()
    agents_of = [[AgentReport(name=f"a{n}", token=f"{r}-{n}") for n in range(3)] for r in range(4)]
    made = [ResourceReport(name=f"r{r}", type="t", agents=each) for r, each in enumerate(agents_of)]
    result = replace(result_for(job.workspace_id), resources=made)

    # Savepoint, build, template, job with its build, resources with agents, release.
    with django_assert_num_queries(6):
        complete(job, result)

    assert Agent.objects.count() == 12


def test_a_resource_or_agent_that_is_told_twice_is_there_once_and_the_last_token_counts():
    job = running_job()
    tokens = [AgentReport(name="main", token=each) for each in ("first", "second")]
    made = [ResourceReport(name="machine", type="vm", agents=[each]) for each in tokens]

    complete(job, replace(result_for(job.workspace_id), resources=made))

    assert WorkspaceResource.objects.count() == 1
    assert bytes(Agent.objects.get().token_digest) == agents.digest("second")


def test_an_agent_of_a_known_name_keeps_what_it_said_of_itself():
    job = running_job()
    made = result_for(job.workspace_id).resources
    jobs.report_resources(job_id=job.job_id, lease=job.lease, resources=made, now=NOON)
    before = Agent.objects.get()
    agents.report_lifecycle(agent_id=before.pk, state=LifecycleState.READY, now=NOON)

    complete(job)

    after = Agent.objects.get()
    assert (after.lifecycle_state, after.ready_at, after.lifecycle_changed_at) == (
        "ready",
        NOON,
        NOON,
    )


def test_a_report_renews_what_is_known_and_adds_what_is_new():
    job = running_job()
    first = AgentReport(name="main", token="first")
    disk = ResourceReport(name="disk", type="volume")
    for agents_made in ([first], [replace(first, token="second"), replace(first, name="side")]):
        machine = ResourceReport(name="machine", type="vm", agents=agents_made)
        jobs.report_resources(
            job_id=job.job_id, lease=job.lease, resources=[machine, disk], now=NOON
        )

    tokens = dict(Agent.objects.values_list("name", "token_digest"))
    assert {name: bytes(token) for name, token in tokens.items()} == {
        "main": agents.digest("second"),
        "side": agents.digest("first"),
    }
    assert WorkspaceResource.objects.count() == 2


def test_a_completed_deletion_ends_the_workspace():
    workspace = make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(workspace, Transition.DELETE, now=NOON)
    job = acquire(now=NOON)

    complete(job, replace(result_for(workspace.pk), provisioner_state={}, resources=[]))

    workspace.refresh_from_db()
    assert workspace.deleted_at == workspace.updated_at == LATER


@pytest.mark.parametrize("transition", [Transition.START, Transition.STOP])
def test_no_other_transition_ends_it(transition):
    workspace = make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(workspace, transition, now=NOON)

    complete(acquire(now=NOON))

    workspace.refresh_from_db()
    assert workspace.deleted_at is None


def test_a_failed_deletion_leaves_the_workspace_alive():
    workspace = make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(workspace, Transition.DELETE, now=NOON)

    finish_all_jobs(now=NOON, fail="busy")

    workspace.refresh_from_db()
    assert workspace.deleted_at is None


def test_replacements_are_stored_with_the_build():
    preset = preset_of(make_template())
    make_ready_prebuilds(preset, 1, now=NOON)
    claim_prebuild(preset, now=NOON)
    job = acquire(now=NOON)
    replaced = ResourceReplacement(resource="disk", paths=("owner", "size"))

    complete(job, replace(result_for(job.workspace_id), replacements=[replaced]))

    build = WorkspaceBuild.objects.get(pk=job.build_id)
    assert build.replacements == [{"resource": "disk", "paths": ["owner", "size"]}]


DAY = 86_400
DEADLINES = [
    # transition, the template's ttl, seconds from the end of the build to the deadline
    (Transition.START, DAY, DAY),
    (Transition.START, 0, None),
    (Transition.STOP, DAY, None),
    (Transition.DELETE, DAY, None),
]


@pytest.mark.parametrize(("transition", "ttl", "expected"), DEADLINES)
def test_a_persons_started_workspace_gets_its_deadline(transition, ttl, expected):
    template = make_template(fields={"default_ttl_seconds": ttl})
    workspace = make_workspace(template=template, now=NOON)
    finish_all_jobs(now=NOON)
    build = ask_for(workspace, transition, now=NOON)

    complete(acquire(now=NOON))

    build.refresh_from_db()
    assert build.deadline == (LATER + timedelta(seconds=expected) if expected else None)


def test_a_prebuild_gets_no_deadline():
    template = make_template(fields={"default_ttl_seconds": DAY})
    make_pending_prebuilds(preset_of(template), 1, now=NOON)

    complete(acquire(now=NOON))

    assert WorkspaceBuild.objects.get().deadline is None


def test_a_claim_build_gives_the_new_owner_their_deadline():
    template = make_template(
        presets=[PresetSpec(name="Small", desired_instances=1)],
        fields={"default_ttl_seconds": DAY},
    )
    make_ready_prebuilds(preset_of(template), 1, now=NOON)
    claim_prebuild(preset_of(template), now=NOON)

    complete(acquire(now=NOON))

    build = WorkspaceBuild.objects.get(build_number=2)
    assert build.deadline == LATER + timedelta(seconds=DAY)


def test_a_failure_is_told_in_its_own_words():
    job = running_job()

    jobs.fail_job(
        job_id=job.job_id, lease=job.lease, error="exit 3", code="script_failed", now=LATER
    )

    row = ProvisionerJob.objects.get()
    assert (row.status, row.error, row.error_code) == ("failed", "exit 3", "script_failed")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("", "The build failed without saying why."),
        ("x" * 9_000 + "the end", "x" * 7_993 + "the end"),
        ("exit\x00code", "exit\ufffdcode"),
    ],
    ids=["without words", "too long: the end is kept", "with a NUL byte"],
)
def test_a_failure(error, expected):
    job = running_job()

    jobs.fail_job(job_id=job.job_id, lease=job.lease, error=error, code="script_failed", now=LATER)

    row = ProvisionerJob.objects.get()
    assert (row.status, row.error) == ("failed", expected)


def test_log_lines_are_kept_in_order():
    job = running_job()

    log(job, "one", "", "two")
    log(job, "three")

    assert stored_log() == ["one", "", "two", "three"]
    first = JobLog.objects.first()
    assert (first.at, first.level, first.stage) == (NOON, "info", "build")


def test_a_long_line_is_cut():
    job = running_job()

    log(job, "a" * (LOG_LINE_LIMIT + 1))

    assert stored_log() == ["a" * LOG_LINE_LIMIT]


def test_nul_bytes_become_something_a_database_can_hold():
    job = running_job()

    log(job, "a\x00b")

    assert stored_log() == ["a\ufffdb"]


def fill(job, characters):
    """Log that many characters in lines of the longest length."""
    full, rest = divmod(characters, LOG_LINE_LIMIT)
    log(job, *["x" * LOG_LINE_LIMIT] * full, *(["y" * rest] if rest else []))


def test_a_log_beyond_the_limit_ends_with_one_closing_line():
    job = running_job()
    ProvisionerJob.objects.update(log_length=LOG_TOTAL_LIMIT - 10)

    log(job, "fits", "does not fit any more", "nor this")
    log(job, "nor that")
    log(job, "nor anything")

    assert stored_log() == ["fits", LOG_CUT]


def test_a_log_in_one_flood_is_capped_as_well():
    job = running_job()

    fill(job, 2 * LOG_TOTAL_LIMIT)

    assert sum(map(len, stored_log())) <= LOG_TOTAL_LIMIT + len(LOG_CUT)
    assert stored_log()[-1] == LOG_CUT


def test_a_flood_of_empty_lines_is_capped_too():
    job = running_job()
    ProvisionerJob.objects.update(log_length=LOG_TOTAL_LIMIT - 100)

    log(job, *[""] * 1_000)

    assert len(stored_log()) <= 101
    assert stored_log()[-1] == LOG_CUT


def test_one_line_beyond_all_measure_is_cut_and_not_taken_for_the_end():
    job = running_job()

    log(job, "x" * 2 * LOG_TOTAL_LIMIT, "after it")

    assert stored_log() == ["x" * LOG_LINE_LIMIT, "after it"]


def test_the_count_of_a_log_that_never_ends_stops_at_the_limit():
    job = running_job()

    for _ in range(3):
        fill(job, LOG_TOTAL_LIMIT)

    # An integer column would overflow after 2 GiB, and every later append would fail.
    assert ProvisionerJob.objects.get().log_length <= LOG_TOTAL_LIMIT + LOG_LINE_LIMIT
