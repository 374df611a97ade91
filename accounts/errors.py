"""What can go wrong about people.

AccountsError
└── InvalidToken          unknown, revoked or expired token
"""


class AccountsError(Exception):
    """Something about users, organizations or tokens is not as it must be."""


class InvalidToken(AccountsError):
    """This token is unknown, revoked or expired. Sign in again or make a new token."""
