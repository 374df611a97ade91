"""Two machines share a template's pool without tags: whatever comes goes where the files are."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.acceptance.far_machine import FarMachine
from tests.acceptance.installation import Installation, eventually
from workspaces.provisioner.drivers.processes import MARKER

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(300)]

SET_UP = """
from accounts.models import Membership, Organization, User
from templates_app.services import PresetSpec, VersionSpec, create_template
home = Organization.objects.get(is_default=True)
tess = User.objects.create_user("tess", roles=["owner"])
Membership.objects.create(organization=home, user=tess)
template = create_template(
    organization=home, name="shell", created_by=tess,
    version=VersionSpec(
        name="1", startup_script="touch started\\n", startup_timeout_seconds=60,
        presets=[PresetSpec(name="Small", desired_instances=4)],
    ),
)
print(home.pk, template.pk)
"""
SHRINK = """
from templates_app.models import Preset
Preset.objects.update(desired_instances=0)
"""
DONE = """
from workspaces.models import ProvisionerJob
rows = ProvisionerJob.objects.filter(completed_at__isnull=False).select_related("daemon")
print(" ".join(sorted(f"{job.workspace_id}:{job.machine}:{job.status}" for job in rows)))
"""


@pytest.fixture
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-near-") as directory:
        made = Installation(Path(directory), PREBUILDS_RECONCILIATION_INTERVAL="2s")
        made.manage("migrate", "--verbosity", "0")
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def machines(installation: Installation) -> Iterator[list[FarMachine]]:
    with ExitStack() as stack:
        made = []
        for name in ("a", "b"):
            directory = tempfile.TemporaryDirectory(prefix=f"prebuilds-far-{name}-")
            home = Path(stack.enter_context(directory))
            made.append(FarMachine(home, installation))
            stack.callback(made[-1].close)
        yield made


def test_a_claim_a_stop_a_start_and_deletions_go_to_the_machine_with_the_files(
    installation: Installation, machines: list[FarMachine]
) -> None:
    organization, template = installation.run_python(SET_UP).split()
    secret = installation.manage("provisioner_keys", "create", "far")
    installation.start("web", "reconciler")
    a, b = machines
    first = a.start(secret)
    eventually(a.workspaces, lambda found: len(found) == 4, seconds=60)
    eventually(lambda: _ready(installation), lambda ready: ready == 4, seconds=60)

    # From here on there is another daemon for every job, and at first no other.
    a.stop(first)
    b.start(secret)
    with installation.client("tess") as tess:
        asked = {"name": "mine", "template_id": template}
        answer = tess.post(f"/organizations/{organization}/members/me/workspaces", json=asked)
        assert answer.status_code == 201, answer.text
        mine = answer.json()["id"]
        job = eventually(
            lambda: _newest_job(tess, mine), lambda job: bool(job["waits_for"]), seconds=5
        )
        assert job["waits_for"]["machine"] == job["machine"] == _machine_of(a)
        assert (job["status"], mine in a.workspaces()) == ("pending", True)
        # The pool's next one is new, so the other machine builds it.
        eventually(b.workspaces, lambda found: len(found) == 1, seconds=60)

        a.start(secret)
        _finished(tess, mine)
        (note,) = (a.home / "workspaces" / mine).glob("work")
        (note / "note").write_text("kept")
        for transition in ("stop", "start"):
            _ask(tess, mine, transition)
            assert (note / "note").read_text() == "kept"
        assert mine not in b.workspaces()

        installation.run_python(SHRINK)
        _ask(tess, mine, "delete")
    eventually(lambda: a.workspaces() | b.workspaces(), lambda left: not left, seconds=60)
    eventually(_processes_of_workspaces, lambda left: not left, seconds=10)

    homes: dict[str, set[str]] = {}
    for line in installation.run_python(DONE).split():
        workspace, machine, status = line.split(":")
        homes.setdefault(workspace, set()).add(machine)
        assert status == "succeeded", line
    assert all(len(where) == 1 for where in homes.values()), homes
    assert {machine for (machine,) in homes.values()} == {_machine_of(a), _machine_of(b)}


def _ready(installation: Installation) -> int:
    pools = installation.pools()
    return int(pools.get("shell / Small 1", {}).get("state", {}).get("eligible", 0))


def _machine_of(far: FarMachine) -> str:
    return (far.home / "workspaces" / ".machine").read_text().strip()


def _newest_job(client: httpx.Client, workspace: str) -> dict[str, Any]:
    jobs: list[dict[str, Any]] = client.get("/provisionerjobs", params={"limit": 100}).json()
    return next(job for job in jobs if job["metadata"]["workspace_id"] == workspace)


def _finished(client: httpx.Client, workspace: str) -> None:
    eventually(
        lambda: _newest_job(client, workspace)["status"],
        lambda status: status == "succeeded",
        seconds=60,
    )


def _ask(client: httpx.Client, workspace: str, transition: str) -> None:
    before = _newest_job(client, workspace)["id"]
    answer = client.post(f"/workspaces/{workspace}/builds", json={"transition": transition})
    assert answer.status_code == 201, answer.text
    assert _newest_job(client, workspace)["id"] != before
    _finished(client, workspace)


def _processes_of_workspaces() -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if MARKER in process.environ() and "prebuilds-far-" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
