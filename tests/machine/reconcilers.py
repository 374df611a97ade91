"""What cycles do, also one that lost its lock, and the tick of people's lifecycle."""

from django.db import transaction

from prebuilds import execution, locks, notices, observation, reconciler
from prebuilds.core.actions import Reason
from prebuilds.core.decisions import decide
from prebuilds.core.policy import Policy
from prebuilds.execution import deletion
from prebuilds.models import Trigger
from tests.machine import promises
from workspaces.services import lifecycle_executor

POLICY = Policy(max_in_flight=4)


class Reconcilers:
    """A part of the world; its state is there."""

    def cycle(self):
        return reconciler.run_cycle(trigger=Trigger.COMMAND, policy=POLICY, clock=lambda: self.now)

    def cycle_as_expected(self):
        before, cycle = self.seen, self.cycle()
        self.look()
        after = self.seen
        assert cycle.lock_acquired
        assert cycle.paused == self.is_paused()
        if cycle.paused:
            assert after == before
        else:
            promises.check_cycle(before, after, cycle, self.now, POLICY.max_in_flight)
        return cycle

    def make_plan(self):
        """Remember what a cycle would do now, as one that then is held up."""
        self.plan = reconciler.plan_cycle(policy=POLICY, now=self.now)

    def carry_out_plan(self):
        """Do what was decided some time ago, as a reconciler that has lost its lock."""
        for decision in self.plan:
            execution.execute_decision(decision, now=self.now)

    def tell(self):
        """Bring the notices in line, as a reconciler that has lost its lock."""
        with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
            snapshot = observation.take_snapshot(POLICY, now=self.now)
        notices.sync_notices(
            decisions=decide(snapshot, POLICY, self.now),
            snapshot=snapshot,
            policy=POLICY,
            now=self.now,
        )

    def delete_running(self, preset):
        return self.delete_prebuilds(self.seen.running(preset))

    def delete_prebuilds(self, doomed):
        reasons = {one.id: Reason.EXTRANEOUS for one in doomed}
        return deletion.delete_prebuilds(reasons, now=self.now)

    def age(self):
        """Do what time does to people's workspaces."""
        run = lifecycle_executor.apply_lifecycle(now=self.now)
        assert run.failed == 0, "see the log"

    def age_as_expected(self):
        before = self.seen
        self.age()
        self.look()
        for key, earlier in before.workspaces.items():
            if earlier.is_prebuild:
                assert self.seen.workspaces[key] == earlier, "time reached for a prebuild"
        assert promises.find_overdue(self.seen, self.now) == []
