"""What can go wrong about people.

AccountsError
├── NotPermitted          the role does not allow the action
├── InvalidToken          unknown, revoked or expired token
└── SystemUserIsFixed     somebody tried to change the prebuilds user
"""


class AccountsError(Exception):
    """Something about users, organizations or tokens is not as it must be."""


class NotPermitted(AccountsError):
    """Your role does not allow this."""


class InvalidToken(AccountsError):
    """This token is unknown, revoked or expired. Sign in again or make a new token."""


class SystemUserIsFixed(AccountsError):
    """The prebuilds user belongs to the system and cannot be changed."""
