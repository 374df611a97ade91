"""Fetch people. No writes."""

from datetime import datetime
from hashlib import sha256

from django.db.models import Q

from accounts.errors import InvalidToken
from accounts.models import Token


def find_token(secret: str, *, now: datetime) -> Token:
    """Return the live token with this secret, with its user. Raises InvalidToken."""
    token = (
        Token.objects.select_related("user")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
        .filter(digest=digest(secret), revoked_at__isnull=True, user__is_active=True)
        .first()
    )
    if token is None:
        raise InvalidToken(InvalidToken.__doc__)
    return token


def digest(secret: str) -> bytes:
    """Return what is stored instead of a token's secret; 256 random bits need no salt."""
    return sha256(secret.encode()).digest()
