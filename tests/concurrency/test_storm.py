"""Everything at once for five seconds: no deadlock, no error, and every promise kept."""

import time
from functools import partial
from itertools import count

import pytest
from django.db import connection
from django.db.models import Count, F, Max, Q
from django.utils import timezone

from accounts.system import PREBUILDS_USER_ID
from prebuilds import claims, reconciler
from prebuilds.conf import current_policy
from prebuilds.core.actions import Reason
from prebuilds.execution import creation, deletion
from prebuilds.models import Claim, Trigger
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from tests.concurrency.racing import errors, race
from tests.factories import observe
from workspaces.errors import LeaseLost
from workspaces.models import Agent, ProvisionerJob, Workspace
from workspaces.services import agents, jobs

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "snapshot"]),
    pytest.mark.slow,
]

SECONDS, AT_MOST = 5.0, 18.0
DESIRED = 4


class Storm:
    """Lasts five seconds, or longer until each kind of actor has done something."""

    def __init__(self, kinds):
        self._started = time.monotonic()
        self.done = dict.fromkeys(kinds, 0)

    def is_over(self):
        lasted = time.monotonic() - self._started
        return lasted > AT_MOST or (lasted > SECONDS and all(self.done.values()))

    def repeated(self, kind, step):
        """Return an actor that repeats one step; a claim counts when it was warm."""

        def act():
            while not self.is_over():
                self.done[kind] += bool(step())

        return act


def unclaimed(preset):
    return Workspace.objects.filter(
        owner_id=PREBUILDS_USER_ID,
        deleted_at__isnull=True,
        latest_build__preset=preset,
        latest_build__transition="start",
    )


def claim(preset, owner, numbers):
    """Claim what seems to run; build anew only while no person waits, or the pool would starve."""
    running = unclaimed(preset).filter(latest_build__job__status="succeeded")
    if (
        not running.exists()
        and ProvisionerJob.objects.filter(completed_at__isnull=True, priority=0).exists()
    ):
        return False
    result = claims.claim_or_create_workspace(
        owner=owner,
        template=preset.version.template,
        preset_id=preset.pk,
        name=f"w-{next(numbers)}",
        parameters={},
        now=timezone.now(),
    )
    return result.outcome == "warm"


def create(preset):
    return creation.create_prebuilds(observe(preset), count=DESIRED, now=timezone.now())


def delete_oldest(preset):
    running = unclaimed(preset).filter(latest_build__job__status="succeeded")
    oldest = running.order_by("created_at")[:1]
    results = deletion.delete_prebuilds(
        {one.pk: Reason.EXTRANEOUS for one in oldest}, now=timezone.now()
    )
    return "deleting" in results.values()


def cancel_some(preset):
    return any(
        deletion.cancel_pending(
            workspace_id=one.workspace_id, reason=Reason.SURPLUS, now=timezone.now()
        )
        for one in observe(preset).pending[:1]
    )


def work(daemon):
    job = jobs.acquire_job(daemon_id=daemon.pk, access_url="http://test", now=timezone.now())
    if job is None:
        return False
    result = factories.result_for(job.workspace_id)
    try:
        jobs.complete_job(job_id=job.job_id, lease=job.lease, result=result, now=timezone.now())
    except LeaseLost:
        return False
    for agent in Agent.objects.filter(resource__build__job_id=job.job_id):
        agents.report_lifecycle(
            agent_id=agent.pk, state=agents.LifecycleState.READY, now=timezone.now()
        )
    return True


def reconcile():
    cycle = reconciler.run_cycle(
        trigger=Trigger.COMMAND, policy=current_policy(), clock=timezone.now
    )
    assert cycle.failed == [], cycle.failed[0].outcome.error
    return cycle.executed


def toggle(preset, numbers):
    wanted = DESIRED - next(numbers) % 3
    return Preset.objects.filter(pk=preset.pk).update(desired_instances=wanted)


def deadlocks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_a_storm_of_everything_deadlocks_nowhere_and_breaks_no_promise():
    presets = [
        factories.preset_of(
            factories.make_template(presets=(PresetSpec(name="Small", desired_instances=DESIRED),))
        )
        for _ in range(2)
    ]
    names, edits = count(1), count(1)
    owner = factories.make_user()
    daemons = [factories.make_daemon() for _ in range(3)]
    before = deadlocks()
    actors = [
        *[("claim", partial(claim, presets[n > 0], owner, names)) for n in range(3)],
        *[("create", partial(create, presets[n])) for n in range(2)],
        *[("work", partial(work, daemon)) for daemon in daemons],
        ("delete", partial(delete_oldest, presets[0])),
        ("cancel", partial(cancel_some, presets[1])),
        ("edit", partial(toggle, presets[1], edits)),
        ("reconcile", reconcile),
    ]
    storm = Storm(kind for kind, _ in actors)

    outcomes = race(*(storm.repeated(*actor) for actor in actors))

    assert errors(outcomes) == []
    assert deadlocks() == before
    assert all(storm.done.values()), storm.done
    assert_every_promise_is_kept(presets)


def assert_every_promise_is_kept(presets):
    one_owner_each()
    for preset in presets:
        assert present(preset) <= DESIRED
    unfinished = ProvisionerJob.objects.filter(completed_at__isnull=True)
    assert not unfinished.values("workspace").annotate(n=Count("id")).filter(n__gt=1).exists()
    newest = Workspace.objects.annotate(newest=Max("builds__build_number"))
    assert not newest.exclude(latest_build__build_number=F("newest")).exists()
    gone = Q(latest_build__transition="delete", latest_build__job__status="succeeded")
    assert not Workspace.objects.filter(gone, deleted_at__isnull=True).exists()
    assert not Workspace.objects.filter(~gone, deleted_at__isnull=False).exists()


def one_owner_each():
    warm = Claim.objects.filter(outcome="warm")
    assert warm.values("workspace").distinct().count() == warm.count()
    for claim_ in warm.select_related("workspace"):
        builds = list(claim_.workspace.builds.order_by("build_number"))
        assert claim_.workspace.owner_id == claim_.user_id
        assert [build.stage for build in builds] == ["prebuild_create", "prebuild_claim"]
    orphans = Workspace.objects.exclude(owner_id=PREBUILDS_USER_ID).filter(claim__isnull=True)
    assert not orphans.exists()


def present(preset):
    statuses = ("pending", "running", "succeeded")
    return unclaimed(preset).filter(latest_build__job__status__in=statuses).count()
