"""Know a browser again in which somebody has signed in: a signed mark, kept there in a cookie.

Failed sign-ins elsewhere do not count against it. It opens nothing: the password is asked as ever.
"""

import secrets
from datetime import timedelta
from typing import Final

from django.core import signing
from django.utils.crypto import salted_hmac

LIFETIME: Final = timedelta(days=180)
SALT: Final = "accounts.known_browsers"


def make_mark(username: str) -> str:
    """Return what a browser keeps after this person signed in there; it tells no name."""
    return signing.dumps([secrets.token_hex(8), _of(username)], salt=SALT)


def read_mark(kept: str, *, username: str) -> str:
    """Return which of this person's browsers kept it; empty for none of theirs, or forged."""
    try:
        browser, owner = signing.loads(kept, salt=SALT, max_age=LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(browser) if owner == _of(username) else ""


def _of(username: str) -> str:
    return salted_hmac(SALT, username.lower(), algorithm="sha256").hexdigest()
