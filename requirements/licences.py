"""Write docs/licences.md: what is installed to run the product, and under which licences.

`make licences` runs it; tests/architecture checks that the page is not stale and that every
licence is one of those below. It reads the pins and what the installed packages say of themselves.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)
VENDORED: Final = re.compile(r"^\| ([^|]+) \| ([0-9][^|]*) \| ([^|]+) \|", re.MULTILINE)
ELSEWHERE: Final = "sys_platform == 'win32'"
"""What is pinned for systems we are not installed on."""
ALLOWED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0"),
        "CNRI-Python",  # what Python's own `re` was under; permissive
        # Weak copyleft: used as they are, from their own packages.
        *("LGPL-3.0-only", "MPL-2.0"),
    }
)
SPOKEN: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
HEAD: Final = """# Licences

What runs the product, and under which licences. Made by `make licences` from `requirements/base.txt`, from what the installed packages say of themselves, and from `static/vendor/README.md`; do not edit it by hand. The product itself is under Apache-2.0 (`LICENSE`).

Allowed are {allowed}; a test refuses any other. Those with weak copyleft (LGPL, MPL) are used unchanged, from packages of their own. What only tests and checks need is in `requirements/dev.txt` and is not listed.
"""  # noqa: E501  prose


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something made by others."""

    name: str
    version: str
    licence: str

    @property
    def is_allowed(self) -> bool:
        """Return whether all it names, or one of those it offers, is allowed."""
        return any(set(choice.split(" AND ")) <= ALLOWED for choice in self.licence.split(" OR "))


def python_parts() -> list[Part]:
    """Return the pinned packages as they are installed here. Raises when one is not."""
    text = (ROOT / "requirements" / "base.txt").read_text()
    return [
        Part(name=name, version=version, licence=_licence_of(metadata.metadata(name)))
        for name, version, marker in PIN.findall(text)
        if ELSEWHERE not in marker or "!=" in marker
    ]


def vendored_parts() -> list[Part]:
    """Return the front-end files that are in the checkout."""
    text = (ROOT / "static" / "vendor" / "README.md").read_text()
    return [
        Part(name=name.strip(), version=version.strip(), licence=licence.strip())
        for name, version, licence in VENDORED.findall(text)
    ]


def document() -> str:
    """Return the page."""
    allowed = ", ".join(sorted(ALLOWED))
    lines = [HEAD.format(allowed=allowed)]
    lines += _table("Python packages", python_parts())
    lines += _table("In the browser", vendored_parts())
    return "\n".join(lines)


def _table(title: str, parts: list[Part]) -> Iterator[str]:
    yield f"## {title}\n\n| name | version | licence |\n|---|---|---|"
    yield from (f"| {part.name} | {part.version} | {part.licence} |" for part in parts)
    yield ""


def _licence_of(told: Any) -> str:
    """Return the expression, else the short name, else the classifier."""
    said = told.get("License-Expression") or told.get("License") or ""
    if not said or "\n" in said:
        classifiers = told.get_all("Classifier") or []
        names = [each.rsplit(" :: ", 1)[-1] for each in classifiers if each.startswith("License")]
        said = " OR ".join(SPOKEN.get(name, name) for name in names)
    return SPOKEN.get(said, said) or "unknown"


if __name__ == "__main__":
    sys.stdout.write(document())
