"""What a claim costs: against the bare statements, side by side, all at once, and over HTTP."""

import asyncio
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
from django.db import connection, connections
from django.utils import timezone

from accounts.models import Membership, Organization, User
from benchmarks import fill, replay
from benchmarks.scenario import WARM_UP, Result, percentile, seconds_once, side_by_side
from benchmarks.web import WebServer, make_token
from prebuilds.claims import ClaimResult, claim_or_create_workspace
from prebuilds.models import ClaimOutcome
from templates_app.models import Preset
from workspaces.models import Workspace, WorkspaceBuild

PAIRS, CLAIMERS, CLAIMS_EACH, AT_ONCE, CALLERS, CALLS_EACH = 200, 8, 40, 300, 20, 15


def lay_pools(each: int) -> Preset:
    """Lay two templates of five pools, each so many ready prebuilds; return one of the pools."""
    fill.clear()
    fill.add_presets(templates=2, presets=5, desired=each)
    fill.add_ready_prebuilds(each=each)
    preset = Preset.objects.select_related("version__template").first()
    assert preset is not None
    return preset


def claim(preset: Preset, owner: User) -> ClaimResult:
    """Claim as a view does."""
    got = claim_or_create_workspace(
        owner=owner,
        template=preset.version.template,
        preset_id=preset.pk,
        name=f"w-{uuid4().hex[:24]}",
        parameters={},
        now=timezone.now(),
    )
    assert got.outcome == ClaimOutcome.WARM, got.reason
    return got


def a_person(name: str) -> User:
    """Return a member of the default organization, made on first use."""
    found = User.objects.filter(username=name).first()
    if found is None:
        found = User.objects.create_user(name)
        home = Organization.objects.get(is_default=True)
        Membership.objects.get_or_create(user=found, organization=home)
    return found


def recorded_claim(preset: Preset, owner: User) -> replay.Recording:
    """Record one claim: the workspace is learned from the lock, the rest is made anew."""
    got: list[ClaimResult] = []
    sent = replay.record(lambda: got.append(claim(preset, owner)))
    workspace = got[0].workspace
    build = WorkspaceBuild.objects.get(workspace=workspace, build_number=2)
    return replay.Recording(
        statements=replay.learning(sent, "SKIP LOCKED", "workspace"),
        names={
            workspace.pk: "workspace",
            workspace.name: "new_name",
            build.pk: "build",
            build.job_id: "job",
            got[0].claim_id: "claim",
            build.created_at: "now",
        },
    )


def fresh_values() -> replay.Values:
    """Return what a claim makes anew."""
    ids = {name: uuid4() for name in ("build", "job", "claim")}
    return {**ids, "new_name": f"w-{uuid4().hex[:24]}", "now": timezone.now()}


def one_client() -> list[Result]:
    """One client, claim by claim, in turn with the same statements by psycopg prepared."""
    preset, owner = lay_pools(2 * PAIRS + 50), a_person("ana")
    recording = recorded_claim(preset, owner)
    ours, theirs = [], []
    with replay.bare_connection() as bare:
        for number in range(PAIRS + 20):
            mine = seconds_once(lambda: claim(preset, owner))
            values = fresh_values()
            bares = seconds_once(lambda: recording.play(bare, values))  # noqa: B023  called at once
            if number >= 20:
                ours.append(mine)
                theirs.append(bares)
    _assert_claimed(2 * (PAIRS + 20) + 1)
    mine, bares = statistics.median(ours), statistics.median(theirs)
    return [
        Result(
            scenario="claim service, one client, p50",
            bar="at most 3 × the same statements by bare psycopg, prepared",
            measured=(
                f"{mine / bares:.2f} × ({mine * 1e3:.1f} ms against {bares * 1e3:.1f} ms), "
                f"{len(recording.statements)} statements"
            ),
            holds=mine <= 3 * bares,
            figures={"ratio": mine / bares, "ours": mine, "theirs": bares},
        )
    ]


def claimers() -> list[Result]:
    """Eight processes that claim, in turn with eight clients of pgbench that do."""
    rounds = 3
    preset, owner = lay_pools((2 * rounds + 1) * CLAIMERS * (CLAIMS_EACH + 5)), a_person("ana")
    recording = recorded_claim(preset, owner)
    pairs = []
    script = recording.as_script(
        learns={
            "SKIP LOCKED": {
                "workspace": "workspace.id",
                "new_name": "'w-' || workspace.id",
                "build": "gen_random_uuid()",
                "job": "gen_random_uuid()",
                "claim": "gen_random_uuid()",
            }
        },
        inline={"now": "now()"},
    )
    for _ in range(rounds):
        ours = side_by_side(lambda: claim(preset, owner), processes=CLAIMERS, each=CLAIMS_EACH)
        pairs.append((ours, replay.pgbench(script, clients=CLAIMERS, each=CLAIMS_EACH)))
    _assert_claimed(1 + rounds * CLAIMERS * (2 * CLAIMS_EACH + WARM_UP))
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return [
        Result(
            scenario=f"{CLAIMERS} concurrent claimers, throughput",
            bar="at least 25 % of pgbench with the same transaction",
            measured=f"{ratio:.0%} ({ours:.0f}/s against {theirs:.0f}/s)",
            holds=ratio >= 0.25,
            figures={"ratio": ratio, "ours": ours, "theirs": theirs},
        )
    ]


