"""What the queue costs: jobs taken and completed, and how soon an idle daemon takes one up."""

import statistics
import threading
import time
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from benchmarks import fill, replay
from benchmarks.claims import a_person
from benchmarks.scenario import WARM_UP, Result, percentile, side_by_side
from templates_app.enums import ProvisionerType
from workspaces import listening
from workspaces.enums import Transition
from workspaces.management.commands.provisioner import Bells
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.protocol import (
    AcquiredJob,
    AgentReport,
    BuildContext,
    BuildResult,
    DaemonProfile,
    ResourceReport,
)
from workspaces.provisioner.daemon import Daemon, DaemonOptions
from workspaces.provisioner.transport import ServiceTransport
from workspaces.services import builds, daemons, jobs

WORKERS, JOBS_EACH, PICKUPS = 4, 150, 100

PENDING = """
DELETE FROM workspaces_agent;
DELETE FROM workspaces_workspaceresource;
UPDATE workspaces_provisionerjob
   SET started_at = NULL, completed_at = NULL, lease = NULL, heartbeat_at = NULL;
"""


def lay_queue(number: int) -> None:
    """Lay so many pending jobs, each to build a prebuild."""
    fill.clear()
    fill.add_presets(templates=2, presets=5, desired=number // 10)
    fill.add_ready_prebuilds(each=number // 10)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(PENDING)
    fill.analyze()


def a_daemon() -> UUID:
    """Introduce a daemon."""
    return daemons.register_daemon(
        profile=DaemonProfile(
            name="bench",
            hostname="localhost",
            version="",
            provisioner_types=["local"],
            tags={},
            concurrency=4,
        ),
        now=timezone.now(),
    ).pk


def what_a_build_makes(token: str) -> BuildResult:
    """Return one resource with one agent."""
    agent = AgentReport(name="main", token=token)
    made = ResourceReport(name="workspace", type="local_process", agents=(agent,))
    return BuildResult(provisioner_state={"made": True}, resources=(made,))


def acquire(daemon: UUID) -> AcquiredJob:
    """Take a job as a daemon does."""
    job = jobs.acquire_job(daemon_id=daemon, access_url="", now=timezone.now())
    assert job is not None
    return job


def complete(job: AcquiredJob) -> None:
    """End it as a daemon does."""
    result = what_a_build_makes(f"token-{job.job_id}")
    jobs.complete_job(job_id=job.job_id, lease=job.lease, result=result, now=timezone.now())


def acquire_and_complete() -> list[Result]:
    """Four processes that take jobs and complete them, in turn with four clients of pgbench."""
    rounds = 3
    lay_queue((2 * rounds + 1) * WORKERS * (JOBS_EACH + 10))
    daemon = a_daemon()
    script = _script(daemon)
    pairs = []
    for _ in range(rounds):
        ours = side_by_side(lambda: complete(acquire(daemon)), processes=WORKERS, each=JOBS_EACH)
        pairs.append((ours, replay.pgbench(script, clients=WORKERS, each=JOBS_EACH)))
    _assert_completed(1 + rounds * WORKERS * (2 * JOBS_EACH + WARM_UP))
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return [
        Result(
            scenario=f"acquire + complete, {WORKERS} processes",
            bar="at least 1 000/s, or 20 % of pgbench with the same statements",
            measured=f"{ours:.0f}/s, {ratio:.0%} of pgbench ({theirs:.0f}/s)",
            holds=ours >= 1_000 or ratio >= 0.2,
            figures={"ratio": ratio, "ours": ours, "theirs": theirs},
        )
    ]


def _script(daemon: UUID) -> str:
    """Record one acquire and one complete, and write both for pgbench."""
    got: list[AcquiredJob] = []
    acquired = replay.record(lambda: got.append(acquire(daemon)))
    (job,) = got
    completed = replay.record(lambda: complete(job))
    row = ProvisionerJob.objects.get(pk=job.job_id)
    names = {
        job.job_id: "job",
        job.lease: "lease",
        job.build_id: "build",
        row.started_at: "now",
        row.completed_at: "later",
    }
    answers = {"SKIP LOCKED": {"job": "taken.id", "lease": "taken.lease", "build": "build.id"}}
    now = {"now": "now()", "later": "now()"}
    before = {**now, "lease": "gen_random_uuid()"}
    first = replay.Recording(statements=acquired, names=names, atomic=False)
    second = replay.Recording(statements=completed, names=names)
    return first.as_script(learns=answers, inline=before) + second.as_script(learns={}, inline=now)


def _assert_completed(number: int) -> None:
    """Check that so many jobs ended with all their rows, whoever ended them."""
    ended = ProvisionerJob.objects.filter(status="succeeded")
    full = WorkspaceBuild.objects.filter(
        job__in=ended, resources__agents__isnull=False, provisioner_state={"made": True}
    )
    assert ended.count() == full.count() == number, (ended.count(), full.count(), number)


class Stopwatch:
    """A driver that builds nothing and notes when it was asked to."""

    def __init__(self) -> None:
        self.called = threading.Event()
        self.at = 0.0

    def build(self, job: AcquiredJob, context: BuildContext) -> BuildResult:
        """Note the time."""
        self.at = time.perf_counter()
        self.called.set()
        return BuildResult(provisioner_state={})


def pickup() -> list[Result]:
    """From the commit of a new build to the driver of a daemon that had nothing to do."""
    lay_queue(PICKUPS)
    owner = a_person("ana")
    _give_all_to(owner)
    driver = Stopwatch()
    with listening.hub().subscribe(listening.PROVISIONER_JOBS) as bells:
        daemon = Daemon(
            profile=DaemonProfile(
                name="idle",
                hostname="localhost",
                version="",
                provisioner_types=[ProvisionerType.LOCAL.value],
                tags={},
                concurrency=2,
            ),
            transport=ServiceTransport(access_url="", clock=timezone.now),
            driver=driver,
            wake_up=Bells(bells),
            clock=timezone.now,
            options=DaemonOptions(poll=(60.0, 60.0), grace=1.0),
        )
        runner = threading.Thread(target=daemon.run)
        runner.start()
        delays = [_pick_up(driver, each, owner) for each in Workspace.objects.order_by("pk")]
        daemon.stop()
        runner.join(30)
    p95 = percentile(delays, 95)
    return [
        Result(
            scenario="enqueue → pickup by an idle daemon",
            bar="p95 at most 25 ms",
            measured=f"p95 {p95 * 1e3:.1f} ms, median {percentile(delays, 50) * 1e3:.1f} ms",
            holds=p95 <= 0.025,
            figures={"p95": p95},
        )
    ]


def _give_all_to(owner: User) -> None:
    """Make every workspace somebody's, with its build ended."""
    ProvisionerJob.objects.update(
        started_at=F("created_at"),
        heartbeat_at=F("created_at"),
        completed_at=F("created_at"),
        lease=uuid4(),
    )
    Workspace.objects.update(owner=owner)
    fill.analyze()


def _pick_up(driver: Stopwatch, workspace: Workspace, owner: User) -> float:
    time.sleep(0.1)  # idle again
    driver.called.clear()
    builds.create_build(
        workspace_id=workspace.pk,
        transition=Transition.STOP,
        initiator_id=owner.pk,
        now=timezone.now(),
    )
    committed = time.perf_counter()
    assert driver.called.wait(10)
    return max(driver.at - committed, 0.0)


SCENARIOS = {"jobs: acquire and complete": acquire_and_complete, "jobs: pickup": pickup}
