"""The database rings: which commit rings which bell, whoever wrote it (architecture.md, idea 4)."""

from datetime import timedelta

import pytest
from django.db import transaction

from accounts.audit import THE_SYSTEM, Actor
from accounts.system import PREBUILDS_USER_ID
from prebuilds import services as prebuilds_services
from prebuilds.models import Notice
from templates_app import services as templates
from templates_app.models import Preset, PresetParameter, PresetSchedule, Template
from templates_app.services import PresetSpec, VersionSpec
from tests.factories import (
    NOON,
    acquire,
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    make_agent_ready,
    make_daemon,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    result_for,
)
from tests.integration.referee import run
from workspaces import locks
from workspaces.enums import LifecycleState, Transition
from workspaces.models import Agent, ProvisionerJob, Workspace
from workspaces.protocol import LogLine
from workspaces.services import agents, builds, daemons, jobs
from workspaces.services.machines import forget_machine

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOON + timedelta(minutes=1)
ONE = PresetSpec(name="Small", desired_instances=1)
LINE = LogLine(at=NOON, level="info", stage="build", output="hello")


class Scene:
    """What there is before the change whose bells are heard."""

    def __init__(self):
        self.user = make_user("dana")
        self.template = make_template(presets=[ONE])
        self.preset = preset_of(self.template)

    def pending_prebuild(self):
        (self.workspace,) = make_pending_prebuilds(self.preset, now=NOON)
        return self

    def bound_prebuild(self):
        """Its deletion waits for a machine that is away."""
        self.pending_prebuild()
        daemon = make_daemon(machine="gone", now=NOON)
        job = acquire(daemon=daemon, now=NOON)
        jobs.complete_job(
            job_id=job.job_id, lease=job.lease, result=result_for(job.workspace_id), now=NOON
        )
        ask_for(self.workspace, Transition.DELETE, by=self.user, now=NOON)
        return self

    def running_prebuild(self):
        self.pending_prebuild()
        self.job = acquire(now=NOON)
        return self

    def built_prebuild(self):
        self.pending_prebuild()
        finish_all_jobs(now=NOON)
        self.agent = Agent.objects.get()
        return self

    def ready_prebuild(self):
        (self.workspace,) = make_ready_prebuilds(self.preset, now=NOON)
        self.agent = Agent.objects.get()
        return self

    def claim_running(self):
        self.ready_prebuild()
        claim_prebuild(self.preset, self.user, now=NOON)
        self.job = acquire(now=NOON)
        return self

    def running_workspace(self):
        self.workspace = make_workspace(self.user, template=self.template, now=NOON)
        self.job = acquire(now=NOON)
        return self

    def paused(self):
        prebuilds_services.pause_reconciliation(
            actor=Actor(user=self.user, source="page"), reason="x", until=None, now=NOON
        )
        return self


def complete(scene):
    result = result_for(scene.workspace.pk)
    jobs.complete_job(job_id=scene.job.job_id, lease=scene.job.lease, result=result, now=LATER)


def fail(scene):
    jobs.fail_job(
        job_id=scene.job.job_id, lease=scene.job.lease, error="x", code="driver_error", now=LATER
    )


def report_resources(scene):
    jobs.report_resources(
        job_id=scene.job.job_id,
        lease=scene.job.lease,
        resources=result_for(scene.workspace.pk).resources,
        now=LATER,
    )


def lifecycle(state):
    return lambda scene: agents.report_lifecycle(agent_id=scene.agent.pk, state=state, now=LATER)


def orphan_delete(scene):
    job_id = ProvisionerJob.objects.get().pk
    with transaction.atomic():
        workspace = locks.lock_workspace(scene.workspace.pk)
        jobs.cancel_job(job_id=job_id, now=LATER)
        builds.orphan_delete(workspace, initiator_id=PREBUILDS_USER_ID, reason="x", now=LATER)


def update(model, **fields):
    return lambda _: model.objects.update(**fields)


def promote(scene):
    version = templates.create_version(
        template=scene.template, created_by=scene.user, spec=VersionSpec(name="2")
    )
    templates.promote_version(template_id=scene.template.pk, version_id=version.pk, now=NOON)


def release(scene):
    jobs.release_job(job_id=scene.job.job_id, lease=scene.job.lease, now=LATER)


def heartbeat(scene):
    jobs.heartbeat_job(job_id=scene.job.job_id, lease=scene.job.lease, now=LATER)


def job_logs(scene):
    jobs.append_job_logs(job_id=scene.job.job_id, lease=scene.job.lease, lines=[LINE], now=LATER)


