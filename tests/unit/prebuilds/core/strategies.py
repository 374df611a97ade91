"""Hypothesis strategies for snapshots that observation could hand over, whole and consistent.

Ids are unique, times aware and in the past of `NOW`, pending starts are among those starting,
every running prebuild left a succeeded attempt. Ages come from a coarse grid with the edges of
the default policy on it, so that ties and boundaries are frequent.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from uuid import UUID

from hypothesis import strategies as st

from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import (
    Attempt,
    FailedDeletion,
    FailedPrebuild,
    OrganizationSnapshot,
    PendingStart,
    PresetSnapshot,
    RunningPrebuild,
    Snapshot,
    Status,
)
from templates_app.schedules import Schedule
from tests.unit.prebuilds.core.builders import DAY, HOUR, MINUTE, NOW, SECOND, TICK

EDGES = (SECOND, MINUTE, 2 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, DAY)

ages = st.one_of(
    st.sampled_from(EDGES),
    st.builds(
        lambda edge, side: edge + side * TICK, st.sampled_from(EDGES), st.sampled_from((-1, 1))
    ),
    st.integers(min_value=0, max_value=90).map(lambda minutes: minutes * MINUTE),
)
spans = st.sampled_from((timedelta(0), SECOND, MINUTE, 10 * MINUTE, HOUR))
counts = st.integers(min_value=0, max_value=4)

policies = st.builds(
    Policy,
    backoff_interval=spans,
    backoff_lookback=spans,
    failure_hard_limit=st.integers(min_value=0, max_value=4),
    max_in_flight=st.integers(min_value=0, max_value=8),
    ready_timeout=spans,
    failed_retention=spans,
)
schedules = st.builds(
    Schedule,
    expression=st.sampled_from(
        ("* * * * *", "* 12 * * *", "* 0-11 * * *", "* * * * 3", "* * 31 * *", "* 25 * * *", "?")
    ),
    desired_instances=counts,
)
statuses = st.sampled_from(Status)


@st.composite
def attempts(draw: st.DrawFn) -> tuple[Attempt, ...]:
    """Past attempts; some were made, and some ended, at the same instant."""
    return tuple(
        Attempt(
            created_at=NOW - age,
            finished_at=min(NOW - age + draw(spans), NOW),
            failed=draw(st.booleans()),
        )
        for age in draw(st.lists(ages, max_size=6))
    )


@st.composite
def running_prebuilds(draw: st.DrawFn, new_id: Callable[[], UUID]) -> RunningPrebuild:
    age, up, lost = sorted((draw(ages), draw(ages), draw(ages)), reverse=True)
    ready = draw(st.booleans())
    return RunningPrebuild(
        id=new_id(),
        created_at=NOW - age,
        started_at=NOW - up,
        ready=ready,
        lost_ready_at=None if ready or draw(st.booleans()) else NOW - lost,
    )


def attempt_of(prebuild: RunningPrebuild) -> Attempt:
    """The attempt that a running prebuild once was."""
    return Attempt(created_at=prebuild.created_at, finished_at=prebuild.started_at, failed=False)


@st.composite
def presets(
    draw: st.DrawFn,
    *,
    active: bool | None = None,
    new_id: Callable[[], UUID] | None = None,
    organizations: tuple[UUID, ...] = (UUID(int=1),),
) -> PresetSnapshot:
    """One preset with any rows; active or not unless told."""
    ids = count(100)
    make_id = new_id or (lambda: UUID(int=next(ids)))
    flags = st.just((True, False, False))
    others = st.tuples(st.booleans(), st.booleans(), st.booleans()).filter(
        lambda three: three != (True, False, False)
    )
    chosen = {True: flags, False: others, None: st.one_of(flags, others)}[active]
    using_active_version, deleted, deprecated = draw(chosen)
    running = [draw(running_prebuilds(make_id)) for _ in range(draw(counts))]
    waiting = [
        PendingStart(workspace_id=make_id(), job_id=make_id(), created_at=NOW - draw(ages))
        for _ in range(draw(counts))
    ]
    failed = [
        FailedPrebuild(id=make_id(), ended_at=NOW - draw(ages), canceled=draw(st.booleans()))
        for _ in range(draw(counts))
    ]
    failed_deletions = [
        FailedDeletion(
            id=make_id(),
            tries=draw(st.integers(min_value=1, max_value=4)),
            ended_at=NOW - draw(ages),
        )
        for _ in range(draw(counts))
    ]
    return PresetSnapshot(
        id=make_id(),
        name=draw(st.sampled_from(("large", "small"))),
        template_id=make_id(),
        template_name="django",
        version_id=make_id(),
        version_name="v1",
        organization_id=draw(st.sampled_from(organizations)),
        organization_name="acme",
        using_active_version=using_active_version,
        deleted=deleted,
        deprecated=deprecated,
        desired_instances=draw(counts),
        ttl=draw(st.none() | st.sampled_from((HOUR, 2 * HOUR))),
        scheduling_timezone=draw(st.sampled_from(("UTC", "Europe/Berlin", "Mars/Olympus"))),
        schedules=tuple(draw(st.lists(schedules, max_size=2))),
        last_invalidated_at=draw(st.none() | ages.map(lambda age: NOW - age)),
        status=draw(statuses),
        daily_cost=draw(st.integers(min_value=0, max_value=3)),
        running=tuple(running),
        starting=len(waiting) + draw(counts),
        stopping=draw(counts),
        deleting=draw(counts),
        pending=tuple(waiting),
        attempts=(*draw(attempts()), *map(attempt_of, running)),
        failed=tuple(failed),
        failed_deletions=tuple(failed_deletions),
    )


organization_snapshots = st.builds(
    OrganizationSnapshot,
    in_flight=st.integers(min_value=0, max_value=8),
    quota_allowance=st.integers(min_value=0, max_value=20),
    quota_used=st.integers(min_value=0, max_value=12),
)
ORGANIZATIONS = (UUID(int=1), UUID(int=2))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A few presets with any rows, in two organizations."""
    ids = count(100)
    return Snapshot(
        presets=tuple(
            draw(presets(new_id=lambda: UUID(int=next(ids)), organizations=ORGANIZATIONS))
            for _ in range(draw(st.integers(min_value=0, max_value=3)))
        ),
        organizations={one: draw(organization_snapshots) for one in ORGANIZATIONS},
    )


