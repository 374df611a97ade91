"""What agents say, and what they are told (semantics.md 15)."""

from datetime import timedelta
from uuid import uuid4

import pytest

from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    acquire,
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    make_agent_ready,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    result_for,
)
from workspaces.enums import LifecycleState, Transition
from workspaces.errors import UnknownAgentToken
from workspaces.models import Agent, AgentLog, Workspace
from workspaces.protocol import LOG_CUT, LOG_TOTAL_LIMIT, LogLine
from workspaces.services import agents, jobs

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)


def make_agent(token="secret", **workspace) -> Agent:
    """Make a person's workspace with a finished build; return its agent."""
    made = make_workspace(now=NOON, **workspace)
    build_next(made, token)
    return Agent.objects.get(resource__build__workspace=made)


def build_next(workspace, token, now=NOON):
    """Do the workspace's pending job; its agent gets this token."""
    job = acquire(now=now)
    assert job.workspace_id == workspace.pk
    jobs.complete_job(
        job_id=job.job_id, lease=job.lease, result=result_for(workspace.pk, token), now=now
    )


def test_an_agent_is_known_by_its_token():
    agent = make_agent("secret")

    assert agents.authenticate("secret") == agent


@pytest.mark.parametrize("token", ["", "guess", "SECRET", "secret ", "\x00"])
def test_a_wrong_token_is_nobodys(token):
    make_agent("secret")

    with pytest.raises(UnknownAgentToken):
        agents.authenticate(token)


def test_the_digest_itself_is_no_token():
    make_agent("secret")

    with pytest.raises(UnknownAgentToken):
        agents.authenticate(agents.digest("secret").hex())


def test_one_statement_authenticates_with_all_that_the_manifest_needs(django_assert_num_queries):
    make_agent("secret")

    with django_assert_num_queries(2):
        agents.manifest_of(agents.authenticate("secret"))


def test_the_newest_agent_counts_when_a_claim_kept_the_token():
    preset = preset_of(make_template())
    (prebuild,) = make_ready_prebuilds(preset, 1, now=NOON)
    before = agents.authenticate(f"token-of-{prebuild.pk}")
    claim_prebuild(preset, now=NOON)
    finish_all_jobs(now=LATER)

    after = agents.authenticate(f"token-of-{prebuild.pk}")

    assert after != before
    assert (before.resource.build.build_number, after.resource.build.build_number) == (1, 2)


def test_the_newest_build_counts_when_two_agents_are_of_one_instant():
    workspace = make_workspace(now=NOON)
    build_next(workspace, "secret")
    for _ in range(3):
        ask_for(workspace, Transition.START, now=NOON)
        build_next(workspace, "secret")

    assert agents.authenticate("secret").resource.build.build_number == 4


def test_the_token_of_a_deleted_workspace_is_nobodys():
    agent = make_agent("secret")
    Workspace.objects.filter(pk=agent.resource.build.workspace_id).update(deleted_at=NOON)

    with pytest.raises(UnknownAgentToken):
        agents.authenticate("secret")


SIZE = ParameterDefinition(name="size", type="string", default="s")


def test_the_manifest_says_whom_the_agent_works_for_and_what_to_run():
    template = make_template(
        "web", definitions=[SIZE], startup_script="echo hi", startup_timeout_seconds=7
    )
    owner = make_user("dana")
    agent = make_agent(owner=owner, template=template, name="mine", parameters={"size": "m"})
    workspace = Workspace.objects.get()

    manifest = agents.manifest_of(agents.authenticate("secret"))

    assert manifest == {
        "agent_id": str(agent.pk),
        "agent_name": "main",
        "workspace_id": str(workspace.pk),
        "workspace_name": "mine",
        "template_name": "web",
        "owner_id": str(owner.pk),
        "owner_name": "dana",
        "owner_is_system": False,
        "build_id": str(workspace.latest_build_id),
        "startup_script": "echo hi",
        "startup_timeout_seconds": 7,
        "parameters": {"size": "m"},
        "environment": {},
    }


