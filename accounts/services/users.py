"""People: made, renamed, given roles and passwords, suspended, activated, deleted."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import audit, locks, policy
from accounts.audit import Actor
from accounts.enums import SiteRole
from accounts.errors import (
    LastOwner,
    NotAllowed,
    OneselfNot,
    Taken,
    WeakPassword,
    WrongPassword,
)
from accounts.models import Membership, Organization, User
from accounts.services import tokens

Check = Callable[[User], None]

UNIQUE = {"user_username_unique": "username", "user_email_unique": "email"}


def create_user(
    *,
    username: str,
    email: str,
    name: str,
    password: str | None,
    roles: Sequence[str],
    organizations: Collection[Organization],
    actor: Actor,
    now: datetime,
) -> User:
    """Make a person, a member of these organizations; without a password they cannot sign in.

    Raises Taken, WeakPassword, NotAllowed.
    """
    user = User(username=username, email=email, name=name, roles=list(roles), created_at=now)
    _check_rank(actor, roles)
    if password is not None:
        _check_password(password, user)
    user.set_password(password)
    with transaction.atomic():
        _save(user, insert=True)
        Membership.objects.bulk_create(
            Membership(organization=each, user=user, created_at=now) for each in organizations
        )
        after = {**_profile_of(user), "roles": user.roles}
        audit.record(actor=actor, action="create", target=user, now=now, after=after)
    return user


def update_profile(
    *,
    user_id: UUID,
    username: str,
    name: str,
    actor: Actor,
    now: datetime,
    email: str | None = None,
    check: Check = lambda _: None,
) -> User:
    """Rename a person; an email of None stays. Raises Taken, NotAllowed.

    `check` sees the row, locked, before anything changes; what it raises undoes the call.
    """
    with transaction.atomic():
        user = locks.lock_user(user_id)
        check(user)
        _check_above(actor, user)
        before = _profile_of(user)
        user.username, user.name = username, name
        user.email = user.email if email is None else email
        _save(user)
        audit.record_change(
            actor=actor,
            action="update",
            target=user,
            before=before,
            after=_profile_of(user),
            now=now,
        )
    return user


def set_roles(
    *,
    user_id: UUID,
    roles: Sequence[str],
    actor: Actor,
    now: datetime,
    check: Check = lambda _: None,
) -> User:
    """Give a person exactly these site roles; `check` is as in `update_profile`.

    Raises OneselfNot, NotAllowed for roles above the actor's, given or taken, and LastOwner.
    """
    with transaction.atomic():
        user, other_owners = locks.lock_user_and_owners(user_id)
        check(user)
        _check_not_oneself(actor, user, "changes their own roles")
        before = list(user.roles)
        _check_rank(actor, set(before) ^ set(roles))
        if SiteRole.OWNER in before and SiteRole.OWNER not in roles:
            _check_owner_left(user, other_owners)
        user.roles = sorted(set(roles))
        _save(user)
        audit.record_change(
            actor=actor,
            action="set_roles",
            target=user,
            before={"roles": before},
            after={"roles": user.roles},
            now=now,
        )
    return user


def suspend_user(*, user_id: UUID, actor: Actor, now: datetime) -> User:
    """Let a person in no more: their sessions and tokens end, also for when they are let in again.

    Raises OneselfNot, NotAllowed, LastOwner. Nothing happens to who is suspended already.
    """
    with transaction.atomic():
        user, other_owners = locks.lock_user_and_owners(user_id)
        _check_not_oneself(actor, user, "suspends themselves")
        _check_above(actor, user)
        if not user.is_active:
            return user
        if SiteRole.OWNER in user.roles:
            _check_owner_left(user, other_owners)
        user.is_active, user.signed_out_at = False, now
        _save(user)
        ended = tokens.revoke_all_tokens(user=user, now=now)
        after = {"status": "suspended", "tokens_revoked": ended}
        audit.record(
            actor=actor,
            action="suspend",
            target=user,
            now=now,
            before={"status": "active"},
            after=after,
        )
    return user


def activate_user(*, user_id: UUID, actor: Actor, now: datetime) -> User:
    """Let a person in again. Raises NotAllowed."""
    with transaction.atomic():
        user = locks.lock_user(user_id)
        _check_above(actor, user)
        if user.is_active:
            return user
        user.is_active = True
        _save(user)
        audit.record(
            actor=actor,
            action="activate",
            target=user,
            now=now,
            before={"status": "suspended"},
            after={"status": "active"},
        )
    return user


def delete_user(*, user_id: UUID, actor: Actor, now: datetime) -> None:
    """Delete a person of whom nothing depends; the database keeps whoever left a trace.

    Raises OneselfNot, NotAllowed, LastOwner.
    """
    with transaction.atomic():
        user, other_owners = locks.lock_user_and_owners(user_id)
        _check_not_oneself(actor, user, "deletes themselves")
        _check_above(actor, user)
        if SiteRole.OWNER in user.roles:
            _check_owner_left(user, other_owners)
        before = {**_profile_of(user), "roles": user.roles}
        audit.record(actor=actor, action="delete", target=user, now=now, before=before)
        user.delete()


def change_password(
    *, user_id: UUID, password: str, old_password: str | None, actor: Actor, now: datetime
) -> User:
    """Set a password; all tokens and sessions of the person end.

    Whoever sets their own gives the old one too. Raises WrongPassword, WeakPassword, NotAllowed.
    """
    with transaction.atomic():
        user = locks.lock_user(user_id)
        _check_above(actor, user)
        if actor.user == user and not user.check_password(old_password or ""):
            raise WrongPassword(field="old_password")
        _check_password(password, user)
        user.set_password(password)
        _save(user)
        note_password_change(user=user, actor=actor, now=now)
    return user


def note_password_change(*, user: User, actor: Actor, now: datetime) -> None:
    """End the tokens of a person whose password was set just now, and write it down."""
    with transaction.atomic():
        after = {"tokens_revoked": tokens.revoke_all_tokens(user=user, now=now)}
        audit.record(actor=actor, action="set_password", target=user, now=now, after=after)


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from error


def _check_not_oneself(actor: Actor, user: User, deed: str) -> None:
    if actor.user == user:
        raise OneselfNot(f"Nobody {deed}. Ask another administrator.")


def _check_above(actor: Actor, user: User) -> None:
    """Raise NotAllowed when the person holds a role above the actor's."""
    if actor.user is not None and not policy.may_change(actor.user, user):
        raise NotAllowed(
            f"{user.username} holds a role above yours. Ask an owner to make this change."
        )


def _check_rank(actor: Actor, roles: Collection[str]) -> None:
    """Raise NotAllowed for a role that allows more than the actor may do."""
    if actor.user is not None and not policy.may_grant(actor.user, roles):
        above = sorted(set(roles) - set(policy.grantable_roles(actor.user)))
        raise NotAllowed(
            f"You can neither give nor take {', '.join(above)}: it allows more than you may do.",
            field="roles",
        )


def _check_owner_left(user: User, others: Collection[User]) -> None:
    if user.is_active and not others:
        raise LastOwner(
            f"{user.username} is the only active owner. Make somebody else an owner first."
        )


def _save(user: User, *, insert: bool = False) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=insert)
    except IntegrityError as error:
        for constraint, field in UNIQUE.items():
            if constraint in str(error):
                raise Taken(field=field, value=getattr(user, field)) from error
        raise


def _profile_of(user: User) -> dict[str, Any]:
    return {"username": user.username, "name": user.name, "email": user.email}
