"""SIGTERM as docs/operations.md says: streams say goodbye, work under way ends, exit code 0."""

import contextlib
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from config.embedded_postgres.server import Server
from tests.acceptance.installation import Installation, eventually

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(150)]

PROMPTLY = 4.0
SOON = 10.0

SET_UP = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from accounts.models import Membership, Organization, User
from templates_app.services import PresetSpec
from tests import factories
home = Organization.objects.get(is_default=True)
tess = User.objects.create_user("tess", roles=["owner"])
Membership.objects.create(organization=home, user=tess)
small = PresetSpec(name="Small", desired_instances=5)
preset = factories.preset_of(factories.make_template(presets=[small]))
prebuilds = factories.make_ready_prebuilds(preset, 5)
waiting = factories.make_workspace(tess)
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(tess.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = tess.get_session_auth_hash()
session.create()
print(session.session_key, waiting.latest_build_id, *[one.pk for one in prebuilds])
"""

SCRIPT = "touch started; while [ ! -e go ]; do sleep 0.1; done\\n"
POOL = f"""
from accounts.models import Organization, User
from templates_app.services import PresetSpec, VersionSpec, create_template
create_template(
    organization=Organization.objects.get(is_default=True), name="slow",
    created_by=User.objects.create_user("sam", roles=["owner"]),
    version=VersionSpec(
        name="1", startup_script="{SCRIPT}", startup_timeout_seconds=120,
        presets=[PresetSpec(name="Small", desired_instances=1)],
    ),
)
"""
JOBS = """
from workspaces.models import ProvisionerJob
print(*ProvisionerJob.objects.values_list("status", flat=True))
"""


@pytest.fixture
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-stopping-") as directory:
        made = Installation(Path(directory))
        try:
            made.manage("migrate", "--verbosity", "0")
            yield made
        finally:
            made.close()


class Stream:
    """One line to the server that stays open, read to its end by a thread of its own."""

    def __init__(self, installation: Installation, path: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=60)
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, path
        self.last = ""
        self.ended_well = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while line := self._answer.readline():
                self.last = line.decode().strip() or self.last
            self.ended_well = True

    def join(self) -> None:
        self._reader.join(SOON)
        assert not self._reader.is_alive()
        self._connection.close()


def open_streams(installation: Installation) -> dict[str, list[Stream]]:
    """Open a hundred: pages, agents who wait to be claimed, and people who follow a log."""
    session, build, *prebuilds = installation.run_python(SET_UP).split()
    cookie = {"Cookie": f"sessionid={session}"}
    log = f"/api/v2/workspacebuilds/{build}/logs?follow=true"
    reinit = "/api/v2/workspaceagents/me/reinit"
    tokens = [{"Authorization": f"Bearer token-of-{one}"} for one in prebuilds]
    return {
        "pages": [Stream(installation, "/live/pools", cookie) for _ in range(75)],
        "agents": [Stream(installation, reinit, token) for token in tokens * 4],
        "logs": [Stream(installation, log, cookie) for _ in range(5)],
    }


@contextlib.contextmanager
def tables_locked(installation: Installation, table: str) -> Iterator[Callable[[], None]]:
    """Keep everybody from reading a table until told to let go."""
    with psycopg.connect(
        host=str(Server(installation.home / "postgres").ensure_running()),
        user="postgres",
        dbname="prebuilds",
    ) as database:
        database.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield database.rollback


def test_a_hundred_open_streams_end_by_themselves_and_the_web_process_exits_at_once(installation):
    installation.start("web")
    streams = open_streams(installation)
    assert sum(map(len, streams.values())) == 100

    began = time.monotonic()
    code = installation.stop("web")
    took = time.monotonic() - began

    every = [one for group in streams.values() for one in group]
    for one in every:
        one.join()
    assert code == 0, installation.logs()
    assert took < PROMPTLY
    assert [one for one in every if not one.ended_well] == []
    assert {one.last for one in streams["pages"]} == {"data: bye"}
    assert "Cancel" not in (installation.home / "web.log").read_text()


def test_a_request_under_way_is_answered_while_the_web_process_stops(installation):
    installation.start("web")
    answers: list[int] = []

    with tables_locked(installation, "prebuilds_reconcilerun") as let_go:
        asking = threading.Thread(
            target=lambda: answers.append(
                httpx.get(f"{installation.url}/healthz", timeout=30).status_code
            )
        )
        asking.start()
        eventually(lambda: waits_for_a_lock(installation), bool, seconds=SOON)
        installation.terminate("web")
        eventually(lambda: accepts(installation), lambda it: not it, seconds=SOON)
        assert answers == []
        let_go()
        asking.join(SOON)

    assert answers == [503]  # there was no cycle yet, and that is what it was asked
    assert installation.stop("web") == 0, installation.logs()


def test_behind_a_balancer_it_says_503_and_goes_on_serving_before_it_ends(installation):
    installation.environment["PREBUILDS_SHUTDOWN_DELAY"] = "4s"
    installation.start("web")
    assert readyz(installation) == (200, "ok")

    installation.terminate("web")

    eventually(lambda: readyz(installation), lambda seen: seen == (503, "stopping"), seconds=2)
    assert httpx.get(f"{installation.url}/sign-in/").status_code == 200
    assert installation.stop("web", signals=0) == 0, installation.logs()


def test_a_second_signal_ends_it_without_the_delay(installation):
    installation.environment["PREBUILDS_SHUTDOWN_DELAY"] = "1m"
    installation.start("web")
    installation.terminate("web")
    eventually(lambda: readyz(installation)[0], lambda status: status == 503, seconds=SOON)

    began = time.monotonic()
    code = installation.stop("web")

    assert code == 0, installation.logs()
    assert time.monotonic() - began < PROMPTLY


def test_a_provisioner_finishes_its_job_within_the_grace(installation):
    directory = begin_a_build(installation)

    installation.terminate("provisioner")
    (directory / "go").touch()

    assert installation.stop("provisioner", signals=0) == 0, installation.logs()
    assert installation.run_python(JOBS) == "succeeded"


def test_a_provisioner_gives_back_the_job_that_does_not_end(installation):
    begin_a_build(installation)

    assert installation.stop("provisioner") == 0, installation.logs()

    assert installation.run_python(JOBS) == "pending"


def begin_a_build(installation: Installation) -> Path:
    """Let a provisioner start on a job whose script waits; return where the script runs."""
    installation.run_python(POOL)
    installation.manage("reconcile")
    installation.start("web", "provisioner")  # the agent fetches its script from the server
    started = eventually(
        lambda: list(installation.home.glob("workspaces/**/started")), bool, seconds=30
    )
    return started[0].parent


def readyz(installation: Installation) -> tuple[int, str]:
    answer = httpx.get(f"{installation.url}/readyz", timeout=5)
    return answer.status_code, json.loads(answer.content)["process"]


def accepts(installation: Installation) -> bool:
    try:
        httpx.get(f"{installation.url}/readyz", timeout=2)
    except httpx.HTTPError:
        return False
    return True


def waits_for_a_lock(installation: Installation) -> bool:
    """Whether a statement of somebody's waits for a lock just now."""
    with psycopg.connect(
        host=str(Server(installation.home / "postgres").ensure_running()),
        user="postgres",
        dbname="prebuilds",
    ) as database:
        found = database.execute(
            "SELECT 1 FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
        )
        return found.fetchone() is not None