def test_an_unclaimed_agent_works_for_the_prebuilds_user():
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1, now=NOON)

    manifest = agents.manifest_of(agents.authenticate(f"token-of-{prebuild.pk}"))

    assert (manifest["owner_name"], manifest["owner_is_system"]) == ("prebuilds", True)


def test_after_a_claim_the_manifest_has_the_new_owner_and_their_parameters():
    name = ParameterDefinition(name="git_name", type="string", default="nobody")
    small = PresetSpec(name="Small", desired_instances=1, parameters={"size": "m"})
    template = make_template(definitions=[SIZE, name], presets=[small])
    (prebuild,) = make_ready_prebuilds(preset_of(template), 1, now=NOON)
    token = f"token-of-{prebuild.pk}"
    before = agents.manifest_of(agents.authenticate(token))
    dana = make_user("dana")
    claimed = claim_prebuild(preset_of(template), dana, name="mine", now=NOON)
    claimed.latest_build.parameters.filter(name="git_name").update(value="Dana")

    unfinished = agents.manifest_of(agents.authenticate(token))
    finish_all_jobs(now=LATER)
    finished = agents.manifest_of(agents.authenticate(token))

    assert before["parameters"] == {"size": "m", "git_name": "nobody"}
    for manifest in (unfinished, finished):
        assert (manifest["owner_id"], manifest["owner_name"]) == (str(dana.pk), "dana")
        assert manifest["owner_is_system"] is False
        assert manifest["workspace_name"] == "mine"
        assert manifest["parameters"] == {"size": "m", "git_name": "Dana"}


def lifecycle(agent, state, now):
    agents.report_lifecycle(agent_id=agent.pk, state=state, now=now)
    agent.refresh_from_db()
    return agent.ready_at


def test_ready_is_dated_once_and_a_new_start_clears_the_date():
    agent, state = make_agent(), LifecycleState

    assert lifecycle(agent, state.STARTING, NOON) is None
    assert lifecycle(agent, state.READY, NOON) == NOON
    assert lifecycle(agent, state.READY, LATER) == NOON
    assert lifecycle(agent, state.STARTING, LATER) is None
    assert lifecycle(agent, state.READY, LATER) == LATER


@pytest.mark.parametrize("state", LifecycleState)
def test_only_a_new_start_forgets_when_the_agent_was_ready(state):
    agent = make_agent()
    lifecycle(agent, LifecycleState.READY, NOON)

    ready_at = lifecycle(agent, state, LATER)

    assert ready_at == (None if state == LifecycleState.STARTING else NOON)
    assert agent.lifecycle_state == state


def test_a_state_is_dated_by_its_first_report():
    agent = make_agent()

    for now in (NOON, LATER):
        lifecycle(agent, LifecycleState.STARTING, now)
    assert agent.lifecycle_changed_at == NOON

    lifecycle(agent, LifecycleState.READY, LATER)
    assert agent.lifecycle_changed_at == LATER


def test_an_agent_that_is_off_is_disconnected_until_it_speaks_again():
    agent = make_agent()

    lifecycle(agent, LifecycleState.OFF, NOON)
    assert agent.disconnected_at == NOON

    agents.record_connection(agent_id=agent.pk, now=LATER)
    agent.refresh_from_db()
    assert agent.disconnected_at is None


def test_the_first_connection_is_remembered_and_the_last_one_moves():
    agent = make_agent()

    agents.record_connection(agent_id=agent.pk, now=NOON)
    agents.record_connection(agent_id=agent.pk, now=LATER)

    agent.refresh_from_db()
    assert (agent.first_connected_at, agent.last_connected_at) == (NOON, LATER)


def log(agent, *outputs):
    lines = [LogLine(at=NOON, level="warn", stage="startup", output=each) for each in outputs]
    agents.append_agent_logs(agent_id=agent.pk, lines=lines)


def stored_log():
    return list(AgentLog.objects.order_by("pk").values_list("output", flat=True))


def test_log_lines_are_kept_in_order_without_nul_bytes():
    agent = make_agent()

    log(agent, "one", "", "t\x00o")
    log(agent, "three")

    assert stored_log() == ["one", "", "t\ufffdo", "three"]
    first = AgentLog.objects.first()
    assert (first.agent, first.at, first.level, first.stage) == (agent, NOON, "warn", "startup")


