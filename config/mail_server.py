"""Turn the address of a mail server, or its absence, into Django's settings of it."""

from dataclasses import dataclass, field
from email.utils import getaddresses
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from config.env import BadSetting

EXAMPLE: Final = "smtp://user:password@mail.example.com:587/?starttls=1"
PORTS: Final = {"smtp": 25, "smtps": 465}
SUBMISSION: Final = 587
TIMEOUT_SECONDS: Final = 10
"""For each answer; a mail takes about five, and whoever claimed its row has a minute for it."""

_valid_address = EmailValidator()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail goes, and how. No host: nowhere."""

    host: str = ""
    port: int = PORTS["smtp"]
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = False
    tls: bool = False

    @property
    def backend(self) -> str:
        """Return Django's name for what sends there."""
        return f"django.core.mail.backends.{'smtp' if self.host else 'dummy'}.EmailBackend"


def mail_server(name: str, address: str) -> MailServer:
    """Take the address apart. Raises BadSetting, which never shows it: it may hold a password."""
    if not address:
        return MailServer()
    try:
        parts = urlsplit(address)
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _bad(name, "percent-encode special characters in user and password") from None
    _refuse_parts(name, parts)
    starttls = _read_starttls(name, parts.scheme, options)
    return MailServer(
        host=str(parts.hostname),
        port=port or (SUBMISSION if starttls else PORTS[parts.scheme]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=starttls,
        tls=parts.scheme == "smtps",
    )


def sender(name: str, text: str) -> str:
    """Check who mails come from: an address, or a name and an address. Raises BadSetting."""
    addresses = [address for _, address in getaddresses([text])] or [""]
    if len(addresses) > 1 or "\n" in text or not _is_valid(addresses[0]):
        advice = "write it as Prebuilds <prebuilds@example.com>"
        raise BadSetting(f"{name}={text!r} is not usable: {advice}")
    return text


def default_sender(access_url: str) -> str:
    """Return a sender on the host people know the server by, when that has a name."""
    address = f"prebuilds@{urlsplit(access_url).hostname}"
    return f"Prebuilds <{address if _is_valid(address) else 'prebuilds@localhost'}>"


def _is_valid(address: str) -> bool:
    try:
        _valid_address(address)
    except ValidationError:
        return False
    return True


def _refuse_parts(name: str, parts: SplitResult) -> None:
    if parts.scheme not in PORTS:
        raise _bad(name, "begin with smtp:// or smtps://")
    if not parts.hostname or parts.port == 0:
        raise _bad(name, "name a host")
    if parts.path not in {"", "/"} or parts.fragment or parts.netloc.count("@") > 1:
        raise _bad(name, "percent-encode special characters in user and password")
    if bool(parts.username) != bool(parts.password):
        raise _bad(name, "give a user and a password, or neither")


def _read_starttls(name: str, scheme: str, options: dict[str, str]) -> bool:
    asked = options.pop("starttls", "0")
    if options or asked not in {"0", "1"}:
        raise _bad(name, "the only option is ?starttls=1")
    if asked == "1" and scheme == "smtps":
        raise _bad(name, "smtps:// is encrypted from the start; leave out starttls")
    return asked == "1"


def _bad(name: str, advice: str) -> BadSetting:
    return BadSetting(f"{name} is not a usable address: {advice}; for example {EXAMPLE}")
