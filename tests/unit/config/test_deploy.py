"""The files under deploy/: units that stop as each process needs, and images with all of it."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from string import Template

import pytest
import yaml

from config.env import Environment
from prebuilds.management.commands.worker import GRACE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "deploy" / "systemd"
COMPOSE = yaml.safe_load((ROOT / "deploy" / "container" / "compose.yaml").read_text())
STOP_SECONDS = {"web": 10, "worker": GRACE_SECONDS, "reconciler": 30, "provisioner": 20}
SERVICES = sorted(STOP_SECONDS)


def unit_of(service: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    (path,) = UNITS.glob(f"prebuilds-{service}*.service")
    parser.read(path)
    return parser["Service"]


def words_of_procfile(service: str) -> list[str]:
    (line,) = re.findall(rf"^{service}: exec (.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE)
    return shlex.split(line.replace("$PREBUILDS_PORT", "%i"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_starts_what_the_procfile_starts(service):
    unit = unit_of(service)
    defaults = dict(each.split("=", 1) for each in unit["Environment"].split())
    program, *words = shlex.split(Template(unit["ExecStart"]).safe_substitute(defaults))

    expected = words_of_procfile(service)
    assert [Path(program).name, *words][: len(expected)] == expected


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_and_a_container_wait_longer_than_the_process_may_take(service):
    grace = COMPOSE["services"][service]["stop_grace_period"]

    assert int(unit_of(service)["TimeoutStopSec"]) > STOP_SECONDS[service]
    assert int(grace.removesuffix("s")) > STOP_SECONDS[service]


def test_the_web_process_is_given_the_time_the_unit_counts_on():
    assert f"--timeout-graceful-shutdown {STOP_SECONDS['web']} " in unit_of("web")["ExecStart"]


@pytest.mark.parametrize(
    ("service", "mode"),
    [("web", "mixed"), ("worker", "mixed"), ("reconciler", "mixed"), ("provisioner", "process")],
)
def test_only_the_parent_hears_of_the_end_and_workspaces_never_do(service, mode):
    assert unit_of(service)["KillMode"] == mode


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_setting_is_not_tried_again(service):
    unit = unit_of(service)

    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == ("always", "2")


def test_the_provisioner_shares_no_user_and_no_settings_with_the_others():
    others = [unit_of(service) for service in SERVICES if service != "provisioner"]
    provisioner = unit_of("provisioner")

    assert provisioner["User"] not in {unit["User"] for unit in others}
    assert provisioner["EnvironmentFile"] not in {unit["EnvironmentFile"] for unit in others}
    assert "DATABASE_URL" not in (UNITS / "provisioner.env.example").read_text()
    assert COMPOSE["services"]["provisioner"]["networks"] != ["inside"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_units(tmp_path):
    for path in [*UNITS.glob("*.service"), *UNITS.glob("*.target")]:
        text = path.read_text().replace("=/opt/prebuilds/current/.venv/bin/", "=/usr/bin/env ")
        (tmp_path / path.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    ours = [line for line in done.stderr.splitlines() if "prebuilds" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", ["prebuilds.env.example", "provisioner.env.example"])
def test_an_example_of_settings_holds_nothing_that_would_be_refused(name):
    pairs = re.findall(r"^([A-Z_]+)=(.*)$", (UNITS / name).read_text(), re.MULTILINE)
    documented = (ROOT / "docs" / "configuration.md").read_text()
    known = set(re.findall(r"^\| `([A-Z_]+)`", documented, re.MULTILINE))

    assert pairs
    assert {variable for variable, _ in pairs} <= known
    assert Environment(dict(pairs)).string("PREBUILDS_SECRET_KEY")


def test_the_image_holds_every_package_and_what_they_need():
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}

    assert packages | {"static", "manage.py", "requirements/base.txt"} <= set(kept)
    assert [path for path in kept if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_command_of_the_units_reads_the_last_setting_too(tmp_path, end):
    """Systemd does, whether or not an editor ended the file with a new line."""
    settings = tmp_path / "prebuilds.env"
    settings.write_text(f"# one a line\n\nFIRST=a b$c#d\nLAST=z{end}")
    script = (UNITS / "prebuilds-manage").read_text()
    loop = re.search(r"^while.*?^done < \S+$", script, re.DOTALL | re.MULTILINE)[0]
    loop = loop.replace("/etc/prebuilds/prebuilds.env", shlex.quote(str(settings)))

    said = subprocess.run(
        ["sh", "-euc", f'{loop}\nprintf "%s|%s" "$FIRST" "$LAST"'],
        check=True,
        capture_output=True,
        text=True,
    )

    assert (said.stdout, said.stderr) == ("a b$c#d|z", "")
