"""The main story, with real processes: a pool fills, is claimed, refills, moves on, recovers."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.installation import Installation, eventually

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(300)]

SET_UP = """
from accounts.models import Membership, Organization, User
from templates_app.services import PresetSpec, VersionSpec, create_template
home = Organization.objects.get(is_default=True)
tess = User.objects.create_user("tess", roles=["template-admin"])
ana = User.objects.create_user("ana")
for person in (tess, ana):
    Membership.objects.create(organization=home, user=person)
template = create_template(
    organization=home, name="shell", created_by=tess,
    version=VersionSpec(
        name="1", startup_script='echo "hello $WORKSPACE_OWNER" >> greetings\\n',
        presets=[PresetSpec(name="Small", desired_instances=2)],
    ),
)
print(home.pk, template.pk, template.active_version.presets.get().pk)
"""

PROMOTE = """
from accounts.models import User
from django.utils import timezone
from templates_app.models import Template
from templates_app.services import PresetSpec, VersionSpec, create_version, promote_version
template = Template.objects.get(name="shell")
version = create_version(
    template=template, created_by=User.objects.get(username="tess"),
    spec=VersionSpec(
        name="2", startup_script="touch started; while [ ! -e go ]; do sleep 0.1; done\\n",
        startup_timeout_seconds=120,
        presets=[PresetSpec(name="Small", desired_instances=2)],
    ),
)
promote_version(template_id=template.pk, version_id=version.pk, now=timezone.now())
"""

OLD, NEW = "shell / Small 1", "shell / Small 2"


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that is nobody else's: pytest's own close their parents to other users."""
    with tempfile.TemporaryDirectory(prefix="prebuilds-story-") as directory:
        yield Path(directory)


@pytest.fixture
def installation(home: Path) -> Iterator[Installation]:
    """An empty, migrated installation with impatient settings."""
    made = Installation(
        home,
        PREBUILDS_BACKOFF_INTERVAL="1s",
        PREBUILDS_RECONCILIATION_INTERVAL="2s",
        PREBUILDS_FAILED_RETENTION="1s",
    )
    made.manage("migrate", "--verbosity", "0")
    try:
        yield made
    finally:
        made.close()


def test_a_pool_fills_is_claimed_refills_moves_on_and_survives_a_killed_daemon(
    installation: Installation, home: Path
) -> None:
    organization, template, preset = installation.run_python(SET_UP).split()
    installation.start("web", "reconciler", "provisioner")
    _wait_for(installation, OLD, ready=2)
    for _ in range(8):
        assert installation.manage("reconcile", "--dry-run").startswith("Nothing to do")

    with installation.client("ana") as ana:
        _tell_the_rest(installation, home, ana, (organization, template, preset))


def _tell_the_rest(
    installation: Installation, home: Path, ana: httpx.Client, ids: tuple[str, str, str]
) -> None:
    organization, template, preset = ids
    answer = ana.post(
        f"/organizations/{organization}/members/me/workspaces",
        json={"name": "mine", "template_id": template, "template_version_preset_id": preset},
    )
    assert answer.status_code == 201, answer.text
    claimed = answer.json()
    assert claimed["owner_name"] == "ana"
    assert claimed["claim"] == {"outcome": "warm", "reason": "warm"}

    greetings = home / "workspaces" / claimed["id"] / "work" / "greetings"
    eventually(greetings.read_text, lambda text: text == "hello prebuilds\nhello ana\n", seconds=10)
    _wait_for(installation, OLD, ready=2)
    build = ana.get(f"/workspaces/{claimed['id']}").json()["latest_build"]
    assert (build["stage"], build["job"]["status"]) == ("prebuild_claim", "succeeded")

    installation.run_python(PROMOTE)
    eventually(
        lambda: _directories_with(home, "started"), lambda found: len(found) == 2, seconds=20
    )
    installation.kill("provisioner")
    orphaned = _directories_with(home, "started")
    installation.start("provisioner")
    eventually(
        lambda: [one for one in _directories_with(home, "started") if one not in orphaned],
        bool,
        seconds=60,
    )
    _let_all_go(installation, home)

    drained = installation.pools().get(OLD)
    assert drained is None or drained["state"]["actual"] == 0
    assert ana.get(f"/workspaces/{claimed['id']}").json()["owner_name"] == "ana"
    eventually(
        lambda: [one for one in orphaned if one.exists()], lambda left: len(left) <= 1, seconds=30
    )
    plan = installation.manage("reconcile", "--dry-run")
    assert "create" not in plan, plan
    assert installation.stop("provisioner") == 0
    assert installation.stop("reconciler") == 0


def _wait_for(installation: Installation, pool: str, *, ready: int) -> dict[str, Any]:
    """Wait until a pool has this many ready prebuilds and nothing under way."""

    def state() -> dict[str, Any]:
        return installation.pools().get(pool, {}).get("state", {})

    return eventually(
        state,
        lambda seen: seen.get("eligible") == ready and seen.get("starting") == 0,
        seconds=60,
    )


def _directories_with(home: Path, name: str) -> list[Path]:
    return sorted(path.parent for path in (home / "workspaces").glob(f"*/*/{name}"))


def _let_all_go(installation: Installation, home: Path) -> None:
    """Let every start-up script that waits go on, until the new pool is full."""

    def full() -> int:
        for directory in _directories_with(home, "started"):
            (directory / "go").touch()
        return int(installation.pools().get(NEW, {}).get("state", {}).get("eligible", 0))

    eventually(full, lambda ready: ready == 2, seconds=60)
