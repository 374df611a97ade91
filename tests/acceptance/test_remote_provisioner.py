"""A daemon on another machine: no database, only an address and a key; killed and replaced."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.far_machine import FarMachine
from tests.acceptance.installation import Installation, eventually

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(240)]

SET_UP = """
from accounts.models import Membership, Organization, User
from templates_app.services import PresetSpec, VersionSpec, create_template
home = Organization.objects.get(is_default=True)
tess = User.objects.create_user("tess", roles=["owner"])
Membership.objects.create(organization=home, user=tess)
template = create_template(
    organization=home, name="shell", created_by=tess,
    version=VersionSpec(
        name="1", startup_script="touch started; while [ ! -e go ]; do sleep 0.1; done\\n",
        startup_timeout_seconds=120,
        presets=[PresetSpec(name="Small", desired_instances=1)],
    ),
)
print(home.pk, template.pk)
"""

LAST_JOB = """
from workspaces.models import ProvisionerJob
job = ProvisionerJob.objects.select_related("daemon__key").order_by("-created_at").first()
waited = (job.started_at - job.created_at).total_seconds() if job.started_at else 99
print(job.status, job.daemon.key if job.daemon else None, waited)
"""

LOST = """
from workspaces.models import ProvisionerJob
print(ProvisionerJob.objects.filter(error_code="provisioner_lost").count())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-near-") as directory:
        yield Path(directory)


@pytest.fixture
def installation(home: Path) -> Iterator[Installation]:
    made = Installation(
        home, PREBUILDS_BACKOFF_INTERVAL="1s", PREBUILDS_RECONCILIATION_INTERVAL="2s"
    )
    made.manage("migrate", "--verbosity", "0")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def far(installation: Installation) -> Iterator[FarMachine]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-far-") as directory:
        machine = FarMachine(Path(directory), installation)
        try:
            yield machine
        finally:
            machine.close()


def test_a_remote_daemon_fills_a_pool_is_killed_replaced_and_refused(
    installation: Installation, far: FarMachine
) -> None:
    organization, template = installation.run_python(SET_UP).split()
    secret = installation.manage("provisioner_keys", "create", "far")
    installation.start("web", "reconciler")
    first = far.start(secret)
    eventually(lambda: far.directories_with("started"), bool, seconds=40)

    first.kill()
    first.wait()
    orphaned = far.directories_with("started")
    second = far.start(secret)

    def rebuilt() -> list[Path]:
        return [one for one in far.directories_with("started") if one not in orphaned]

    for directory in eventually(rebuilt, bool, seconds=80):
        (directory / "go").touch()
    eventually(lambda: _ready(installation), lambda ready: ready == 1, seconds=40)
    assert installation.run_python(LOST) == "1"

    with installation.client("tess") as tess:
        asked = {"name": "mine", "template_id": template}
        answer = tess.post(f"/organizations/{organization}/members/me/workspaces", json=asked)
        assert answer.status_code == 201, answer.text
    last = eventually(
        lambda: installation.run_python(LAST_JOB).split(),
        lambda job: job[0] == "running",
        seconds=20,
    )
    assert last[1] == "far"
    assert float(last[2]) < 1.0, "the job was not picked up by the bell"

    installation.manage("provisioner_keys", "revoke", "far")
    assert second.wait(timeout=40) == 1
    assert "unknown or revoked" in far.log()
    assert secret not in far.log() + installation.logs()
    assert "127.0.0.1:1/" not in far.log()


def _ready(installation: Installation) -> int:
    pools = installation.pools()
    return int(pools.get("shell / Small 1", {}).get("state", {}).get("eligible", 0))
