"""Hide what looks like a password or a token, in words that leave the house: mails and logs.

A net, not a promise: it knows secrets by their place and their name, not by their value.
"""

import re
from typing import Final

HIDDEN: Final = "(hidden)"

_NAMES: Final = r"passw(?:or)?d | secret | token | api[_-]?key | credential"
# Every repetition has a bound, so that hostile words cannot make a line of the log slow.
_PASSWORD_IN_ADDRESS: Final = re.compile(r"(://[^\s:/@]{0,200}:)(?!\d{1,5}/)\S{1,1000}(?=@)")
_NAMED_SECRET: Final = re.compile(
    rf"""(?ix) ( (?: {_NAMES} ) [\w.-]{{0,100}}
        (?: \s{{0,9}}=\s{{0,9}} | ["']\s{{0,9}}:\s{{0,9}} ) )
        ( "[^"\n]*" | '[^'\n]*' | [^\s,;"']+ )"""
)
_BEARER: Final = re.compile(r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]{12,}")
_SIGNED_LINK: Final = re.compile(r"(/mail/unsubscribe/)[^/\s]+")
_SECRET_NAME: Final = re.compile(rf"(?ix) {_NAMES} | ^authorization$ | ^cookie$")


def mask_secrets(text: str) -> str:
    """Hide what looks like a secret: in an address, after its name, after Bearer, in a link."""
    text = _PASSWORD_IN_ADDRESS.sub(rf"\g<1>{HIDDEN}", text)
    text = _BEARER.sub(rf"\g<1>{HIDDEN}", text)
    text = _SIGNED_LINK.sub(rf"\g<1>{HIDDEN}", text)
    return _NAMED_SECRET.sub(rf"\g<1>{HIDDEN}", text)


def names_a_secret(name: str) -> bool:
    """Return whether a field of this name is better not shown at all."""
    return _SECRET_NAME.search(name) is not None
