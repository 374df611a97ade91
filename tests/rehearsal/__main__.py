"""`make rehearsal`: install on a machine made for it, trust nothing that was not seen, tell."""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.rehearsal import trouble
from tests.rehearsal.machine import Machine, Network, make_clean_machine
from tests.rehearsal.walk import REPOSITORY, ROOT, Walk

NEEDED = ("debootstrap", "systemd-nspawn", "iptables", "ip", "nsenter")


def main() -> None:
    """Rehearse; exit with 1 at the first line of a page that does not do what it says."""
    options = read_options()
    if missing := [each for each in NEEDED if not shutil.which(each)]:
        sys.exit(f"error: {', '.join(missing)} missing: apt-get install debootstrap systemd-container iptables")  # fmt: skip  # noqa: E501
    options.folder.mkdir(parents=True, exist_ok=True)
    clean = make_clean_machine(options.folder, trust=options.trust)
    with (
        Network(),
        Machine("first", 11, clean=clean, folder=options.folder) as one,
        Machine("second", 12, clean=clean, folder=options.folder) as two,
    ):
        first = Walk(one, fresh(options.folder / "first.log"))
        second = Walk(two, fresh(options.folder / "second.log"))
        hand_over_code(first, options.folder, since=options.since)
        rehearse(first, second)


def rehearse(first: Walk, second: Walk) -> None:
    """Go through the pages from a clean machine to the last runbook."""
    told("install, steps 1 to 10", first.install)
    told("a template, and a warm workspace of it", first.use)
    told("upgrade under load", first.upgrade)
    told("the machine starts anew", first.start_anew)
    told("a second machine", lambda: first.scale_out(second))
    told("the first machine's web is away", lambda: first.serve_from(second))
    told("pgbouncer", first.put_a_pooler_between)
    told("back up, and restore", lambda: first.back_up_and_restore(second))
    told("the second machine rests", second.rest)
    told("the demo", lambda: trouble.load_the_demo(first))
    for story in trouble.STORIES:
        told(f"runbook: {story.__name__.replace('_', ' ')}", lambda story=story: story(first))
    told("runbook: a machine gone for good", lambda: trouble.machine_gone(first, second))


def told(what: str, step: Callable[[], str | None]) -> None:
    """Do a step, and print how long it took and what it has to say."""
    began = time.monotonic()
    said = step() or ""
    print(f"{time.monotonic() - began:6.0f} s  {what}. {said}", flush=True)


def hand_over_code(walk: Walk, folder: Path, *, since: str) -> None:
    """Give a machine the release to begin with; `upgrade` finds the newest in its place."""
    for name, commit in (("older.git", since), ("newest.git", "HEAD")):
        bare = folder / name
        shutil.rmtree(bare, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(bare)], check=True)
        subprocess.run(["git", "-C", str(bare), "update-ref", "--no-deref", "HEAD", commit], check=True)  # fmt: skip  # noqa: E501
        walk.machine.share(bare, f"/srv/{name}")
    walk.shell.run(f"ln -sfn /srv/older.git {REPOSITORY}")


def fresh(transcript: Path) -> Path:
    transcript.unlink(missing_ok=True)
    return transcript


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/lib/machines/rehearsal"),
        help="where machines and transcripts are; a clean machine is kept there",
    )  # fmt: skip
    parser.add_argument("--since", default="HEAD", help="the commit to install before upgrading")
    parser.add_argument(
        "--trust", type=Path, help="a certificate the machines must know to fetch packages"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
