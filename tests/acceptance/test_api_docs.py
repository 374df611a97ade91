"""docs/api.md, executed: a stranger can drive the whole product with curl (and jq)."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import ROOT, Installation

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = ROOT / "docs" / "api.md"
FENCE = re.compile(r"```(sh|json|text)\n(.*?)```", re.DOTALL)
ANYTHING = "…"
SET_UP = """
from accounts.models import Membership, Organization, User
home = Organization.objects.get(is_default=True)
for name, roles in (("admin", ["owner"]), ("ana", [])):
    user = User.objects.create_user(name, "prebuilds-demo", roles=roles)
    Membership.objects.create(organization=home, user=user)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Commands of the page, and the answer it shows; None when it shows none."""

    line: int
    commands: str
    answer: str | None
    kind: str


def examples() -> list[Example]:
    """Return the page's examples in order."""
    text = PAGE.read_text()
    blocks = [
        (match[1], match[2], text[: match.start()].count("\n") + 1, match)
        for match in FENCE.finditer(text)
    ]
    found = []
    for number, (kind, body, line, match) in enumerate(blocks):
        if kind != "sh":
            continue
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        shows = (
            following
            and following[0] != "sh"
            and not text[match.end() : following[3].start()].strip()
        )
        found.append(
            Example(
                line=line,
                commands=body,
                answer=following[1] if shows else None,
                kind=following[0] if shows else "",
            )
        )
    return found


@pytest.fixture
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="prebuilds-docs-") as directory:
        here = Installation(Path(directory))
        try:
            here.manage("migrate", "--verbosity", "0")
            here.run_python(SET_UP)
            here.start("web", "reconciler", "provisioner")
            yield here
        finally:
            here.close()


def run_all(found: list[Example], here: Installation, directory: Path) -> list[str]:
    """Run all commands in one shell, as a reader would; return what each example printed."""
    outputs = [directory / f"{number}.out" for number in range(len(found))]
    script = "\n".join(
        f"{{\n{example.commands}\n}} >{out} 2>&1"
        for example, out in zip(found, outputs, strict=True)
    )
    subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=here.environment | {"URL": here.url},
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )
    return [out.read_text() if out.exists() else "" for out in outputs]


def values_in(text: str) -> list[Any]:
    """Return the JSON values that follow each other in a text."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values


def is_like(expected: Any, seen: Any) -> bool:
    """Return whether an answer is what the page shows; … stands for anything, also for more."""
    if expected == ANYTHING:
        return True
    if isinstance(expected, dict) and isinstance(seen, dict):
        return expected.keys() == seen.keys() and all(
            is_like(value, seen[key]) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(seen, list):
        if expected and expected[-1] == ANYTHING:
            expected, seen = expected[:-1], seen[: len(expected) - 1]
        return len(expected) == len(seen) and all(map(is_like, expected, seen))
    return bool(expected == seen)


def differences(found: list[Example], outputs: list[str]) -> Iterator[str]:
    for example, output in zip(found, outputs, strict=True):
        if example.answer is None:
            continue
        try:
            if example.kind == "text":
                same = example.answer == output
            else:
                same = is_like(values_in(example.answer), values_in(output))
        except ValueError:
            same = False
        if not same:
            yield f"docs/api.md:{example.line}\n  shows {example.answer}\n  but got {output}"


def test_the_page_has_an_example_of_every_chapter_of_the_api():
    assert len(examples()) >= 15
    assert sum(example.answer is not None for example in examples()) >= 14


def test_every_example_of_the_page_answers_as_it_says(installation, tmp_path):
    found = examples()

    outputs = run_all(found, installation, tmp_path)

    wrong = list(differences(found, outputs))
    assert not wrong, "\n".join([*wrong, installation.logs()])
