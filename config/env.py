"""Read the environment into typed values, or say in one line what is wrong.

Settings are the only caller. The mapping is an argument, so that tests need no real one.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One variable as it is in effect, fit to be shown: of a secret only whether it is set.

    `value` is what one would write to get the same; empty for unset.
    """

    name: str
    value: str
    is_default: bool
    secret: bool = False


class Environment:
    """Typed readers over a mapping. An empty value counts as unset. Raises BadSetting."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._known: dict[str, Reading] = {}

    def readings(self) -> list[Reading]:
        """Return what was read so far, each variable once, in the order it was read in."""
        return list(self._known.values())

    def string(self, name: str, default: str = "") -> str:
        given = self._given(name)
        self._note(name, given, given or default)
        return given or default

    def secret(self, name: str) -> str:
        """Read a text that must never be shown."""
        given = self._given(name)
        self._known[name] = Reading(name=name, value="", is_default=not given, secret=True)
        return given

    def database_address(self, name: str) -> str:
        """Read an address that may hold a password; what is noted of it holds none."""
        given = self._given(name)
        shown = _without_password(given)
        self._known[name] = Reading(name=name, value=shown, is_default=not given, secret=True)
        return given

    def mail_address(self, name: str) -> str:
        """Read a mail server's address; it may hold a password too."""
        return self.database_address(name)

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
        text = self.string(name, "1" if default else "0")
        if text.lower() not in _WORDS:
            raise _bad(name, text, "use 1 or 0")
        return _WORDS[text.lower()]

    def int(self, name: str, default: int, *, low: int = 0, high: int = 1_000_000) -> int:
        text = self.string(name, str(default))
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
        text = self._given(name)
        self._note(name, text, text or _as_written(default))
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
        text = self.string(name, ",".join(default))
        return [item.strip() for item in text.split(",") if item.strip()] or list(default)

    def networks(self, name: str) -> Sequence[IPv4Network | IPv6Network]:
        """Return a list of networks such as 10.0.0.0/8; an address alone is a network of one."""
        found = []
        for text in self.list(name):
            try:
                found.append(ip_network(text))
            except ValueError:
                raise _bad(name, text, "write networks such as 10.0.0.0/8,::1") from None
        return found

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

    def _given(self, name: str) -> str:
        return self._variables.get(name, "").strip()

    def _note(self, name: str, given: str, value: str) -> None:
        self._known[name] = Reading(name=name, value=value, is_default=not given)

    def _guess(self, name: str) -> str:
        close = difflib.get_close_matches(name, sorted(self._known), n=1)
        return f"; did you mean {close[0]}?" if close else "; unset it or see the README's list"


def _as_written(span: timedelta) -> str:
    """Return a duration in its largest whole unit, as `parse_duration` reads it."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _without_password(address: str) -> str:
    """Return scheme, user, host, port and name of an address; empty when that is not safe.

    A password with an "@" or "/" that should have been percent-encoded could land in any part.
    """
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if not parts.hostname or address.count("@") != parts.netloc.count("@"):
        return ""
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{parts.hostname}{port}{parts.path}"


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
