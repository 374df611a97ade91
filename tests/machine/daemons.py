"""What daemons, agents and the reaper do."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from tests import factories
from tests.machine.people import told
from workspaces.errors import LeaseLost
from workspaces.services import agents, jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A job as a daemon remembers it, whether or not it is still the daemon's."""

    job: UUID
    lease: UUID
    workspace: UUID


class Daemons:
    """A part of the world; its state is there."""

    def acquire(self, daemon=0):
        job = jobs.acquire_job(
            daemon_id=self.daemons[daemon], access_url="http://test", now=self.now
        )
        if job is not None:
            held = Held(job=job.job_id, lease=job.lease, workspace=job.workspace_id)
            self.held.append(held)
            return held
        return None

    def acquire_as_expected(self, daemon):
        queue, held = self.seen.pending(), self.acquire(daemon)
        expected = queue[0].job if queue else None
        assert (held.job if held else None) == expected, "not the first of the queue"

    def finish(self, held, how):
        act = {
            "complete": partial(jobs.complete_job, result=factories.result_for(held.workspace)),
            "fail": partial(jobs.fail_job, error="no", code="script_failed"),
            "stop": jobs.finish_canceled_job,
            "release": jobs.release_job,
            "heartbeat": jobs.heartbeat_job,
        }[how]
        act(job_id=held.job, lease=held.lease, now=self.now)

    def finish_as_expected(self, held, how):
        build = next(one for one in self._all_builds() if one.job == held.job)
        is_theirs = build.is_unfinished and build.lease == held.lease
        with told(None if is_theirs else LeaseLost):
            self.finish(held, how)

    def _all_builds(self):
        return [build for one in self.seen.workspaces.values() for build in one.builds]

    def work(self, daemon=0):
        """Do the next job; return whether there was one."""
        held = self.acquire(daemon)
        if held is None:
            return False
        self.finish(held, "complete")
        return True

    def work_everything_off(self):
        """Do every job and bring the agents up."""
        while self.work():
            pass
        self.look()
        for workspace in self.seen.live():
            for agent, state in workspace.latest.agents:
                if state != "ready":
                    self.report(agent, "ready")

    def touched(self):
        """Return the workspaces some daemon has ever had in its hands."""
        return {one.workspace for one in self.held}

    def reap(self):
        return jobs.reap_lost_jobs(now=self.now)

    def reap_as_expected(self):
        lost = {one.job for one in self.seen.unfinished() if one.is_lost(self.now)}
        assert set(self.reap()) == lost

    def report(self, agent, state):
        agents.report_lifecycle(agent_id=agent, state=agents.LifecycleState(state), now=self.now)