@st.composite
def hungry_presets(draw: st.DrawFn, new_id: Callable[[], UUID]) -> PresetSnapshot:
    """An active preset whose creations nothing but admission holds back."""
    ready = draw(counts)
    return PresetSnapshot(
        id=new_id(),
        name=draw(st.sampled_from(("large", "small"))),
        template_id=new_id(),
        template_name="django",
        version_id=new_id(),
        version_name="v1",
        organization_id=draw(st.sampled_from(ORGANIZATIONS)),
        organization_name="acme",
        using_active_version=True,
        deleted=False,
        deprecated=False,
        desired_instances=draw(st.integers(min_value=0, max_value=8)),
        daily_cost=draw(st.integers(min_value=0, max_value=3)),
        running=tuple(
            RunningPrebuild(id=new_id(), created_at=NOW, started_at=NOW, ready=True)
            for _ in range(ready)
        ),
        starting=draw(counts),
    )


@st.composite
def hungry_snapshots(draw: st.DrawFn) -> Snapshot:
    """Many presets that want to create, in two organizations with little room."""
    ids = count(100)
    return Snapshot(
        presets=tuple(
            draw(hungry_presets(lambda: UUID(int=next(ids))))
            for _ in range(draw(st.integers(min_value=0, max_value=6)))
        ),
        organizations={one: draw(organization_snapshots) for one in ORGANIZATIONS},
    )
