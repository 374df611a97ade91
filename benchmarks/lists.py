"""What a list costs: 10 000 live workspaces beside as many deleted ones, by each filter."""

import time

import httpx
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from benchmarks import fill
from benchmarks.scenario import Result, percentile
from benchmarks.web import WebServer, make_token

LIVE_PER_PRESET, GONE_PER_PRESET, PRESETS, CALLS = 100, 100, 100, 40

SEARCHES = (
    "",
    "owner:me",
    "owner:prebuilds",
    "template:t3",
    "preset:p1",
    "organization:default",
    "version:active",
    "version:v1",
    "outdated:false",
    "dormant:false",
    "status:running",
    "status:failed",
    "status:ready",
    "status:building",
    "name:prebuild",
    "nothing-is-called-that",
    "owner:prebuilds template:t3 status:ready",
)
MIX = """
UPDATE workspaces_workspace SET deleted_at = now()
 WHERE created_at <= (SELECT max(created_at) FROM workspaces_workspace)
                     - %(live)s * interval '1 minute';
UPDATE workspaces_workspace AS workspace SET owner_id = %(owner)s
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM workspaces_workspace) AS one
 WHERE one.id = workspace.id AND one.number %% 2 = 0;
UPDATE workspaces_provisionerjob AS job SET error = 'it failed', error_code = 'script_failed'
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM workspaces_provisionerjob) AS one
 WHERE one.id = job.id AND one.number %% 20 = 0;
UPDATE workspaces_agent AS agent SET lifecycle_state = 'starting', ready_at = NULL
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM workspaces_agent) AS one
 WHERE one.id = agent.id AND one.number %% 10 = 0;
"""


def filtered_list() -> list[Result]:
    """Every filter over HTTP, the slowest counts; and its statements, with a hundredth as many."""
    viewer = User.objects.filter(username="viewer").first() or User.objects.create_user("viewer")
    User.objects.filter(pk=viewer.pk).update(roles=["owner"])
    secret = make_token(viewer)
    _lay_workspaces(viewer, live=1, gone=1)
    few = {q: _statements(secret, q) for q in SEARCHES}
    _lay_workspaces(viewer, live=LIVE_PER_PRESET, gone=GONE_PER_PRESET)
    many = {q: _statements(secret, q) for q in SEARCHES}
    with WebServer() as web:
        slow = {q: _p95(web.url, secret, q) for q in SEARCHES}
    slowest = max(slow, key=lambda q: slow[q])
    return [
        Result(
            scenario="list of 10 000 workspaces beside 10 000 deleted ones, every filter",
            bar="constant statements, p95 below 150 ms",
            measured=(
                f"{max(many.values())} statements, {max(few.values())} with 100 live; slowest "
                f"`{slowest}`: p95 {slow[slowest] * 1e3:.0f} ms; all of them "
                f"{percentile(list(slow.values()), 50) * 1e3:.0f} ms"
            ),
            holds=many == few and slow[slowest] < 0.15,
            figures={"statements": max(many.values()), **{f"p95 {q}": slow[q] for q in SEARCHES}},
        )
    ]


def _lay_workspaces(viewer: User, *, live: int, gone: int) -> None:
    fill.clear()
    fill.add_presets(templates=PRESETS // 5, presets=5, desired=live)
    fill.add_ready_prebuilds(each=live + gone)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(MIX, {"owner": viewer.pk, "live": live})
    fill.analyze()


def _statements(secret: str, q: str) -> int:
    """Count the statements of the first page, without those that tell how often somebody came."""
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    host = settings.ALLOWED_HOSTS[0]
    client.get("/api/v2/workspaces", headers={"Host": host}, secure=True)  # notes the token's use
    unlimited = override_settings(PREBUILDS_API_RATE=0)  # docs/adr/0014
    with unlimited, CaptureQueriesContext(connection) as statements:
        answer = client.get("/api/v2/workspaces", {"q": q}, headers={"Host": host}, secure=True)
    assert answer.status_code == 200, answer.content
    return len(statements)


def _p95(url: str, secret: str, q: str) -> float:
    seconds = []
    with httpx.Client(headers={"Authorization": f"Bearer {secret}"}, timeout=30) as client:
        for _ in range(CALLS + 2):
            started = time.perf_counter()
            answer = client.get(f"{url}/api/v2/workspaces", params={"q": q})
            seconds.append(time.perf_counter() - started)
            assert answer.status_code == 200, answer.text
    return percentile(seconds[2:], 95)


SCENARIOS = {"lists": filtered_list}
