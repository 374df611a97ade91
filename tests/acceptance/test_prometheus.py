"""A real Prometheus scrapes two real replicas while they are killed, restarted and claimed from."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import Installation, eventually
from tests.acceptance.prometheus import Prometheus, promtool
from tests.integration.prebuilds.test_alert_rules import dashboard_expressions, filled

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(180)]

TOKEN = "the-token-of-this-test"

SET_UP = """
from accounts.models import Membership, Organization, User
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec, create_template
home = Organization.objects.get(is_default=True)
ana = User.objects.create_user("ana")
Membership.objects.create(organization=home, user=ana)
regions = [ParameterDefinition(name="region", type="string", default="eu", options=("eu",))]
def make(template, script, **preset):
    return create_template(
        organization=home, name=template, created_by=ana, check_presets=False,
        version=VersionSpec(name="1", startup_script=script, definitions=regions,
                            presets=[PresetSpec(desired_instances=1, **preset)]),
    )
make("broken", "exit 1\\n", name="Broken")
make("closed", "true\\n", name="Moon", parameters={"region": "moon"})
good = make("shell", "true\\n", name="Small")
print(home.pk, good.pk, good.active_version.presets.get().pk)
"""

ROLL_UP = """
from datetime import timedelta
from django.utils import timezone
from prebuilds import metrics
from prebuilds.metrics.totals import MARGIN
print(metrics.accumulate(now=timezone.now() + MARGIN - timedelta(seconds=5)))
"""


@pytest.fixture
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-scraped-") as directory:
        made = Installation(
            Path(directory),
            PREBUILDS_METRICS_TOKEN=TOKEN,
            PREBUILDS_RECONCILIATION_INTERVAL="2s",
            PREBUILDS_BACKOFF_INTERVAL="8s",
            PREBUILDS_FAILURE_HARD_LIMIT="2",
            PREBUILDS_SMTP_URL="smtp://127.0.0.1:1",
        )
        try:
            made.manage("migrate", "--verbosity", "0")
            yield made
        finally:
            made.close()


@pytest.fixture
def prometheus(installation: Installation) -> Iterator[Prometheus]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-prometheus-") as directory:
        server = Prometheus(Path(directory), ports=list(installation.ports.values()), token=TOKEN)
        try:
            yield server
        finally:
            server.close()


def test_every_name_answers_and_no_counter_falls_whoever_is_killed_or_restarted(
    installation: Installation, prometheus: Prometheus
) -> None:
    prometheus.start()
    ids = installation.run_python(SET_UP).split()
    installation.start("web", "second web", "reconciler", "provisioner")
    with installation.client("ana") as ana:
        _wait_for(prometheus, 'up{job="prebuilds"}', [1, 1])
        _wait_for(prometheus, _of_small("eligible"), [1, 1])
        _claim(ana, ids, "first")
        _wait_for(prometheus, _of_small("claimed_total"), [1, 1])

        installation.kill("second web")
        _wait_for(prometheus, 'up{job="prebuilds"}', [0, 1])
        _wait_for(prometheus, _of_small("eligible"), [1])
        _claim(ana, ids, "second")
        _wait_for(prometheus, _of_small("claimed_total"), [2])

    installation.start("second web")
    installation.stop("web")
    _wait_for(prometheus, 'up{job="prebuilds"}', [0, 1])
    assert int(installation.run_python(ROLL_UP)) > 0
    installation.start("web")
    _wait_for(prometheus, _of_small("claimed_total"), [2, 2])

    text = _exposition(installation)
    _assert_promtool_finds_nothing(text)
    _assert_every_name_answers(prometheus, text)
    installation.stop("reconciler")
    _assert_no_counter_fell(prometheus, text)
    _assert_rules_and_dashboard_work(prometheus)


def _assert_promtool_finds_nothing(text: str) -> None:
    done = promtool("check", "metrics", stdin=text)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _assert_every_name_answers(prometheus: Prometheus, text: str) -> None:
    """What is there only for a while (backing off, held) has answered at some time."""
    names = _names(text, "gauge") | _counters(text)

    def silent() -> set[str]:
        return {name for name in names if not prometheus.query(f"count_over_time({name}[10m])")}

    eventually(silent, lambda left: not left, seconds=40)


def _assert_no_counter_fell(prometheus: Prometheus, text: str) -> None:
    for name in _counters(text):
        assert set(prometheus.values(f"resets({name}[10m])")) == {0}, name
        apart = f"max without (instance) ({name}) - min without (instance) ({name})"
        eventually(
            lambda apart=apart: set(prometheus.values(apart)), lambda d: d == {0}, seconds=20
        )
    assert prometheus.values('min_over_time(up{job="prebuilds"}[10m])') == [0, 0]
    own = "resets(django_http_requests_before_middlewares_total[10m])"
    assert min(prometheus.values(own)) > 0, "a counter of the process begins anew, and is seen to"


def _assert_rules_and_dashboard_work(prometheus: Prometheus) -> None:
    rules = [one for group in prometheus.ask("/rules")["groups"] for one in group["rules"]]
    assert {one["health"] for one in rules} == {"ok"}, rules
    for expression in dashboard_expressions():
        assert prometheus.ask("/query", query=filled(expression)) is not None
    told = prometheus.query('ALERTS{alertname="PrebuildsPoolHardLimited"}')
    assert [labels["preset_name"] for labels, _ in told] == ["Broken"]
    assert prometheus.values('pool:prebuilds_warm:ratio6h{preset_name="Small"}') == [1]


def _wait_for(prometheus: Prometheus, expression: str, values: list[float]) -> None:
    eventually(lambda: prometheus.values(expression), lambda seen: seen == values, seconds=40)


def _of_small(name: str) -> str:
    return f'coderd_prebuilt_workspaces_{name}{{preset_name="Small"}}'


def _claim(ana: httpx.Client, ids: list[str], name: str) -> None:
    organization, template, preset = ids
    answer = ana.post(
        f"/organizations/{organization}/members/me/workspaces",
        json={"name": name, "template_id": template, "template_version_preset_id": preset},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["claim"]["outcome"] == "warm"


def _exposition(installation: Installation) -> str:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.get(f"{installation.url}/metrics", headers=headers, timeout=10).text


def _names(text: str, kind: str) -> set[str]:
    return set(re.findall(rf"^# TYPE (coderd_\S+) {kind}$", text, re.MULTILINE))


def _counters(text: str) -> set[str]:
    """Return what must never fall: counters, and the series of histograms."""
    parts = ("_bucket", "_sum", "_count")
    return _names(text, "counter") | {
        f"{name}{part}" for name in _names(text, "histogram") for part in parts
    }
