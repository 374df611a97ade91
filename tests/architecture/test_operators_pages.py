"""An operator follows these pages word for word, so each word that names something must hold."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from config.env import RESERVED_PREFIXES
from tests.rehearsal.page import read_blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(ROOT / "docs" / name for name in ("operations.md", "deployment.md", "runbooks.md"))
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
COMMAND = re.compile(r"(?:manage\.py|prebuilds-manage) ([a-z_]+)")
TARGET = re.compile(r"\bmake ([a-z-]+)")
VARIABLE = re.compile(r"\b(?:PREBUILDS_[A-Z_]+[A-Z]|DATABASE_URL)\b")
FILE = re.compile(
    r"(?<![\w/])(?:\.\./)?((?:deploy|docs|requirements|tests|workspaces)/[\w./@-]*\w)"
)
UNIT = re.compile(r"\bprebuilds-(?:web|worker|reconciler|provisioner)@?")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def code_of(path: Path) -> str:
    """Return what stands in code: whole blocks, and words between backquotes."""
    text = path.read_text()
    return "\n".join(FENCED.findall(text) + CODE.findall(FENCED.sub("", text)))


def anchors_of(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@page
def test_every_command_it_names_exists(path):
    named = set(COMMAND.findall(code_of(path)))

    assert named
    assert named <= set(get_commands())


def test_every_make_target_they_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for path in PAGES for word in TARGET.findall(code_of(path))}

    assert named
    assert named <= targets


@page
def test_every_variable_it_names_is_read(path):
    known = {each.name for each in settings.CONFIGURATION} | {"DATABASE_URL"}
    named = set(VARIABLE.findall(path.read_text()))

    assert named
    assert {name for name in named - known if not name.startswith(RESERVED_PREFIXES)} == set()


@page
def test_every_file_it_names_exists(path):
    named = set(FILE.findall(path.read_text()))

    assert {name for name in named if not (ROOT / name).exists()} == set()


@page
def test_every_link_leads_somewhere(path):
    broken = []
    for target, anchor in LINK.findall(path.read_text()):
        if "://" in target:
            continue
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors_of(there)):
            broken.append(f"{target}#{anchor}")

    assert broken == []


@page
def test_every_unit_it_names_exists(path):
    units = {each.stem for each in (ROOT / "deploy" / "systemd").glob("*.service")}

    assert set(UNIT.findall(path.read_text())) <= units


def test_the_checks_find_what_they_look_for():
    assert COMMAND.findall("prebuilds-manage doctor; manage.py no_such") == ["doctor", "no_such"]
    assert FILE.findall("[x](../deploy/a/b.yaml), /opt/deploy/no") == ["deploy/a/b.yaml"]
    assert VARIABLE.findall("PREBUILDS_NO_SUCH=1 DATABASE_URL") == [
        "PREBUILDS_NO_SUCH",
        "DATABASE_URL",
    ]


@page
def test_every_command_can_be_typed(path):
    blocks = [each for each in read_blocks(path) if each.language in {"", "sh"}]

    commands = [command for each in blocks for command in each.commands()]

    assert commands


def test_a_block_is_read_with_its_heading_step_and_commands(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "# Page\n## Install\n**2. Users.** Two of them.\n\n```\nuseradd a\nfor x in 1 2; do\n"
        "    echo $x\ndone\n```\n### Later\n```ini\n[databases]\n```\n"
    )

    first, second = read_blocks(path)

    assert (first.heading, first.step) == ("Install", 2)
    assert list(first.commands()) == ["useradd a", "for x in 1 2; do\n    echo $x\ndone"]
    assert (second.heading, second.step, second.language) == ("Later", None, "ini")
