"""The reconciler's bars (issue: linear cost, sub-second reaction)."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

import psutil
import psycopg
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.system import PREBUILDS_USER_ID
from benchmarks import fill
from benchmarks.scenario import Result, paired_ratio, percentile, seconds_of
from prebuilds import locks, observation, reconciler
from prebuilds.conf import current_policy
from prebuilds.models import Trigger
from prebuilds.orchestrator import Orchestrator
from templates_app.models import Preset, Template
from templates_app.services import promote_version


def cycle() -> reconciler.Cycle:
    """Run one cycle as the command does."""
    return reconciler.run_cycle(
        trigger=Trigger.COMMAND, policy=current_policy(), clock=timezone.now
    )


def snapshot() -> None:
    """Take a snapshot as a cycle does."""
    with transaction.atomic(using=locks.SNAPSHOT_ALIAS):
        observation.take_snapshot(current_policy(), now=timezone.now())


def statements_of(work: Callable[[], object]) -> int:
    """Count the SQL statements on both connections."""
    work()
    with (
        CaptureQueriesContext(connections["default"]) as on_default,
        CaptureQueriesContext(connections[locks.SNAPSHOT_ALIAS]) as on_snapshot,
    ):
        work()
    return len(on_default) + len(on_snapshot)


def bare_fetch() -> None:
    """Fetch the very rows of the snapshot with psycopg alone."""
    statements: list[tuple[str, Any]] = []
    original = observation._fetch

    def remember(using: str, sql: str, **parameters: Any) -> Any:
        statements.append((sql, {"prebuilds": PREBUILDS_USER_ID, **parameters}))
        return original(using, sql, **parameters)

    if not _remembered:
        with mock.patch.object(observation, "_fetch", remember):
            snapshot()
        _remembered.extend(statements)
    with _bare_connection() as bare:
        for sql, parameters in _remembered:
            bare.execute(sql, parameters).fetchall()


_remembered: list[tuple[str, Any]] = []


@contextmanager
def _bare_connection() -> Any:
    params = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in {"host", "port", "user", "password", "dbname"}
    }
    with psycopg.connect(**params, cursor_factory=psycopg.ClientCursor) as bare:
        yield bare


def noop_cycle() -> list[Result]:
    """A cycle with nothing to do, large and small; and how it grows."""
    fill.clear()
    fill.add_presets(templates=1, presets=10, desired=10)
    fill.add_ready_prebuilds(each=10)
    few = statements_of(cycle)

    fill.clear()
    fill.add_presets(templates=10, presets=100, desired=10)
    fill.add_ready_prebuilds(each=10)
    small = seconds_of(cycle)

    fill.clear()
    fill.add_presets(templates=100, presets=100, desired=10)
    fill.add_ready_prebuilds(each=10)
    many = statements_of(cycle)
    assert cycle().presets_total == 10_000
    ratio, ours, theirs = paired_ratio(cycle, bare_fetch)
    before = psutil.Process().memory_info().rss
    peak = _peak_memory(cycle)
    growth = ours / small
    return [
        Result(
            scenario="no-op cycle, 10 000 presets, 100 000 running",
            bar="the same statements as with 10 presets, at most 12",
            measured=f"{many} statements, {few} with 10 presets",
            holds=many == few <= 12,
            figures={"many": many, "few": few},
        ),
        Result(
            scenario="no-op cycle, 10 000 presets, 100 000 running",
            bar="at most 2 × the same rows fetched by bare psycopg",
            measured=f"{ratio:.2f} × ({ours:.2f} s against {theirs:.2f} s)",
            holds=ratio <= 2,
            figures={"ratio": ratio, "ours": ours, "theirs": theirs},
        ),
        Result(
            scenario="growth from 1 000 to 10 000 presets",
            bar="at most 11 ×",
            measured=f"{growth:.1f} × ({small:.2f} s to {ours:.2f} s)",
            holds=growth <= 11,
            figures={"growth": growth},
        ),
        Result(
            scenario="memory of the 10 000-preset cycle",
            bar="below 400 MB above the idle process",
            measured=f"{(peak - before) / 1e6:.0f} MB",
            holds=peak - before < 400e6,
            figures={"bytes": peak - before},
        ),
    ]


def _peak_memory(work: Callable[[], object]) -> int:
    """Return the largest resident size seen while the work runs."""
    process, done = psutil.Process(), threading.Event()
    seen = [process.memory_info().rss]

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(seen)


def inactive_presets() -> list[Result]:
    """Presets of old versions with nothing left cost next to nothing."""
    fill.clear()
    fill.add_presets(templates=1, presets=100, desired=10)
    fill.add_ready_prebuilds(each=10)
    alone = seconds_of(snapshot, runs=9)
    fill.add_presets(templates=1, presets=100, desired=10, versions=100, prefix="old")
    Template.objects.filter(name="old1").update(deprecation_message="old")
    fill.analyze()
    crowded = seconds_of(snapshot, runs=9)
    ratio = crowded / alone
    return [
        Result(
            scenario="snapshot of 10 100 presets, 10 000 inactive and empty",
            bar="at most 1.3 × a snapshot of the 100",
            measured=f"{ratio:.2f} × ({crowded * 1e3:.1f} ms against {alone * 1e3:.1f} ms)",
            holds=ratio <= 1.3,
            figures={"ratio": ratio},
        )
    ]


def fill_pools() -> list[Result]:
    """10 000 prebuilds over 1 000 presets, against the same rows by bare psycopg."""
    ours, theirs = [], []
    for _ in range(3):
        _lived_in()
        started = time.perf_counter()
        done = cycle()
        ours.append(time.perf_counter() - started)
        assert done.total("created") == 10_000, done.total("created")
        _lived_in()
        started = time.perf_counter()
        _bare_fill()
        theirs.append(time.perf_counter() - started)
    ratio = sorted(a / b for a, b in zip(ours, theirs, strict=True))[1]
    return [
        Result(
            scenario="fill: 10 000 prebuilds over 1 000 presets",
            bar="at most 4 × the same rows by bare psycopg in as few statements",
            measured=f"{ratio:.2f} × ({sorted(ours)[1]:.2f} s against {sorted(theirs)[1]:.2f} s)",
            holds=ratio <= 4,
            figures={"ratio": ratio},
        )
    ]


def _lived_in() -> None:
    """Lay 1 000 empty pools beside full ones.

    In tables that are empty and never analyzed PostgreSQL checks foreign keys by reading them
    whole, and keeps that plan while they grow; no installation stays like that for long.
    """
    fill.clear()
    fill.add_presets(templates=1, presets=10, desired=1_000, prefix="full")
    fill.add_ready_prebuilds(each=1_000)
    fill.add_presets(templates=10, presets=100, desired=10)


def _bare_fill() -> None:
    """Write the rows of ten prebuilds per preset: three statements per thousand, one commit."""
    now = timezone.now()
    presets = list(
        Preset.objects.filter(desired_instances=10).values_list(
            "pk", "version_id", "version__template_id", "version__template__organization_id"
        )
    )
    with _bare_connection() as bare:
        for start in range(0, len(presets), 100):
            ids = [(*one, now) for one in presets[start : start + 100] for _ in range(10)]
            _bare_rows(bare, ids)


def _bare_rows(bare: Any, ids: list[tuple[Any, ...]]) -> None:
    new = [(uuid4(), uuid4(), uuid4(), *each) for each in ids]
    _insert_many(
        bare,
        "workspaces_workspace (id, organization_id, owner_id, template_id, name, created_at,"
        " updated_at, automatic_updates, autostart_schedule, latest_build_id,"
        " pool_preset_id)",
        [
            (workspace, organization, PREBUILDS_USER_ID, template, f"prebuild-{workspace}", now)
            + (now, "never", "", build, preset)
            for workspace, build, _, preset, _, template, organization, now in new
        ],
    )
    _insert_many(
        bare,
        "workspaces_provisionerjob (id, organization_id, initiator_id, workspace_id, type,"
        " provisioner_type, priority, tags, input, created_at, error, error_code, log_length)",
        [
            (job, organization, PREBUILDS_USER_ID, workspace, "workspace_build", "local", 2)
            + ("{}", "{}", now, "", "", 0)
            for workspace, _, job, _, _, _, organization, now in new
        ],
    )
    _insert_many(
        bare,
        "workspaces_workspacebuild (id, workspace_id, build_number, transition,"
        " template_version_id, preset_id, initiator_id, reason, stage, action_reason, job_id,"
        " created_at, provisioner_state, daily_cost, replacements)",
        [
            (build, workspace, 1, "start", version, preset, PREBUILDS_USER_ID, "reconcile")
            + ("prebuild_create", "missing", job, now, "{}", 0, "[]")
            for workspace, build, job, preset, version, _, _, now in new
        ],
    )


def _insert_many(bare: Any, into: str, rows: list[tuple[Any, ...]]) -> None:
    row = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
    values = [value for each in rows for value in each]
    bare.execute(f"INSERT INTO {into} VALUES {', '.join([row] * len(rows))}", values)


def promotion() -> list[Result]:
    """Promoting a template with 1 000 prebuilds drains and refills in one cycle."""
    counts: dict[int, int] = {}
    cycles: dict[int, reconciler.Cycle] = {}
    for each in (10, 100):
        fill.clear()
        fill.add_presets(templates=1, presets=10, desired=each, versions=2)
        fill.add_ready_prebuilds(each=each)
        cycle()  # a house's first one also makes the prebuilds user a member
        template = fill.a_template()
        newer = template.versions.get(name="v2")
        promote_version(template_id=template.pk, version_id=newer.pk, now=timezone.now())
        with (
            mock.patch.object(reconciler, "_worker_limit", return_value=1),
            CaptureQueriesContext(connections["default"]) as queries,
        ):
            cycles[each] = cycle()
        counts[each] = len(queries)
    done = cycles[100]
    right = done.total("deleted") == 1_000 and done.total("created") == 1_000
    return [
        Result(
            scenario="promotion of a template with 1 000 prebuilds",
            bar="one cycle, statements per preset constant",
            measured=(
                f"deleted {done.total('deleted')}, created {done.total('created')} in one cycle; "
                f"{counts[100] / 20:.1f} statements a preset, {counts[10] / 20:.1f} with 100"
            ),
            holds=right and counts[10] == counts[100],
            figures={"statements_1000": counts[100], "statements_100": counts[10]},
        )
    ]


def bell() -> list[Result]:
    """From a commit that rings to a cycle that has read its snapshot."""
    fill.clear()
    fill.add_presets(templates=1, presets=10, desired=0)
    preset = Preset.objects.first()
    assert preset is not None
    read, original = threading.Event(), observation.take_snapshot
    seen: list[int | None] = []

    def watched(*args: Any, **named: Any) -> Any:
        found = original(*args, **named)
        seen.append(next(one.ttl for one in found.presets if one.id == preset.pk))
        read.set()
        return found

    loop = Orchestrator(policy=current_policy(), clock=timezone.now, interval=timedelta(minutes=10))
    delays: list[float] = []
    with mock.patch.object(observation, "take_snapshot", watched):
        runner = threading.Thread(target=loop.run_loop)
        runner.start()
        read.wait(10)
        for number in range(40):
            time.sleep(0.4)
            read.clear()
            started = time.perf_counter()
            Preset.objects.filter(pk=preset.pk).update(ttl_seconds=3600 + number)
            while not (read.wait(5) and seen[-1] == timedelta(seconds=3600 + number)):
                read.clear()
            delays.append(time.perf_counter() - started)
        loop.stop("benchmark")
        runner.join()
    p95 = percentile(delays, 95)
    return [
        Result(
            scenario="bell → cycle has read its snapshot",
            bar="p95 below 500 ms",
            measured=f"p95 {p95 * 1e3:.0f} ms, median {percentile(delays, 50) * 1e3:.0f} ms",
            holds=p95 < 0.5,
            figures={"p95": p95},
        )
    ]


SCENARIOS = {
    "reconciler: noop": noop_cycle,
    "reconciler: inactive": inactive_presets,
    "reconciler: fill": fill_pools,
    "reconciler: promotion": promotion,
    "reconciler: bell": bell,
}
