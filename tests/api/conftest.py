"""Callers of the API: people by session or token, agents by theirs."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.enums import TokenScope
from tests.committed import delete_instead_of_truncate

__all__ = ["bearer", "delete_instead_of_truncate", "session_of", "token_of"]


def bearer(token: str) -> Client:
    """Return a client that carries a token."""
    return Client(headers={"Authorization": f"Bearer {token}"})


def token_of(user, *, name="ci", expires_in=timedelta(hours=1)) -> Client:
    """Return a client that carries a new API token of the user."""
    now = timezone.now()
    _, secret = services.create_token(
        user=user, name=name, scope=TokenScope.MANAGE, expires_at=now + expires_in, now=now
    )
    return bearer(secret)


def session_of(user) -> Client:
    """Return a client that is signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def anonymous() -> Client:
    return Client()