def test_a_log_beyond_the_limit_ends_with_one_closing_line():
    agent = make_agent()
    Agent.objects.update(log_length=LOG_TOTAL_LIMIT - 10)

    log(agent, "fits", "does not fit any more", "nor this")
    log(agent, "nor that")

    assert stored_log() == ["fits", LOG_CUT]


def test_a_flood_of_empty_lines_is_capped_too():
    agent = make_agent()
    Agent.objects.update(log_length=LOG_TOTAL_LIMIT - 100)

    log(agent, *[""] * 1_000)

    assert len(stored_log()) <= 101


def unclaimed():
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1, now=NOON)
    return prebuild


def unclaimed_restarted_by_an_admin():
    prebuild = unclaimed()
    ask_for(prebuild, Transition.START, now=NOON)
    finish_all_jobs(now=NOON)
    return prebuild


def regular():
    workspace = make_workspace(now=NOON)
    finish_all_jobs(now=NOON)
    return workspace


def regular_still_building():
    return make_workspace(now=NOON)


def claim_pending():
    prebuild = unclaimed()
    claim_prebuild(prebuild.latest_build.preset, now=NOON)
    return prebuild


def claim_running():
    prebuild = claim_pending()
    acquire(now=NOON)
    return prebuild


def claim_succeeded():
    prebuild = claim_pending()
    finish_all_jobs(now=NOON)
    return prebuild


def claim_failed():
    prebuild = claim_pending()
    finish_all_jobs(now=NOON, fail="no")
    return prebuild


def claim_canceled():
    prebuild = claim_pending()
    job_id = Workspace.objects.get(pk=prebuild.pk).latest_build.job_id
    jobs.cancel_job(job_id=job_id, now=NOON)
    return prebuild


def later_build(transition, *, finished):
    def make():
        prebuild = claim_succeeded()
        make_agent_ready(prebuild, now=NOON)
        ask_for(prebuild, transition, now=NOON)
        if finished:
            finish_all_jobs(now=NOON)
        return prebuild

    return make


WAIT, NEVER = agents.Wait, agents.NeverAgain
ANSWERS = {
    "unclaimed": (unclaimed, WAIT),
    "unclaimed, restarted by an admin": (unclaimed_restarted_by_an_admin, WAIT),
    "regular": (regular, NEVER),
    "regular, still building": (regular_still_building, NEVER),
    "claim pending": (claim_pending, WAIT),
    "claim running": (claim_running, WAIT),
    "claim succeeded": (claim_succeeded, agents.Reinitialize),
    "claim failed": (claim_failed, NEVER),
    "claim canceled": (claim_canceled, NEVER),
    "restart pending": (later_build(Transition.START, finished=False), NEVER),
    "restarted": (later_build(Transition.START, finished=True), NEVER),
    "stopping": (later_build(Transition.STOP, finished=False), NEVER),
    "stopped": (later_build(Transition.STOP, finished=True), NEVER),
}


@pytest.mark.parametrize(("make", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_the_answer_to_an_agent_of_a_workspace_that_is(make, answer):
    workspace = make()

    found = agents.reinit_answer(workspace.pk)

    assert isinstance(found, answer)


def test_the_agent_starts_again_as_the_user_who_claimed():
    workspace = claim_succeeded()
    workspace.refresh_from_db()

    found = agents.reinit_answer(workspace.pk)

    assert found == agents.Reinitialize(user_id=workspace.owner_id)


def test_the_same_question_gets_the_same_answer_however_often_it_is_asked():
    workspace = claim_succeeded()

    answers = {agents.reinit_answer(workspace.pk) for _ in range(3)}

    assert len(answers) == 1


def test_one_statement_answers(django_assert_num_queries):
    workspace = claim_succeeded()

    with django_assert_num_queries(1):
        agents.reinit_answer(workspace.pk)


def test_a_workspace_that_never_was_has_no_answer():
    with pytest.raises(Workspace.DoesNotExist):
        agents.reinit_answer(uuid4())
