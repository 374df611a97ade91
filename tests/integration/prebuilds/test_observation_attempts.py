"""The attempts a snapshot reads decide exactly what all attempts there ever were would decide.

The statement leaves out whatever cannot matter; the reference here reads everything, row by row.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.system import PREBUILDS_USER_ID
from prebuilds import observation
from prebuilds.core import attempts
from prebuilds.core.decisions import decide_preset
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import Attempt
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild

pytestmark = pytest.mark.django_db

PRESETS = 60
POLICIES = (
    Policy(),
    Policy(failure_hard_limit=0),
    Policy(failure_hard_limit=1, backoff_lookback=hours(6)),
    Policy(failure_hard_limit=5, backoff_interval=timedelta(minutes=20)),
)
MOMENTS = [NOON + timedelta(minutes=minutes) for minutes in (0, 7, 61, 400)]
FATES = ("succeeded", "failed", "never_ready", "canceled", "unfinished", "somebody's")


@pytest.fixture
def history():
    """Write what was tried for sixty pools, straight into the tables."""
    random = Random(7)  # the same population each time
    presets = tuple(
        PresetSpec(
            name=f"pool-{number}",
            desired_instances=random.choice([0, 1, 2, 5]),
            schedules=(("* 9-17 * * *", random.choice([0, 3, 4])),) if number % 2 else (),
        )
        for number in range(PRESETS)
    )
    template = factories.make_template(presets=presets)
    person = factories.make_user()
    rows = [
        row
        for preset in Preset.objects.filter(version__template=template)
        for row in _tries(random, preset, template, person)
    ]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers, no checks
        for model in (Workspace, ProvisionerJob, WorkspaceBuild):
            model.objects.bulk_create(one for one in rows if isinstance(one, model))
        cursor.execute("SET LOCAL session_replication_role = origin")
    for preset in Preset.objects.filter(version__template=template):
        if random.random() < 0.3:
            reset_at = NOON - timedelta(minutes=random.choice([1, 30, 90, 900]))
            Preset.objects.filter(pk=preset.pk).update(failures_reset_at=reset_at)
    return template


def _tries(random, preset, template, person):
    """Yield the rows of a few batches of attempts; each pool has its own luck."""
    luck = random.choice([(1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (8, 1, 1), (1, 3, 1)])
    at = NOON - timedelta(minutes=random.choice([5, 55, 65, 300, 5_000]))
    for _ in range(random.randrange(9)):
        for _ in range(random.choice([1, 1, 2, 4])):
            fate = random.choices(FATES, [10 * each for each in luck] + [1, 1, 1])[0]
            yield from _try(random, preset, template, at, fate, person)
        at -= timedelta(minutes=random.choice([0, 1, 5, 20, 90, 3_000]))


def _try(random, preset, template, at, fate, person):
    """Yield the rows of one attempt at this instant."""
    by = person.pk if fate == "somebody's" else PREBUILDS_USER_ID
    ended_at = at + timedelta(minutes=random.choice([0, 1, 1, 3, 45]))
    workspace = Workspace(
        organization_id=template.organization_id,
        owner_id=by,
        template=template,
        name=f"gone-{uuid4()}",
        created_at=at,
        deleted_at=ended_at,
    )
    error = "broken" if fate in {"failed", "somebody's"} else ""
    over = None if fate == "unfinished" else ended_at
    canceled = at if fate == "canceled" else None
    yield workspace
    yield from _build(workspace, preset, by, 1, at, over, error=error, canceled=canceled)
    if fate == "never_ready":
        found_at = ended_at + timedelta(minutes=31)
        yield from _build(workspace, preset, by, 2, found_at, found_at, reason="never_ready")


def _build(workspace, preset, by, number, at, over, *, error="", canceled=None, reason=""):
    job = ProvisionerJob(
        organization_id=workspace.organization_id,
        initiator_id=by,
        workspace=workspace,
        provisioner_type="local",
        created_at=at,
        started_at=at,
        lease=uuid4(),
        heartbeat_at=at,
        completed_at=over,
        canceled_at=canceled,
        error=error,
    )
    yield job
    yield WorkspaceBuild(
        workspace=workspace,
        build_number=number,
        transition="start" if number == 1 else "delete",
        template_version_id=preset.version_id,
        preset=preset,
        initiator_id=by,
        job=job,
        action_reason=reason,
        created_at=at,
    )


def all_attempts(preset_id) -> list[Attempt]:
    """Read every attempt of a preset that counts, one by one (semantics.md 8)."""
    reset_at = Preset.objects.get(pk=preset_id).failures_reset_at
    first_starts = WorkspaceBuild.objects.filter(
        preset_id=preset_id,
        build_number=1,
        transition="start",
        initiator_id=PREBUILDS_USER_ID,
        job__status__in=["succeeded", "failed"],
    )
    found = [_attempt(build) for build in first_starts.select_related("job")]
    return [one for one in found if reset_at is None or one.finished_at > reset_at]


def _attempt(build) -> Attempt:
    given_up = WorkspaceBuild.objects.filter(
        workspace_id=build.workspace_id, action_reason="never_ready"
    ).first()
    return Attempt(
        created_at=build.created_at,
        finished_at=given_up.created_at if given_up else build.job.completed_at,
        failed=given_up is not None or build.job.status == "failed",
    )


def conclusions(preset, policy: Policy, now: datetime):
    """Return all that attempts are asked for."""
    return (
        attempts.find_backoff(preset, policy, now),
        attempts.is_probing(preset),
        attempts.is_hard_limited(preset, policy),
        decide_preset(preset, policy, now).actions,
    )


def test_what_is_read_decides_what_everything_would(history):
    reference: dict[object, list[Attempt]] = {}
    seen: Counter[str] = Counter()

    for policy in POLICIES:
        for now in MOMENTS:
            for preset in observation.take_snapshot(policy, now=now, using="default").presets:
                every = reference.setdefault(preset.id, all_attempts(preset.id))
                expected = conclusions(replace(preset, attempts=tuple(every)), policy, now)
                assert conclusions(preset, policy, now) == expected, preset.name
                seen += count(preset, every, expected)

    # The population is worth its name: every conclusion was drawn, and something was left out.
    assert min(seen[kind] for kind in ("backoff", "probing", "limited", "spared", "older")) >= 20
    assert set(seen) == {"backoff", "probing", "limited", "spared", "older"}


def count(preset, every, expected):
    backoff, probing, limited, _ = expected
    return +Counter(
        backoff=backoff is not None,
        probing=probing and not backoff,
        limited=limited,
        spared=bool(every) and not preset.attempts,
        older=bool(preset.attempts) and len(preset.attempts) < len(every),
    )


def test_one_preset_alone_has_the_attempts_it_has_among_all(history):
    for preset in observation.take_snapshot(Policy(), now=NOON, using="default").presets:
        (alone,) = observation.take_snapshot(
            Policy(), now=NOON, using="default", only=preset.id
        ).presets

        assert sorted(alone.attempts, key=str) == sorted(preset.attempts, key=str)


def test_a_healthy_pool_reads_no_attempts():
    preset = factories.preset_of(factories.make_template())
    factories.make_ready_prebuilds(preset, 2, now=NOON)

    with CaptureQueriesContext(connection) as queries:
        seen = factories.observe(preset, now=NOON)
    (attempts_statement,) = [one["sql"] for one in queries if "recent_failure" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(attempts_statement)
        assert cursor.fetchall() == []

    assert len(seen.running) == 2
