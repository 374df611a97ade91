"""Reconcilers at once, and what is left when a connection dies in the middle."""

import threading
from collections import Counter
from functools import partial

import pytest
from django.db import Error, connection

from accounts.models import Group, GroupMembership, Membership
from accounts.system import PREBUILDS_USER_ID
from prebuilds import execution, reconciler
from prebuilds.core.policy import Policy
from prebuilds.execution import creation
from prebuilds.models import ReconcileRun, Trigger
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from tests.concurrency.racing import PATIENCE, alongside, blocked_by, errors, race
from tests.factories import NOON, observe
from workspaces.models import ProvisionerJob, Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

HOLDERS = (
    "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
)


def make_presets(number, desired=3):
    spec = PresetSpec(name="Small", desired_instances=desired)
    return [factories.preset_of(factories.make_template(presets=(spec,))) for _ in range(number)]


def cycle(now=NOON):
    return reconciler.run_cycle(trigger=Trigger.COMMAND, policy=Policy(), clock=lambda: now)


def pool_sizes():
    rows = Workspace.objects.filter(owner_id=PREBUILDS_USER_ID, deleted_at__isnull=True)
    return Counter(rows.values_list("latest_build__preset_id", flat=True))


class Bodies:
    """Counts how many cycles are between acquiring the lock and letting it go."""

    def __init__(self, monkeypatch):
        self._lock = threading.Lock()
        self.now = self.most = self.total = 0
        self._real = reconciler._cycle
        monkeypatch.setattr(reconciler, "_cycle", self)

    def __call__(self, *args):
        with self._lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)
        try:
            return self._real(*args)
        finally:
            with self._lock:
                self.now -= 1


@pytest.mark.parametrize("number", [2, 5])
def test_bodies_never_overlap_and_counts_are_exact(monkeypatch, number):
    presets = make_presets(4)
    bodies = Bodies(monkeypatch)

    results = [one for _ in range(3) for one in race(*[cycle] * number)]

    assert errors(results) == []
    assert bodies.most == 1
    assert bodies.total == sum(one.lock_acquired for one in results) >= 3
    assert sum(one.total("created") for one in results) == 12
    assert pool_sizes() == {preset.pk: 3 for preset in presets}
    assert ReconcileRun.objects.count() == 3 * number
    assert ReconcileRun.objects.filter(lock_acquired=True).count() == bodies.total


def test_those_who_come_while_one_is_at_work_return_at_once(monkeypatch):
    (preset,) = make_presets(1)
    working, finish = threading.Event(), threading.Event()
    real = execution.execute_decision

    def execute(decision, **options):
        working.set()
        assert finish.wait(PATIENCE)
        return real(decision, **options)

    def come_later():
        assert working.wait(PATIENCE)
        try:
            return [cycle() for _ in range(3)]
        finally:
            finish.set()

    monkeypatch.setattr(execution, "execute_decision", execute)
    first, later = race(cycle, come_later)

    assert first.lock_acquired
    assert [one.lock_acquired for one in later] == [False] * 3
    assert pool_sizes() == {preset.pk: 3}


@pytest.mark.parametrize("_", range(4))
def test_creating_for_one_preset_at_once_never_exceeds_what_it_wants(_):
    (preset,) = make_presets(1, desired=7)
    seen = observe(preset)

    created = race(*[partial(creation.create_prebuilds, seen, count=5, now=NOON)] * 5)

    assert errors(created) == []
    assert sum(created) == 7
    assert pool_sizes() == {preset.pk: 7}


def test_creating_waits_for_an_edit_under_way_and_obeys_it():
    (preset,) = make_presets(1, desired=5)
    create = partial(creation.create_prebuilds, observe(preset), count=5, now=NOON)

    created = blocked_by(
        lambda: Preset.objects.filter(pk=preset.pk).update(desired_instances=1), create
    )

    assert created == 1
    assert pool_sizes() == {preset.pk: 1}


