"""Real processes killed, restarted and run five at once: the pools end exact (issue 3, faults)."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.embedded_postgres.server import Server
from tests.acceptance.installation import ROOT, Installation, eventually

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(150)]

PRESETS, STEP = 20, 3
KILLS = 6  # of cycles that create, and as many of cycles that cancel

SET_UP = """
from accounts.models import Organization, User
from templates_app.services import PresetSpec, VersionSpec, create_template
tess = User.objects.filter(username="tess").first() or User.objects.create_user("tess")
create_template(
    organization=Organization.objects.get(is_default=True), name="{name}", created_by=tess,
    version=VersionSpec(
        name="1", startup_script="true\\n",
        presets=[PresetSpec(name=f"P{{n}}", desired_instances={desired}) for n in range({presets})],
    ),
)
"""

POOLS = """
SELECT preset.name, preset.desired_instances, count(workspace.id)
  FROM templates_app_preset AS preset
  LEFT JOIN workspaces_workspacebuild AS build
         ON build.preset_id = preset.id AND build.transition = 'start'
  LEFT JOIN workspaces_workspace AS workspace
         ON workspace.latest_build_id = build.id AND workspace.deleted_at IS NULL
 GROUP BY preset.id ORDER BY preset.name
"""

HALF_WRITTEN = {
    "a workspace without a latest build": """
        SELECT workspace.id FROM workspaces_workspace AS workspace
          LEFT JOIN workspaces_workspacebuild AS build
                 ON build.id = workspace.latest_build_id AND build.workspace_id = workspace.id
         WHERE build.id IS NULL""",
    "a latest build that is not the newest": """
        SELECT workspace.id FROM workspaces_workspace AS workspace
          JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
         WHERE build.build_number <> (SELECT max(build_number) FROM workspaces_workspacebuild
                                       WHERE workspace_id = workspace.id)""",
    "a build without its job": """
        SELECT build.id FROM workspaces_workspacebuild AS build
          LEFT JOIN workspaces_provisionerjob AS job
                 ON job.id = build.job_id AND job.workspace_id = build.workspace_id
         WHERE job.id IS NULL""",
    "a job without a build": """
        SELECT job.id FROM workspaces_provisionerjob AS job
          LEFT JOIN workspaces_workspacebuild AS build ON build.job_id = job.id
         WHERE build.id IS NULL""",
    "deleted by halves": """
        SELECT workspace.id FROM workspaces_workspace AS workspace
          JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
          JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
         WHERE (workspace.deleted_at IS NOT NULL)
               <> (build.transition = 'delete' AND job.status = 'succeeded')""",
    "canceled by halves": """
        SELECT job.id FROM workspaces_provisionerjob AS job
          JOIN workspaces_workspace AS workspace ON workspace.id = job.workspace_id
         WHERE job.canceled_at IS NOT NULL AND workspace.deleted_at IS NULL""",
}

LOCK_HOLDERS = """
SELECT lock.pid FROM pg_locks AS lock JOIN pg_database ON pg_database.oid = lock.database
 WHERE lock.locktype = 'advisory' AND lock.granted AND datname = current_database()
"""

OTHERS = """
SELECT pid, application_name, state, query FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""

BLOCKED = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
"""


@pytest.fixture(scope="module")
def house() -> Iterator[Installation]:
    """One migrated installation for all tests here; bells and nothing else make loops quick."""
    with tempfile.TemporaryDirectory(prefix="prebuilds-faults-") as directory:
        made = Installation(
            Path(directory),
            PREBUILDS_MAX_IN_FLIGHT="0",
            PREBUILDS_RECONCILIATION_INTERVAL="60s",
        )
        try:
            made.manage("migrate", "--verbosity", "0")
            yield made
        finally:
            made.close()


@pytest.fixture
def installation(house: Installation) -> Installation:
    """The installation without any template, workspace or run."""
    with connected(house) as database:
        database.execute("TRUNCATE templates_app_template, prebuilds_reconcilerun CASCADE")
    return house


@contextmanager
def connected(installation: Installation) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection to the installation's server, which is started when it is down."""
    with psycopg.connect(
        host=str(server_of(installation).ensure_running()),
        user="postgres",
        dbname="prebuilds",
        autocommit=True,
    ) as database:
        yield database


def server_of(installation: Installation) -> Server:
    return Server(installation.home / "postgres")


def add_pools(installation: Installation, name: str, *, presets: int, desired: int) -> None:
    installation.run_python(SET_UP.format(name=name, presets=presets, desired=desired))


