"""What can go wrong about people.

AccountsError
├── InvalidToken          unknown, revoked or expired token
├── WrongCredentials      name and password do not fit together
├── TooManyTries          too many wrong passwords; wait
├── WrongPassword         the old password is not this
├── WeakPassword          the new password is too easy to guess
├── NotAllowed            a role, a person or a scope above one's own
├── OneselfNot            what nobody does to themselves
├── LastOwner             nobody would be left who may do everything
├── Taken                 the name is somebody's already
├── NotAMember            not a member of this organization
├── BadExpiry             a token that would end before it begins, or never soon enough
└── Fixed                 belongs to the prebuilds user and stays as it is
"""

from datetime import timedelta
from math import ceil
from typing import Final

SHOWN: Final = 64


class AccountsError(Exception):
    """Something about users, organizations or tokens is not as it must be."""

    def __init__(self, message: str | None = "", *, field: str = "") -> None:
        super().__init__(message or type(self).__doc__ or "")
        self.field = field
        """The input at fault; empty when it is none in particular."""


class InvalidToken(AccountsError):
    """This token is unknown, revoked or expired. Sign in again or make a new token."""


class WrongCredentials(AccountsError):
    """User name and password do not fit together. Check both and try again."""


class TooManyTries(AccountsError):
    """Too many failed sign-ins. Wait a little and try again."""

    def __init__(self, *, wait: timedelta) -> None:
        self.retry_after = max(ceil(wait.total_seconds()), 1)
        """Whole seconds."""
        minutes = ceil(self.retry_after / 60)
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(f"Too many failed sign-ins. Try again in {span}.")


class WrongPassword(AccountsError):
    """The old password is not right. Type your present one."""


class WeakPassword(AccountsError):
    """The password is too easy to guess. Choose a longer one."""


class NotAllowed(AccountsError):
    """This is above what your own roles allow. Ask an owner."""


class OneselfNot(AccountsError):
    """Nobody does this to themselves. Ask another administrator."""


class LastOwner(AccountsError):
    """Nobody else is an active owner. Make somebody else an owner first."""


class Taken(AccountsError):
    """This name is in use; the case does not matter. Choose another."""

    def __init__(self, *, field: str, value: str) -> None:
        super().__init__(
            f'The {field.replace("_", " ")} "{value[:SHOWN]}" is in use; '
            "the case does not matter. Choose another.",
            field=field,
        )


class NotAMember(AccountsError):
    """Not a member of the organization. Add them there first."""


class BadExpiry(AccountsError):
    """The token's end is not usable. Name a time to come."""


class Fixed(AccountsError):
    """The prebuilds group keeps its name and its member. Change its allowance instead."""