def all_at_once() -> list[Result]:
    """300 claims, 150 of them at the same moment, and there are just 300 ready."""
    preset, owner = lay_pools(AT_ONCE), a_person("ana")
    threads = 150  # each with a connection; the server allows 200
    start, seconds, got = threading.Barrier(threads), [], []

    def run(_: int) -> None:
        connection.ensure_connection()
        start.wait(60)
        for _again in range(AT_ONCE // threads):
            began = time.perf_counter()
            got.append(claim(preset, owner).workspace.pk)
            seconds.append(time.perf_counter() - began)
        connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))
    _assert_claimed(AT_ONCE)
    left = Workspace.objects.filter(latest_build__preset=preset, claim__isnull=True).count()
    distinct = len(set(got))
    return [
        Result(
            scenario=f"{AT_ONCE} claims at once against a pool of {AT_ONCE}",
            bar=f"{AT_ONCE} distinct workspaces, none lost, none double",
            measured=(
                f"{distinct} distinct of {len(got)}, {left} left; "
                f"p99 {percentile(seconds, 99) * 1e3:.0f} ms ({threads} connections)"
            ),
            holds=distinct == len(got) == AT_ONCE and left == 0,
            figures={"distinct": distinct, "left": left, "p99": percentile(seconds, 99)},
        )
    ]


def over_http() -> list[Result]:
    """Twenty callers of one web process: a second after each answer, and without a pause.

    Without a pause there are always twenty in the line: then p95 says how many claims a second
    one process serves, and no more than that.
    """
    preset = lay_pools(2 * CALLERS * CALLS_EACH + 200)
    owner = a_person("ana")
    for _ in range(20):
        claim(preset, owner)
    service = statistics.median(seconds_once(lambda: claim(preset, owner)) for _ in range(100))
    secret = make_token(owner)
    with WebServer() as web:
        asyncio.run(_call(web.url, secret, preset, each=3, pause=0))
        asked = asyncio.run(_call(web.url, secret, preset, each=CALLS_EACH, pause=1))
        pressed = asyncio.run(_call(web.url, secret, preset, each=CALLS_EACH, pause=0))
    p95, pressed95 = percentile(asked, 95), percentile(pressed, 95)
    _assert_claimed(120 + CALLERS * (3 + 2 * CALLS_EACH))
    return [
        Result(
            scenario=f"claim over HTTP, {CALLERS} callers, each a second after its last answer",
            bar="p95 below 10 × the service's p50",
            measured=(
                f"{p95 / service:.1f} × (p95 {p95 * 1e3:.0f} ms, median "
                f"{percentile(asked, 50) * 1e3:.0f} ms, service {service * 1e3:.1f} ms); "
                f"without a pause {pressed95 / service:.0f} ×"
            ),
            holds=p95 < 10 * service,
            figures={"ratio": p95 / service, "p95": p95, "pressed": pressed95, "service": service},
        )
    ]


async def _call(url: str, secret: str, preset: Preset, *, each: int, pause: float) -> list[float]:
    seconds: list[float] = []
    headers = {"Authorization": f"Bearer {secret}"}
    limits = httpx.Limits(max_connections=CALLERS)

    async def caller(client: httpx.AsyncClient) -> None:
        await asyncio.sleep(pause * random.random())
        for _ in range(each):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            body = {
                "template_id": str(preset.version.template_id),
                "template_version_preset_id": str(preset.pk),
                "name": f"w-{uuid4().hex[:24]}",
            }
            began = time.perf_counter()
            answer = await client.post(f"{url}/api/v2/users/me/workspaces", json=body)
            seconds.append(time.perf_counter() - began)
            assert answer.status_code == 201, answer.text
            assert answer.json()["claim"]["outcome"] == "warm", answer.text

    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60) as client:
        await asyncio.gather(*(caller(client) for _ in range(CALLERS)))
    return seconds


def _assert_claimed(number: int) -> None:
    """Check that so many prebuilds changed hands: a replay that touched nothing would be fast."""
    claimed = WorkspaceBuild.objects.filter(stage="prebuild_claim", build_number=2)
    owned = Workspace.objects.filter(latest_build__in=claimed, claim__isnull=False)
    assert owned.count() == number, (owned.count(), number)


SCENARIOS = {
    "claims: one client": one_client,
    "claims: side by side": claimers,
    "claims: at once": all_at_once,
    "claims: HTTP": over_http,
}