@contextmanager
def reconciling(installation: Installation, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `manage.py reconcile`; whatever is left of it at the end of the block is killed."""
    with (installation.home / "reconcile.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "reconcile", *words],
            cwd=ROOT,
            env=installation.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def want(database: psycopg.Connection[Any], desired: int) -> None:
    database.execute("UPDATE templates_app_preset SET desired_instances = %s", [desired])


def sizes(database: psycopg.Connection[Any]) -> list[int]:
    return [size for _, _, size in database.execute(POOLS)]


def wait_for_cycle(database: psycopg.Connection[Any], process: "subprocess.Popen[bytes]") -> None:
    """Wait until the process holds the reconcile lock; as close to that instant as can be."""
    deadline = time.monotonic() + 20
    while not database.execute(LOCK_HOLDERS).fetchall():
        assert process.poll() is None, "it ended before its cycle was seen"
        assert time.monotonic() < deadline, "it did not start a cycle"


def wait_for_an_effect(database: psycopg.Connection[Any], before: list[int]) -> None:
    """Wait for the first commit of a cycle that changes a pool."""
    deadline = time.monotonic() + 20
    while sizes(database) == before:
        assert time.monotonic() < deadline, "the cycle does nothing"


def assert_nothing_half_written(database: psycopg.Connection[Any]) -> None:
    found = {what: database.execute(sql).fetchall() for what, sql in HALF_WRITTEN.items()}
    assert not any(found.values()), found


def test_kill_9_at_any_point_of_a_cycle_leaves_nothing_half_written_and_the_next_converges(
    installation,
):
    add_pools(installation, "many", presets=PRESETS, desired=STEP)
    with connected(installation) as database:
        span = time_effects(installation, database)
        assert sizes(database) == [STEP] * PRESETS

        halves, desired = 0, STEP
        for kill in range(KILLS):
            desired += STEP
            halves += survives_a_killed_cycle(installation, database, desired, span * kill / KILLS)
        installation.manage("reconcile")
        assert sizes(database) == [desired] * PRESETS
        for kill in range(KILLS):
            desired -= STEP
            halves += survives_a_killed_cycle(installation, database, desired, span * kill / KILLS)

        installation.manage("reconcile")
        assert sizes(database) == [desired] * PRESETS
        assert_nothing_half_written(database)
        assert installation.manage("reconcile", "--dry-run").startswith("Nothing to do")
    assert halves, "no cycle was killed with a part of its work done"


def survives_a_killed_cycle(
    installation: Installation, database: psycopg.Connection[Any], desired: int, after: float
) -> bool:
    """Want more (or fewer) prebuilds, kill the cycle that sees to it, and check every promise.

    Returns whether it was killed with a part of its work done.
    """
    before = sizes(database)
    want(database, desired)
    with reconciling(installation) as process:
        wait_for_cycle(database, process)
        if after:  # the first one is killed before its first effect
            wait_for_an_effect(database, before)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=after)
        process.kill()
        process.wait()
    # The server notices by and by; a statement under way is finished or rolled back whole.
    eventually(lambda: database.execute(OTHERS).fetchall(), lambda left: not left, seconds=10)

    found = sizes(database)
    assert_nothing_half_written(database)
    for size, size_before in zip(found, before, strict=True):
        assert min(size_before, desired) <= size <= max(size_before, desired), (found, before)
    return any(size != desired for size in found) and found != before


def time_effects(installation: Installation, database: psycopg.Connection[Any]) -> float:
    """Run a cycle undisturbed; return the seconds from its first effect to its end."""
    before = sizes(database)
    with reconciling(installation) as process:
        wait_for_cycle(database, process)
        wait_for_an_effect(database, before)
        started = time.monotonic()
        while database.execute(LOCK_HOLDERS).fetchall():
            assert time.monotonic() < started + 20, "it does not let go of the lock"
        span = time.monotonic() - started
        assert process.wait(timeout=30) == 0
    return span


def test_a_loop_outlives_a_server_that_restarts_in_the_middle_of_its_cycle(installation):
    add_pools(installation, "two", presets=2, desired=2)
    with reconciling_in_the_middle(installation) as process:
        assert server_of(installation).stop()

        with connected(installation) as database:
            eventually(lambda: sizes(database), lambda seen: seen == [2, 2], seconds=15)
            assert_nothing_half_written(database)

            want(database, 4)
            eventually(lambda: sizes(database), lambda seen: seen == [4, 4], seconds=5)
            want(database, 1)
            eventually(lambda: sizes(database), lambda seen: seen == [1, 1], seconds=5)
            assert_nothing_half_written(database)

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0


@contextmanager
def reconciling_in_the_middle(
    installation: Installation,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Give a loop whose first cycle waits for the row of a preset, which we hold."""
    with connected(installation) as database, ExitStack() as stack:
        holder = psycopg.connect(database.info.dsn)
        stack.callback(holder.close)  # not by `with`: the server ends it, there is no commit
        holder.execute("SELECT id FROM templates_app_preset WHERE name = 'P1' FOR UPDATE")
        process = stack.enter_context(reconciling(installation, "--loop"))
        eventually(
            lambda: database.execute(BLOCKED).fetchone(), lambda seen: seen == (1,), seconds=20
        )
        database.close()
        yield process


def test_five_loops_at_once_fill_every_pool_exactly_and_each_ends_on_sigterm(installation):
    add_pools(installation, "twenty", presets=20, desired=3)
    with connected(installation) as database, ExitStack() as stack:
        loops = [stack.enter_context(reconciling(installation, "--loop")) for _ in range(5)]
        eventually(lambda: first_cycles(database), lambda seen: seen >= 5, seconds=40)
        assert sizes(database) == [3] * 20

        for desired in (5, 2, 4):
            want(database, desired)
            eventually(
                lambda: sizes(database),
                lambda seen, desired=desired: seen == [desired] * 20,
                seconds=10,
            )
        for loop in loops:
            loop.send_signal(signal.SIGTERM)
        assert [loop.wait(timeout=20) for loop in loops] == [0] * 5

        assert sizes(database) == [4] * 20
        assert_nothing_half_written(database)
        bad = "SELECT * FROM prebuilds_reconcilerun WHERE presets_failed > 0 OR error <> ''"
        assert database.execute(bad).fetchall() == []
        made = "SELECT sum(created), sum(cancelled) FROM prebuilds_reconcilerun"
        assert database.execute(made).fetchone() == (20 * (5 + 2), 20 * 3)
    assert installation.manage("reconcile", "--dry-run").startswith("Nothing to do")


def first_cycles(database: psycopg.Connection[Any]) -> int:
    """Count the first cycles of the loops: with a minute between two, nobody has had a second."""
    row = database.execute(
        "SELECT count(*) FROM prebuilds_reconcilerun WHERE trigger = 'interval'"
    ).fetchone()
    return int(row[0]) if row else 0
