"""Read the environment into typed values, or say in one line what is wrong.

Settings are the only caller. The mapping is an argument, so that tests need no real one.
"""

import difflib
import re
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from prebuilds.core.durations import parse_duration

PREFIX = "PREBUILDS_"
# Set inside workspaces for their agent; a Prebuilds started in a workspace must not trip over them.
RESERVED_PREFIXES = ("PREBUILDS_AGENT_", "PREBUILDS_WORKSPACE_")

_WORDS = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class BadSetting(Exception):
    """A setting that cannot be used. The text is one line: name, value, what to do; no secrets."""


class Environment:
    """Typed readers over a mapping. An empty value counts as unset. Raises BadSetting."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._known: set[str] = set()

    def string(self, name: str, default: str = "") -> str:
        self._known.add(name)
        return self._variables.get(name, "").strip() or default

    def identifier(self, name: str, default: str) -> str:
        text = self.string(name, default)
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", text):
            raise _bad(name, text, "use letters, digits and _, beginning with a letter")
        return text

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.string(name, default)
        if text.upper() not in choices:
            raise _bad(name, text, f"use one of {', '.join(choices)}")
        return text.upper()

    def bool(self, name: str, default: bool = False) -> bool:
        text = self.string(name)
        if not text:
            return default
        if text.lower() not in _WORDS:
            raise _bad(name, text, "use 1 or 0")
        return _WORDS[text.lower()]

    def int(self, name: str, default: int, *, low: int = 0, high: int = 1_000_000) -> int:
        text = self.string(name)
        if not text:
            return default
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise _bad(name, text, f"use a whole number from {low} to {high}")
        return int(text)

    def duration(
        self,
        name: str,
        default: timedelta,
        *,
        low: timedelta = timedelta(0),
        high: timedelta = timedelta(days=3650),
    ) -> timedelta:
        text = self.string(name)
        if not text:
            return default
        try:
            span = parse_duration(text)
        except ValueError as error:
            raise _bad(name, text, str(error)) from None
        if not low <= span <= high:
            bounds = f"{low.total_seconds():.0f}s to {high.total_seconds():.0f}s"
            raise _bad(name, text, f"use a duration from {bounds}")
        return span

    def list(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        text = self.string(name)
        return [item.strip() for item in text.split(",") if item.strip()] or list(default)

    def url(self, name: str, default: str) -> str:
        text = self.string(name, default)
        if not _is_web_address(text):
            raise _bad(name, text, "use an address such as https://prebuilds.example.com")
        return text.rstrip("/")

    def refuse_unknown(self) -> None:
        """Raise for the first variable that looks like ours and was never read."""
        for name in sorted(self._variables):
            if not name.startswith(PREFIX) or name.startswith(RESERVED_PREFIXES):
                continue
            if name not in self._known:
                raise BadSetting(f"unknown setting {name}{self._guess(name)}")

    def _guess(self, name: str) -> str:
        close = difflib.get_close_matches(name, sorted(self._known), n=1)
        return f"; did you mean {close[0]}?" if close else "; unset it or see the README's list"


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and plain


def _bad(name: str, value: str, advice: str) -> BadSetting:
    return BadSetting(f"{name}={value!r} is not usable: {advice}")
