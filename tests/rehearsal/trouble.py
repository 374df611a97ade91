"""Make each trouble of docs/runbooks.md happen on a machine with the demo, and follow the runbook.

Each function makes the trouble, looks for what "See it" says, types what "Do" says, and waits for
what "It is over" says.
"""

import json
import time

from tests.rehearsal.page import Block, read_blocks
from tests.rehearsal.walk import HEALTHY, NAME, ROOT, SETTINGS, Walk

RUNBOOKS = read_blocks(ROOT / "docs" / "runbooks.md")
READY = f"https://{NAME}/readyz"
FAST = ("PREBUILDS_BACKOFF_INTERVAL=5s", "PREBUILDS_MAX_IN_FLIGHT=0")
"""A broken pool must not take a quarter of an hour, and only without a limit a queue can flood."""


def load_the_demo(walk: Walk) -> None:
    """The demo's people, templates and pools, and settings under which troubles come soon."""
    for line in FAST:
        walk.shell.run(f"echo '{line}' >> {SETTINGS}")
    walk.shell.run("systemctl restart prebuilds.target")
    walk.shell.run("prebuilds-manage demo --force")
    walk.wait_for(f"{status('python-project / Small')} | grep healthy", 180)
    walk.wait_for(f"{status('release-train / Standard')} | grep healthy", 180)


def flooded_queue(walk: Walk) -> str:
    """400 wanted of a pool that had two."""
    edit(walk, "release-train", {"desired_instances": 400})
    walk.wait_for(f'[ "$({waiting()})" -gt 200 ]', 120)

    cancelled = walk.type_block(block("A flooded queue"), {"NAME": "release-train"})
    edit(walk, "release-train", {"desired_instances": 2})
    walk.shell.run("prebuilds-manage prebuilds resume")

    began = time.monotonic()
    walk.wait_for(f'[ "$({waiting()})" = 0 ]', 120)
    walk.wait_for(f"{status('release-train / Standard')} | grep healthy", 180)
    return f"{cancelled.strip()} Healthy after {time.monotonic() - began:.0f} s."


def broken_template(walk: Walk) -> str:
    """A version whose script fails is promoted; the runbook promotes the one before."""
    template = template_of(walk, "release-train")
    before = walk.ask(f"api /templates/{template} | jq -r .active_version_id")
    version = {
        "template_id": template,
        "name": f"broken-{before[:8]}",
        "startup_script": "echo no space left; exit 1",
        "presets": [{"name": "Standard", "desired_instances": 2}],
    }
    made = f"api /organizations/$ORG/templateversions --json '{json.dumps(version)}'"
    broken = walk.ask(f"{made} | jq -r .id")
    walk.shell.run(f"TEMPLATE={template}")
    walk.type_block(block("A broken template"), {"…": broken})
    walk.wait_for(f"{status('release-train / Standard')} | grep hard.limited", 240)
    walk.wait_for(
        "prebuilds-manage prebuilds status | grep NOTICE.*release-train | grep -i limit", 60
    )

    began = time.monotonic()
    walk.type_block(block("A broken template"), {"…": before})

    walk.wait_for(f"{status('release-train / Standard')} | grep healthy", 120)
    walk.wait_for("! prebuilds-manage prebuilds status | grep NOTICE.*release-train", 60)
    return f"Healthy, and its notice closed, {time.monotonic() - began:.0f} s after the promotion."


def stuck_deletion(walk: Walk) -> str:
    """A file of a prebuild that even its owner may not remove."""
    found = walk.ask(
        "api '/workspaces?q=owner:prebuilds+template:python-project+preset:Small' "
        "| jq -r .workspaces[0].id"
    )
    folder = f"/var/lib/prebuilds-provisioner/workspaces/{found}"
    walk.shell.run(f"touch {folder}/stuck && chattr +i {folder}/stuck")
    delete = block("Stuck deletions")
    walk.type_block(delete, {"ID": found})
    walk.wait_for("prebuilds-manage prebuilds status | grep NOTICE.*deletion", 300)

    walk.shell.run(f"chattr -i {folder}/stuck")
    began = time.monotonic()
    walk.type_block(delete, {"ID": found})

    walk.wait_for(f"[ ! -e {folder} ]", 60)
    walk.wait_for("! prebuilds-manage prebuilds status | grep NOTICE.*deletion", 90)
    return f"Gone, and its notice closed, {time.monotonic() - began:.0f} s after the cause."


