"""Lifecycle runs at once, and against people, at the same workspaces (semantics.md 16)."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from tests import factories
from tests.concurrency.racing import alongside, errors, race, uncommitted
from tests.factories import NOON, hours
from workspaces import locks
from workspaces.errors import BuildInProgress
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.services import lifecycle
from workspaces.services.lifecycle_executor import LifecycleRun, apply_lifecycle

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5
NUMBER = 20
POLICY = {
    "default_ttl_seconds": 3_600,
    "time_til_dormant_seconds": 36_000,
    "time_til_dormant_autodelete_seconds": 36_000,
}
apply_now = partial(apply_lifecycle, now=NOON + hours(1))


def running(number, **policy):
    template = factories.make_template(fields=policy or {"default_ttl_seconds": 3_600})
    owner = factories.make_user()
    made = [factories.make_workspace(owner, template=template, now=NOON) for _ in range(number)]
    factories.finish_all_jobs(now=NOON)
    return made


def builds_of_each():
    return sorted(Counter(WorkspaceBuild.objects.values_list("workspace", flat=True)).values())


def total(runs, word):
    return sum(getattr(run, word) for run in runs)


def test_two_runs_at_once_stop_each_of_twenty_workspaces_once():
    running(NUMBER)

    runs = race(apply_now, apply_now)

    assert errors(runs) == []
    assert (total(runs, "stopping"), total(runs, "failed")) == (NUMBER, 0)
    assert builds_of_each() == [2] * NUMBER


def test_two_runs_at_once_start_each_of_twenty_workspaces_once():
    for workspace in running(NUMBER, default_ttl_seconds=0):
        lifecycle.set_autostart(workspace_id=workspace.pk, schedule="0 13 * * *", now=NOON)
        factories.ask_for(workspace, "stop", now=NOON)
    factories.finish_all_jobs(now=NOON)

    runs = race(apply_now, apply_now)

    assert errors(runs) == []
    assert (total(runs, "starting"), total(runs, "failed")) == (NUMBER, 0)
    assert builds_of_each() == [3] * NUMBER
    assert set(Workspace.objects.values_list("next_start_at", flat=True)) == {NOON + hours(25)}


def test_two_runs_at_once_put_to_sleep_and_delete_once():
    running(NUMBER, **POLICY)
    asleep, gone = (
        partial(apply_lifecycle, now=NOON + hours(11)),
        partial(apply_lifecycle, now=NOON + hours(22)),
    )

    sleeps = race(asleep, asleep)
    factories.finish_all_jobs(now=NOON + hours(11))
    deletions = race(gone, gone)

    assert errors([*sleeps, *deletions]) == []
    assert (total(sleeps, "dormant"), total(sleeps, "failed")) == (NUMBER, 0)
    assert (total(deletions, "deleting"), total(deletions, "failed")) == (NUMBER, 0)
    assert builds_of_each() == [3] * NUMBER


def test_a_run_never_waits_for_a_workspace_somebody_is_at():
    held, free = running(2)

    with uncommitted(partial(locks.lock_workspace, held.pk)):
        run = alongside(apply_now)

    assert run == LifecycleRun(stopping=1)
    assert (held.builds.count(), free.builds.count()) == (1, 2)
    assert apply_now() == LifecycleRun(stopping=1)


@pytest.mark.parametrize("_", range(ROUNDS))
def test_extending_at_the_last_moment_against_a_run(_):
    workspaces = running(4)
    extensions = [
        partial(
            lifecycle.extend_deadline,
            workspace_id=workspace.pk,
            deadline=NOON + hours(5),
            now=NOON + hours(1) - timedelta(seconds=1),
        )
        for workspace in workspaces
    ]

    run, *answers = race(apply_now, *extensions)

    assert isinstance(run, LifecycleRun)
    for workspace, answer in zip(workspaces, answers, strict=True):
        build = Workspace.objects.get(pk=workspace.pk).latest_build
        if isinstance(answer, Exception):
            assert (build.transition, build.deadline) == ("stop", None)
        else:
            assert (build.transition, build.deadline) == ("start", NOON + hours(5))


@pytest.mark.parametrize("_", range(ROUNDS))
def test_a_person_who_stops_against_a_run_makes_one_stop(_):
    workspaces = running(4)
    person = factories.make_user()
    stops = [
        partial(factories.ask_for, one, "stop", by=person, now=NOON + hours(1))
        for one in workspaces
    ]

    run, *answers = race(apply_now, *stops)

    assert run.failed == 0
    refused = [answer for answer in answers if isinstance(answer, BuildInProgress)]
    assert len(errors(answers)) == len(refused) == run.stopping
    assert builds_of_each() == [2] * 4