def agent_logs(scene):
    agents.append_agent_logs(agent_id=scene.agent.pk, lines=[LINE])


def agent_heartbeat(scene):
    agents.record_connection(agent_id=scene.agent.pk, now=LATER)


def open_notice(scene):
    Notice.objects.create(
        kind="hard_limited",
        preset=scene.preset,
        organization=scene.template.organization,
        detail="no such image",
        opened_at=NOON,
    )


def daemon_heartbeat(_):
    daemons.touch_daemon(daemon_id=make_daemon(now=NOON).pk, now=LATER)


def in_sql(sql):
    return lambda _: run(sql)


def pause(scene):
    prebuilds_services.pause_reconciliation(
        actor=Actor(user=scene.user, source="page"), reason="x", until=None, now=LATER
    )


RECONCILE, POOLS, JOBS, CLAIMED = "reconcile", "pools", "provisioner_jobs", "workspace_claimed"
BOTH = {RECONCILE, POOLS}
START = Scene
S = LifecycleState
RINGS = [
    (
        "a preset is added",
        START,
        lambda s: templates.create_preset(
            version=s.template.active_version, spec=PresetSpec(name="Large")
        ),
        BOTH,
    ),
    ("desired instances change", START, update(Preset, desired_instances=9), BOTH),
    ("a ttl changes", START, update(Preset, ttl_seconds=7200), BOTH),
    ("a zone changes", START, update(Preset, scheduling_timezone="Europe/Zurich"), BOTH),
    (
        "a preset is invalidated",
        START,
        lambda s: templates.invalidate_presets(preset_ids=[s.preset.pk], now=NOON),
        BOTH,
    ),
    (
        "a preset is retried",
        START,
        lambda s: templates.retry_preset(preset_id=s.preset.pk, now=NOON),
        BOTH,
    ),
    (
        "a preset fails to validate",
        START,
        lambda s: templates.mark_validation_failed(preset_id=s.preset.pk, reason="x", now=NOON),
        {POOLS},
    ),
    (
        "a schedule is added",
        START,
        lambda s: PresetSchedule.objects.create(
            preset=s.preset, cron_expression="* 9 * * *", desired_instances=1
        ),
        BOTH,
    ),
    (
        "a preset's value changes",
        START,
        lambda s: PresetParameter.objects.create(preset=s.preset, name="a", value="b"),
        BOTH,
    ),
    ("a preset's description changes", START, update(Preset, description="x"), set()),
    ("a version is promoted", START, promote, BOTH),
    ("a template is deprecated", START, update(Template, deprecation_message="x"), BOTH),
    ("a template is deleted", START, update(Template, deleted_at=NOON), BOTH),
    ("a template's description changes", START, update(Template, description="x"), set()),
    ("reconciliation is paused", START, pause, BOTH),
    (
        "reconciliation is resumed",
        START.paused,
        lambda _: prebuilds_services.resume_reconciliation(actor=THE_SYSTEM, now=NOON),
        BOTH,
    ),
    ("a notice opens", START, open_notice, {POOLS}),
    ("a prebuild is asked for", START, Scene.pending_prebuild, {POOLS, JOBS}),
    (
        "a workspace is asked for",
        START,
        lambda s: make_workspace(s.user, template=s.template),
        {POOLS, JOBS},
    ),
    ("a job is acquired", START.pending_prebuild, lambda _: acquire(now=LATER), {POOLS}),
    ("a job is given back", START.running_prebuild, release, {POOLS, JOBS}),
    (
        "a waiting job is released from its machine",
        START.bound_prebuild,
        lambda s: forget_machine(machine="gone", actor=THE_SYSTEM, now=LATER),
        {JOBS},
    ),
    (
        "a running job is asked to stop",
        START.running_prebuild,
        lambda s: jobs.cancel_job(job_id=s.job.job_id, now=LATER),
        {POOLS},
    ),
    (
        "a pending job of a prebuild is canceled",
        START.pending_prebuild,
        lambda _: jobs.cancel_job(job_id=ProvisionerJob.objects.get().pk, now=LATER),
        BOTH,
    ),
    ("an orphan is deleted", START.pending_prebuild, orphan_delete, {RECONCILE, POOLS, JOBS}),
    ("a prebuild's job succeeds", START.running_prebuild, complete, BOTH),
    ("a prebuild's job fails", START.running_prebuild, fail, BOTH),
    (
        "a prebuild's job is reaped",
        START.running_prebuild,
        lambda _: jobs.reap_lost_jobs(now=NOON + timedelta(hours=1)),
        BOTH,
    ),
    ("a person's job succeeds", START.running_workspace, complete, {POOLS}),
    ("a person's job fails", START.running_workspace, fail, {POOLS}),
    ("an agent is reported", START.running_prebuild, report_resources, {POOLS}),
    ("an agent starts", START.built_prebuild, lifecycle(S.STARTING), {POOLS}),
    ("an agent is ready", START.built_prebuild, lifecycle(S.READY), BOTH),
    ("an agent is ready no more", START.ready_prebuild, lifecycle(S.START_ERROR), BOTH),
    ("an agent says again that it is ready", START.ready_prebuild, lifecycle(S.READY), set()),
    (
        "a prebuild is claimed",
        START.ready_prebuild,
        lambda s: claim_prebuild(s.preset, s.user, now=LATER),
        {RECONCILE, POOLS, JOBS},
    ),
    ("a claim build succeeds", START.claim_running, complete, {POOLS, CLAIMED}),
    ("a claim build fails", START.claim_running, fail, {POOLS}),
    ("a workspace is renamed", START.running_workspace, update(Workspace, name="other"), set()),
    ("a job's heartbeat", START.running_prebuild, heartbeat, set()),
    ("a job's log", START.running_prebuild, job_logs, set()),
    ("an agent's heartbeat", START.ready_prebuild, agent_heartbeat, set()),
    ("an agent's log", START.ready_prebuild, agent_logs, set()),
    ("a daemon's heartbeat", START, daemon_heartbeat, set()),
    (
        "SQL changes desired instances",
        START,
        in_sql("UPDATE templates_app_preset SET desired_instances = 7"),
        BOTH,
    ),
    ("SQL deletes presets", START, in_sql("DELETE FROM templates_app_preset"), BOTH),
    (
        "SQL gives a prebuild away",
        START.ready_prebuild,
        in_sql(
            "UPDATE workspaces_workspace SET owner_id ="
            " (SELECT id FROM accounts_user WHERE username = 'dana')"
        ),
        BOTH,
    ),
    (
        "SQL deletes a prebuild",
        START.ready_prebuild,
        in_sql("UPDATE workspaces_workspace SET deleted_at = now()"),
        BOTH,
    ),
    (
        "SQL ends a job",
        START.running_prebuild,
        in_sql("UPDATE workspaces_provisionerjob SET completed_at = now()"),
        BOTH,
    ),
    (
        "SQL makes an agent ready",
        START.built_prebuild,
        in_sql("UPDATE workspaces_agent SET lifecycle_state = 'ready', ready_at = now()"),
        BOTH,
    ),
]


