"""Thousands of agents that wait for their workspace's claim on one web process."""

import asyncio
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import psutil
from django.db import connection
from django.utils import timezone

from accounts.models import User
from benchmarks import fill
from benchmarks.claims import a_person, claim
from benchmarks.jobs import a_daemon
from benchmarks.scenario import Result, percentile
from benchmarks.web import WebServer
from prebuilds.api.reinit import PATH
from templates_app.models import Preset
from workspaces.models import Agent
from workspaces.protocol import BuildResult
from workspaces.services import jobs

STREAMS, EVENTS, OPENING = 2_000, 200, 40

TOKENS = """
UPDATE workspaces_agent SET token_digest = sha256(convert_to('token-of-' || id::text, 'UTF8'))
"""
LISTENERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'prebuilds' AND query LIKE 'LISTEN%'
"""


@dataclass(slots=True)
class Line:
    """One agent's open line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_event(self, name: str) -> None:
        """Read until an event of this name came."""
        await asyncio.wait_for(self.reader.readuntil(f"event: {name}\n".encode()), 60)


def idle_streams() -> list[Result]:
    """2 000 agents wait; then some of their workspaces are claimed."""
    _allow_files(STREAMS + 500)
    fill.clear()
    fill.add_presets(templates=1, presets=1, desired=STREAMS)
    fill.add_ready_prebuilds(each=STREAMS)
    with connection.cursor() as cursor:
        cursor.execute(TOKENS)
    tokens = {
        workspace: f"token-of-{agent}"
        for agent, workspace in Agent.objects.values_list("pk", "resource__build__workspace")
    }
    with WebServer() as web:
        return asyncio.run(_measure(web, tokens))


async def _measure(web: WebServer, tokens: dict[UUID, str]) -> list[Result]:
    process = psutil.Process(web.pid)
    some = dict(list(tokens.items())[:OPENING])
    for _ in range(3):  # what a first stream loads is no stream's own
        await _close(await _open(web.port, some))
    await asyncio.sleep(1)
    before = process.memory_full_info().pss
    lines = await _open(web.port, tokens)
    await asyncio.sleep(1)
    each = (process.memory_full_info().pss - before) / len(lines)
    listeners = await asyncio.to_thread(_listeners)
    delays = await _events(lines)
    await _close(lines)
    p95 = percentile(delays, 95)
    return [
        Result(
            scenario=f"{STREAMS:,} idle agent streams on one web process".replace(",", " "),
            bar="one LISTEN connection, below 40 kB each, an event reaches its agent in 100 ms p95",
            measured=(
                f"{listeners} LISTEN, {each / 1e3:.1f} kB each, event p95 {p95 * 1e3:.0f} ms, "
                f"median {percentile(delays, 50) * 1e3:.0f} ms"
            ),
            holds=listeners == 1 and each < 40e3 and p95 <= 0.1,
            figures={"listeners": listeners, "bytes": each, "p95": p95},
        )
    ]


async def _open(port: int, tokens: dict[UUID, str]) -> dict[UUID, Line]:
    """Open a line for each and wait until it has said that it waits."""
    turn = asyncio.Semaphore(OPENING)

    async def open_one(token: str) -> Line:
        async with turn:
            line = Line(*await asyncio.open_connection("127.0.0.1", port, limit=4096))
            asking = f"GET {PATH} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"
            line.writer.write("\r\n".join([*asking, "", ""]).encode())
            await line.read_event("ping")
            return line

    lines = await asyncio.gather(*(open_one(token) for token in tokens.values()))
    return dict(zip(tokens, lines, strict=True))


async def _events(lines: dict[UUID, Line]) -> list[float]:
    """Claim workspaces one by one; return how long after the commit each agent heard of it."""
    preset = await Preset.objects.select_related("version__template").aget()
    owner = await asyncio.to_thread(a_person, "ana")
    daemon = await asyncio.to_thread(a_daemon)
    delays = []
    for _ in range(EVENTS):
        workspace, committed = await asyncio.to_thread(_claim_and_build, preset, owner, daemon)
        await lines[workspace].read_event("data")
        delays.append(time.perf_counter() - committed)
    return delays


def _claim_and_build(preset: Preset, owner: User, daemon: UUID) -> tuple[UUID, float]:
    """Claim a workspace and end its build; return it, and when that was committed."""
    workspace = claim(preset, owner).workspace.pk
    job = jobs.acquire_job(daemon_id=daemon, access_url="", now=timezone.now())
    assert job is not None
    assert job.workspace_id == workspace
    jobs.complete_job(
        job_id=job.job_id,
        lease=job.lease,
        result=BuildResult(provisioner_state={}),
        now=timezone.now(),
    )
    return workspace, time.perf_counter()


def _listeners() -> int:
    with connection.cursor() as cursor:
        cursor.execute(LISTENERS)
        return int(cursor.fetchone()[0])


async def _close(lines: dict[UUID, Line]) -> None:
    for line in lines.values():
        line.writer.close()
    for line in lines.values():
        with suppress(ConnectionError):
            await line.writer.wait_closed()


def _allow_files(number: int) -> None:
    """Raise the limit of open files, also of the web server to come."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))


SCENARIOS = {"streams": idle_streams}
