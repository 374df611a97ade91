"""Sign in with a name and a password: one rule for every door, and no way to lock others out.

Failures are counted in the database, before the password is looked at, so that neither several
processes nor many requests at once get more tries. The rule is `accounts.tries`.
"""

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.utils.crypto import salted_hmac

from accounts import audit, locks, selectors, tries
from accounts.audit import Actor
from accounts.enums import TokenScope
from accounts.errors import TooManyTries, WrongCredentials
from accounts.models import SignInTries, Token, User
from accounts.services import known_browsers, tokens
from accounts.tries import Count, Place

logger = logging.getLogger(__name__)

SALT: Final = "accounts.sign_in"
Keys = dict[Place, str]
Counts = dict[Place, Count]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Who somebody says they are, and where they come from.

    `actor` says door and address; nobody is signed in yet. `kept` is the browser's mark.
    """

    username: str = ""
    email: str = ""
    actor: Actor
    kept: str = ""


def sign_in(
    *, attempt: Attempt, password: str, lifetime: timedelta, now: datetime
) -> tuple[Token, str]:
    """Return a new token of the person and its secret. Raises WrongCredentials, TooManyTries."""
    found = check_password(attempt=attempt, password=password, now=now)
    made = tokens.create_token(
        user=found,
        name=f"sign-in-{secrets.token_hex(6)}",
        scope=TokenScope.MANAGE,
        expires_at=now + lifetime,
        actor=replace(attempt.actor, user=found),
        now=now,
    )
    User.objects.filter(pk=found.pk).update(last_login=now)
    return made


def open_session(*, attempt: Attempt, password: str, now: datetime) -> User:
    """Return who may come in, and write down that they did. Raises as `check_password`."""
    found = check_password(attempt=attempt, password=password, now=now)
    audit.record(actor=replace(attempt.actor, user=found), action="sign_in", target=found, now=now)
    return found


def check_password(*, attempt: Attempt, password: str, now: datetime) -> User:
    """Return who may come in. Raises WrongCredentials, TooManyTries.

    One error, after the same work, whether the name, the password or both are wrong, or the
    person is suspended. Whoever has to wait is refused without a look at the password.
    """
    name = selectors.username_of_email(attempt.email) if attempt.email else attempt.username
    keys = _keys_of(attempt, name or attempt.email)
    before, after = _count_try(keys, name, attempt.actor, now)
    found = authenticate(username=name, password=password)
    if not isinstance(found, User):
        raise WrongCredentials
    _forgive(keys, before, after)
    return found


def prune_tries(*, now: datetime) -> int:
    """Forget counts that count no more; return how many."""
    old = now - tries.FORGOTTEN_AFTER
    return SignInTries.objects.filter(last_failed_at__lt=old).delete()[0]


def _keys_of(attempt: Attempt, name: str) -> Keys:
    """Return the places this try counts in, and under which key each is kept."""
    browser = known_browsers.read_mark(attempt.kept, username=name) if attempt.kept else ""
    address, folded = attempt.actor.address or "", name.lower()
    told = {
        Place.ADDRESS: (address,),
        Place.NAME_AT_ADDRESS: (address, folded),
        Place.NAME_IN_BROWSER: (browser, folded),
        Place.NAME: (folded,),
    }
    places = tries.places_of(known_browser=bool(browser))
    return {place: _digest(place, *told[place]) for place in places if _limits().is_counted(place)}


def _digest(*parts: str) -> str:
    return salted_hmac(SALT, "\0".join(parts), algorithm="sha256").hexdigest()


def _limits() -> tries.Limits:
    return tries.Limits(
        tries=settings.PREBUILDS_SIGN_IN_TRIES,
        tries_per_address=settings.PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS,
    )


def _count_try(keys: Keys, name: str, actor: Actor, now: datetime) -> tuple[Counts, Counts]:
    """Count a failure in advance; return the counts before and after. Raises TooManyTries."""
    if not keys:
        return {}, {}
    limits = _limits()
    with transaction.atomic():
        rows = locks.lock_tries(keys.values())
        before = {place: _count_of(rows[key]).at(now) for place, key in keys.items()}
        if wait := tries.wait_of(before, now):
            raise TooManyTries(wait=wait)
        after = tries.count_failure(before, limits, now)
        _save({keys[place]: count for place, count in after.items()})
        for place in tries.crossed(before, after, limits):
            _write_down(rows[keys[place]], place, after[place], name, actor, now)
    return before, after


def _forgive(keys: Keys, before: Counts, after: Counts) -> None:
    """Take the failure back that was none; what the person had failed before is forgotten too.

    Of counts that are others' as well, an address's and a name's, only this one goes.
    """
    if not keys:
        return
    with transaction.atomic():
        rows = locks.lock_tries(keys.values())
        left = {
            keys[place]: _count_of(rows[keys[place]]).taken_back(before[place], after[place])
            for place in (Place.ADDRESS, Place.NAME)
            if place in keys
        }
        kept = {key: count for key, count in left.items() if count.failures}
        _save(kept)
        SignInTries.objects.filter(pk__in=set(rows) - set(kept)).delete()


def _count_of(row: SignInTries) -> Count:
    return Count(
        failures=row.failures, last_failed_at=row.last_failed_at, waits_until=row.waits_until
    )


def _save(counts: dict[str, Count]) -> None:
    rows = [
        SignInTries(
            key=key,
            failures=count.failures,
            last_failed_at=count.last_failed_at,
            waits_until=count.waits_until,
        )
        for key, count in counts.items()
    ]
    SignInTries.objects.bulk_update(rows, ["failures", "last_failed_at", "waits_until"])


def _write_down(
    row: SignInTries, place: Place, count: Count, name: str, actor: Actor, now: datetime
) -> None:
    """Add an audit entry about a place that reached its limit; it names only who exists."""
    known = User.objects.filter(username__iexact=name).values_list("username", flat=True).first()
    until = count.waits_until.isoformat() if count.waits_until else None
    whose = actor.address or "" if place == Place.ADDRESS else known or "a name nobody has"
    logger.warning("sign-in slowed down", extra={"place": place, "address": actor.address})
    audit.record(
        actor=actor,
        action="slow_down",
        target=row,
        label=whose,
        now=now,
        after={"counted_by": place, "failures": count.failures, "waits_until": until},
    )
