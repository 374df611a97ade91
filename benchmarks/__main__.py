"""python -m benchmarks [WORD …]: run the scenarios whose name holds one of the words, or all.

Runs on an embedded server of its own, prints a table, and writes table and JSON to
`benchmarks/results/`. Exit code 1 when a bar does not hold.
"""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


@contextmanager
def _own_installation() -> Iterator[None]:
    """Set Django up on a throwaway database."""
    home = Path(tempfile.mkdtemp(prefix="prebuilds-bench-"))
    os.environ |= {
        "PREBUILDS_DATA_DIR": str(home),
        "PREBUILDS_DEBUG": "0",
        "PREBUILDS_SECRET_KEY": "for-benchmarks-only-" + "x" * 40,
        "PREBUILDS_MAX_IN_FLIGHT": "0",
        "PREBUILDS_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from config.embedded_postgres.server import stop_server
    from workspaces.listening import hub

    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        hub().stop()
        connections.close_all()
        stop_server()
        shutil.rmtree(home, ignore_errors=True)


def main(words: Sequence[str]) -> int:
    """Run, print, write."""
    with _own_installation():
        results = []
        chosen = _chosen(words)
        for name, run in chosen.items():
            print(f"… {name}", file=sys.stderr, flush=True)
            results += run()
    table = _table(results)
    print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.md").write_text(table + "\n")
    facts = {"python": platform.python_version(), "cpus": os.cpu_count()}
    rows = [{name: getattr(one, name) for name in one.__slots__} for one in results]
    (RESULTS / "latest.json").write_text(json.dumps({"machine": facts, "results": rows}, indent=2))
    return 0 if all(one.holds for one in results) else 1


def _chosen(words: Sequence[str]) -> dict[str, Callable[[], list[Any]]]:
    """Return the scenarios of every subject whose name holds one of the words."""
    from benchmarks import claims, jobs, lists, pages, reconciler, streams

    scenarios: dict[str, Callable[[], list[Any]]] = {}
    for subject in (reconciler, claims, jobs, streams, lists, pages):
        scenarios |= subject.SCENARIOS
    return {
        name: run
        for name, run in scenarios.items()
        if not words or any(word in name for word in words)
    }


def _table(results: Sequence[object]) -> str:
    lines = ["| scenario | bar | measured | holds |", "|---|---|---|---|"]
    for one in results:
        holds = "yes" if one.holds else "**no**"  # type: ignore[attr-defined]
        lines.append(f"| {one.scenario} | {one.bar} | {one.measured} | {holds} |")  # type: ignore[attr-defined]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
