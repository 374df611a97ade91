"""API tokens: made, used, revoked. A secret is shown once; only its digest is stored."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import audit, selectors
from accounts.audit import THE_SYSTEM, Actor
from accounts.enums import TokenScope
from accounts.errors import BadExpiry, NotAllowed, Taken
from accounts.models import Token, User

USE_NOTED_EVERY: Final = timedelta(minutes=1)
"""How exact `last_used_at` is; a busy token must not become a row that is always written."""


def create_token(
    *,
    user: User,
    name: str,
    scope: TokenScope,
    expires_at: datetime | None,
    now: datetime,
    actor: Actor = THE_SYSTEM,
    within: TokenScope = TokenScope.MANAGE,
) -> tuple[Token, str]:
    """Make an API token; return it with its secret, which is shown once and never stored.

    `within` is the widest scope the caller may hand on. An expired token of the same name makes
    room. Raises NotAllowed, BadExpiry, Taken.
    """
    if not within.includes(scope):
        raise NotAllowed(
            f'A token of the scope "{within}" makes none of the scope "{scope}". '
            "Sign in, or use a wider token.",
            field="scope",
        )
    if expires_at is not None and expires_at <= now:
        raise BadExpiry(field="expires_at")
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        user.tokens.filter(name__iexact=name, revoked_at__isnull=True, expires_at__lte=now).update(
            revoked_at=now
        )
        token = _insert(
            user=user,
            name=name,
            scope=scope,
            digest=selectors.digest(secret),
            created_at=now,
            expires_at=expires_at,
        )
        audit.record(actor=actor, action="create", target=token, now=now, after=_facts_of(token))
    return token, secret


def replace_token(
    *,
    user: User,
    name: str,
    scope: TokenScope,
    expires_at: datetime | None,
    actor: Actor,
    now: datetime,
) -> tuple[Token, str]:
    """Make a token in place of the one of the same name, if there is one."""
    with transaction.atomic():
        for old in user.tokens.filter(name__iexact=name, revoked_at__isnull=True):
            revoke_token(token=old, actor=actor, now=now)
        return create_token(
            user=user, name=name, scope=scope, expires_at=expires_at, actor=actor, now=now
        )


def revoke_token(*, token: Token, actor: Actor, now: datetime) -> bool:
    """End a token at once; the row stays as a record. False when it was revoked already."""
    with transaction.atomic():
        live = Token.objects.filter(pk=token.pk, revoked_at__isnull=True)
        if not live.update(revoked_at=now):
            return False
        audit.record(actor=actor, action="revoke", target=token, now=now, before=_facts_of(token))
    return True


def revoke_all_tokens(*, user: User, now: datetime) -> int:
    """End all tokens of a person; return how many. The caller's audit entry says so."""
    return user.tokens.filter(revoked_at__isnull=True).update(revoked_at=now)


def record_use(*, token: Token, now: datetime) -> None:
    """Note that a token was used, at most once a minute."""
    noted_before = now - USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > noted_before:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=noted_before)
    Token.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _insert(**fields: object) -> Token:
    try:
        with transaction.atomic():
            return Token.objects.create(**fields)
    except IntegrityError as error:
        if "token_name_unique" in str(error):
            raise Taken(field="token_name", value=str(fields["name"])) from error
        raise


def _facts_of(token: Token) -> dict[str, object]:
    end = token.expires_at.isoformat() if token.expires_at else None
    return {"user": token.user.username, "scope": token.scope, "expires_at": end}