def test_two_cycles_join_an_organization_once():
    organization = factories.make_organization("elsewhere")
    factories.make_template(organization=organization)
    from accounts import services

    outcomes = race(*[partial(services.ensure_prebuilds_membership, [organization.pk])] * 6)

    assert errors(outcomes) == []
    assert Membership.objects.filter(organization=organization).count() == 1
    assert Group.objects.filter(organization=organization).count() == 1
    assert GroupMembership.objects.filter(group__organization=organization).count() == 1


class TestFaults:
    """A connection dies in the middle: nothing is made twice, and the next cycle converges."""

    @staticmethod
    def end_lock_holder():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM ({HOLDERS}) AS holder")
            return cursor.fetchall()

    @pytest.mark.parametrize("number", [1, 4])
    def test_the_lock_connection_ended_before_execution(self, monkeypatch, number):
        presets = make_presets(number)
        self.before_first_execution(monkeypatch, self.end_lock_holder)

        with pytest.raises(Error):
            cycle()
        monkeypatch.undo()
        sizes = pool_sizes()
        again, resting = cycle(), cycle()

        assert all(size <= 3 for size in sizes.values())
        assert again.lock_acquired
        assert pool_sizes() == {preset.pk: 3 for preset in presets}
        assert resting.executed == ()

    def test_another_reconciler_that_gets_the_lost_lock_in_the_middle(self, monkeypatch):
        presets = make_presets(3)
        others = []

        def lose_lock_to_another():
            self.end_lock_holder()
            others.append(alongside(partial(wait_for_lock_and_cycle)))

        self.before_first_execution(monkeypatch, lose_lock_to_another)
        with pytest.raises(Error):
            cycle()
        monkeypatch.undo()

        assert others[0].lock_acquired
        assert pool_sizes() == {preset.pk: 3 for preset in presets}
        assert cycle().executed == ()

    def test_a_worker_connection_ended_fails_its_preset_only(self, monkeypatch):
        presets = make_presets(4)
        victim = presets[0].pk
        real = creation.create_prebuilds
        ended = []

        def create(preset, **kwargs):
            if preset.id == victim and not ended:
                ended.append(end_own_connection())
            return real(preset, **kwargs)

        monkeypatch.setattr(creation, "create_prebuilds", create)
        done, again = cycle(), cycle()

        assert [one.decision.preset.id for one in done.failed] in ([victim], [])
        assert pool_sizes() == {preset.pk: 3 for preset in presets}
        assert done.total("created") + again.total("created") == 12

    def test_an_error_after_the_inserts_leaves_nothing_half_written(self, monkeypatch):
        presets = make_presets(2)
        from workspaces.services import builds

        real, lock, failed = builds.insert_builds, threading.Lock(), []

        def insert(requests, *, now):
            made = real(requests, now=now)
            with lock:
                if not failed:
                    failed.append(end_own_connection())
            return made

        monkeypatch.setattr(builds, "insert_builds", insert)
        done = cycle()
        monkeypatch.undo()

        assert len(done.failed) == 1
        assert Workspace.objects.count() == ProvisionerJob.objects.count() == 3
        cycle()
        assert pool_sizes() == {preset.pk: 3 for preset in presets}

    @staticmethod
    def before_first_execution(monkeypatch, effect):
        real, lock, done = execution.execute_decision, threading.Lock(), []

        def execute(decision, **options):
            with lock:
                first = not done
                done.append(True)
            if first:
                effect()
            return real(decision, **options)

        monkeypatch.setattr(execution, "execute_decision", execute)


def wait_for_lock_and_cycle():
    """Run cycles until one gets the lock: the ended backend may need a moment to go."""
    import time

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done = cycle()
        if done.lock_acquired:
            return done
    pytest.fail("the lock of an ended connection was not released")
    return None


def end_own_connection():
    """End this thread's connection from another one, as a restarting server does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def end():
        with connection.cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            return other.fetchone()[0]

    assert alongside(end)
    return pid
