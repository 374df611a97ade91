"""The floors, checked by a machine, and the habits that are rules (architecture.md, style.md)."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("accounts", "templates_app", "workspaces", "prebuilds", "config")
LINES = 300
LOCKS = re.compile(
    r"\bFOR\s+(NO\s+KEY\s+UPDATE|UPDATE|SHARE|KEY\s+SHARE)\b|select_for_update\(|pg_(try_)?advisory_"
)
LOCK_ROOMS = ("*/locks.py", "*/migrations/*.py", "*/management/commands/setup_schedules.py")
DOORS = (
    "prebuilds/tasks.py",
    "*/management/commands/*.py",
    "prebuilds/api/*.py",
    "prebuilds/dashboard/*/*.py",
    "*/admin.py",
    "*/admin/*.py",
)


def modules():
    return sorted(
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    )


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def without_docstrings(path: Path) -> str:
    """Return the source without docstrings and comments; SQL constants stay."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.slow
def test_the_import_contracts_are_kept():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_modules_to_check():
    assert len(modules()) > 50


def test_every_module_says_why_it_exists():
    silent = [name(path) for path in modules() if path.read_text().strip() and not docstring(path)]

    assert silent == []


def test_no_module_is_long_without_giving_a_reason():
    long = [
        name(path)
        for path in modules()
        if len(path.read_text().splitlines()) > LINES
        and not re.search("reason|because", docstring(path), re.IGNORECASE)
    ]

    assert long == []


def test_only_files_called_locks_take_locks():
    taking = [
        name(path)
        for path in modules()
        if LOCKS.search(without_docstrings(path)) and not any(map(path.match, LOCK_ROOMS))
    ]

    assert taking == []


def test_only_doors_read_the_clock():
    reading = [
        name(path)
        for path in modules()
        if re.search(r"timezone\.now\(\)|datetime\.(now|today|utcnow)\(", without_docstrings(path))
        and not any(map(path.match, DOORS))
    ]

    assert reading == []


ENVIRONMENT = ("config/*.py", "config/*/*.py", "workspaces/agent/*.py", "manage.py")


def test_only_config_and_the_agent_read_the_environment():
    reading = [
        name(path)
        for path in modules()
        if re.search(r"os\.(environ|getenv)", without_docstrings(path))
        and not any(map(path.match, ENVIRONMENT))
    ]

    # A driver hands its children an environment; that is no setting.
    assert [each for each in reading if "/drivers/" not in each] == []


def test_the_agent_needs_nothing_but_the_standard_library():
    imported = {
        module.split(".")[0]
        for path in (ROOT / "workspaces" / "agent").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for module in _imports(node)
    }

    assert imported <= set(sys.stdlib_module_names)


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []


def test_the_checks_themselves_find_what_they_look_for(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text('"""FOR UPDATE in prose."""\nSQL = """SELECT 1 FOR  NO KEY UPDATE"""\n')
    good = tmp_path / "good.py"
    good.write_text('"""FOR UPDATE in prose."""\n\n\ndef f():\n    """pg_advisory_lock."""\n')

    assert LOCKS.search(without_docstrings(bad))
    assert not LOCKS.search(without_docstrings(good))