@pytest.mark.parametrize(
    ("setting", "change", "rings"),
    [pytest.param(*row[1:], id=row[0]) for row in RINGS],
)
def test_what_rings_when(ear, setting, change, rings):
    scene = Scene() if setting is Scene else setting(Scene())
    ear.hear()

    change(scene)

    heard = ear.hear()
    assert set(heard) == rings


def test_a_claim_build_rings_with_the_workspaces_id(ear):
    scene = Scene().claim_running()
    ear.hear()

    complete(scene)

    assert (CLAIMED, str(scene.workspace.pk)) in ear.hear_all()


def test_a_change_that_is_rolled_back_rings_nothing(ear):
    scene = Scene()
    ear.hear()

    with transaction.atomic():
        Preset.objects.update(desired_instances=9)
        transaction.set_rollback(True)

    assert ear.hear() == {}
    assert scene.preset.desired_instances == 1


def test_many_changes_in_one_transaction_ring_once(ear):
    scene = Scene()
    Preset.objects.update(desired_instances=50)
    ear.hear()

    with transaction.atomic():
        make_pending_prebuilds(scene.preset, 50, now=NOON)

    assert ear.hear() == {POOLS: 1, JOBS: 1}


def test_a_later_build_of_a_claimed_workspace_does_not_ring_as_claimed(ear):
    scene = Scene().claim_running()
    complete(scene)
    ask_for(scene.workspace, Transition.START, now=LATER)
    scene.job = acquire(now=LATER)
    ear.hear()

    complete(scene)

    assert CLAIMED not in ear.hear()


def test_an_agent_made_ready_again_after_a_restart_rings_again(ear):
    scene = Scene().ready_prebuild()
    lifecycle(S.STARTING)(scene)
    ear.hear()

    make_agent_ready(scene.workspace, now=LATER)

    assert ear.hear()[RECONCILE] == 1
