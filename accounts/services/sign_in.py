"""Sign in with a name and a password, for a token instead of a cookie."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from django.contrib.auth import authenticate

from accounts import selectors
from accounts.audit import Actor
from accounts.enums import TokenScope
from accounts.errors import WrongCredentials
from accounts.models import Token, User
from accounts.services import tokens


def sign_in(
    *,
    username: str = "",
    email: str = "",
    password: str,
    lifetime: timedelta,
    actor: Actor,
    now: datetime,
) -> tuple[Token, str]:
    """Return a new token of the person and its secret. Raises WrongCredentials.

    One error, after the same work, whether the name, the password or both are wrong, or the
    person is suspended. `actor` says door and address; the person is filled in.
    """
    name = selectors.username_of_email(email) if email else username
    found = authenticate(username=name, password=password)
    if not isinstance(found, User):
        raise WrongCredentials
    made = tokens.create_token(
        user=found,
        name=f"sign-in-{secrets.token_hex(6)}",
        scope=TokenScope.MANAGE,
        expires_at=now + lifetime,
        actor=replace(actor, user=found),
        now=now,
    )
    User.objects.filter(pk=found.pk).update(last_login=now)
    return made