def lost_provisioner(walk: Walk) -> str:
    """Killed with jobs under way, and not started again before somebody looks."""
    unit = "prebuilds-provisioner"
    walk.shell.run("prebuilds-manage prebuilds invalidate --template python-project")
    walk.wait_for(f"{status('python-project / Small')} -A1 | grep -v 'starting 0'", 60)
    walk.shell.run(f"systemctl kill --kill-whom=main --signal=KILL {unit}; systemctl stop {unit}")
    walk.wait_for("prebuilds-manage doctor | grep 'provisioners.*none is online'", 90)

    walk.shell.run(
        f"systemctl status {unit} --no-pager; journalctl -u {unit} -n 50 --no-pager", allow=(0, 3)
    )
    walk.shell.run(f"systemctl start {unit}")
    began = time.monotonic()
    walk.wait_for("prebuilds-manage doctor | grep 'provisioners.*1 online'", 90)
    walk.wait_for(f"{status('python-project / Small')} | grep healthy", 240)
    return f"Healthy {time.monotonic() - began:.0f} s after it was started again."


def database_restart(walk: Walk) -> str:
    """Restarted under load, then away for longer than a lease lasts."""
    walk.start_load()
    time.sleep(5)
    walk.shell.run("systemctl restart postgresql")
    walk.wait_for(HEALTHY, 120)
    time.sleep(5)
    restarted = walk.end_load()
    assert restarted[-1].startswith("201 "), restarted

    walk.shell.run("prebuilds-manage prebuilds invalidate --template python-project")
    walk.wait_for(f"{status('python-project / Small')} -A1 | grep -v 'starting 0'", 60)
    walk.shell.run("systemctl stop postgresql")
    time.sleep(40)
    assert "503" in walk.shell.run(f"curl -s -o /dev/null -w '%{{http_code}}' {READY}")
    walk.shell.run("systemctl start postgresql")
    began = time.monotonic()
    walk.wait_for(HEALTHY, 120)
    took = time.monotonic() - began
    walk.wait_for(f"{status('python-project / Small')} | grep healthy", 240)
    refused = [each for each in restarted if not each.startswith("201 ")]
    return (
        f"Restart: {len(restarted)} requests, {len(refused)} refused {refused}. "
        f"Away for 40 s: /healthz well after {took:.0f} s, "
        f"pool healthy after {time.monotonic() - began:.0f} s."
    )


def machine_gone(walk: Walk, second: Walk) -> str:
    """The second machine burns down with a pool and somebody's workspace on it."""
    second.shell.run("systemctl start prebuilds.target")
    walk.shell.run("systemctl stop prebuilds-provisioner")
    walk.shell.run("prebuilds-manage prebuilds invalidate --template shell")
    walk.wait_for(f"{status('shell / Europe')} | grep healthy", 120)
    walk.shell.run(f"TEMPLATE={template_of(walk, 'shell')}")
    walk.shell.run("cd ~/try; claim | grep '201 warm'; lost=$(jq -r .id answer)")
    walk.shell.run("systemctl start prebuilds-provisioner")
    walk.wait_for("prebuilds-manage doctor | grep '2 online'", 60)
    second.machine.destroy()

    walk.start_load()
    walk.wait_for("prebuilds-manage provisioners list | grep 'second.*last seen'", 90)
    machine = walk.ask(
        "prebuilds-manage provisioners list | grep second | cut -d: -f1 | cut -c1-64"
    )
    deleted = "api /workspaces/$lost/builds -o out -w '%{http_code}' --json"
    walk.wait_for(f'{deleted} \'{{"transition": "delete"}}\' | grep 201', 60)
    for command in block("A lost provisioner").commands():
        walk.shell.run(command.replace("MACHINE", machine))

    began = time.monotonic()
    walk.wait_for("api /workspaces/$lost | jq -e '.message // .deleting_at'", 90)
    walk.shell.run("prebuilds-manage prebuilds invalidate --template shell")
    walk.wait_for(f"{status('shell / Europe')} | grep healthy", 120)
    took = time.monotonic() - began
    answers = walk.end_load()
    assert all(each.startswith("201 ") for each in answers), answers
    return (
        f"Deleted and healthy {took:.0f} s after it was forgotten; {len(answers)} requests served."
    )


def block(heading: str) -> Block:
    """Return the commands of a runbook."""
    return next(each for each in RUNBOOKS if each.heading == heading)


def status(pool: str) -> str:
    return f"prebuilds-manage prebuilds status | grep '^{pool}'"


def waiting() -> str:
    return (
        "api '/provisionerjobs?status=pending&limit=1' -D - -o out | grep -i ^x-total | tr -dc 0-9"
    )


def template_of(walk: Walk, name: str) -> str:
    return walk.ask(f"api /organizations/$ORG/templates/{name} | jq -r .id")


def edit(walk: Walk, name: str, change: dict[str, int]) -> None:
    """Change the first preset of a template's active version, whatever others made of it."""
    active = walk.ask(f"api /templates/{template_of(walk, name)} | jq -r .active_version_id")
    preset = walk.ask(f"api /templateversions/{active}/presets | jq -r .[0].ID")
    said = walk.shell.run(
        f"api /presets/{preset} -X PATCH -H 'If-Match: *' --json '{json.dumps(change)}' "
        "-o out -w '%{http_code}'"
    )
    assert said.strip().endswith("200"), said


STORIES = (flooded_queue, broken_template, stuck_deletion, lost_provisioner, database_restart)
