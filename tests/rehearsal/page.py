"""Read a page as somebody who follows it: headings, steps, and the commands of each block."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADING = re.compile(r"^(#+) (.+)$")
STEP = re.compile(r"^\*\*(\d+)\. ")
FENCE = re.compile(r"^```(\w*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: under which heading, after which numbered step, in which language."""

    heading: str
    step: int | None
    language: str
    text: str

    def commands(self) -> Iterator[str]:
        """Yield its commands, each whole: a loop is one, and so is a line that goes on."""
        pending = ""
        for line in self.text.splitlines():
            pending = f"{pending}\n{line}" if pending else line
            if pending.strip() and is_whole(pending):
                yield pending
                pending = ""
        if pending.strip():
            raise ValueError(f"not a whole command: {pending!r}")


def read_blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    found: list[Block] = []
    heading, step = "", None
    inside: list[str] | None = None
    language = ""
    for line in page.read_text().splitlines():
        if inside is not None:
            if line == "```":
                found.append(
                    Block(heading=heading, step=step, language=language, text="\n".join(inside))
                )
                inside = None
            else:
                inside.append(line)
        elif match := FENCE.match(line):
            inside, language = [], match[1]
        elif match := HEADING.match(line):
            heading, step = match[2], None
        elif match := STEP.match(line):
            step = int(match[1])
    return found


def is_whole(text: str) -> bool:
    """Say whether bash would run this, or wait for more."""
    if text.endswith("\\"):
        return False
    asked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    return asked.returncode == 0
