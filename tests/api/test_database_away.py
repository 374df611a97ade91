"""A database that is away is no fault of ours or of the caller's: the answer asks for patience."""

import pytest
from django.db import InterfaceError, OperationalError

from prebuilds import selectors
from tests import factories
from tests.api.conftest import token_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_call_is_answered_503_with_when_to_try_again(monkeypatch, error):
    client = token_of(factories.make_user(roles=["owner"]))

    def fail(**_):
        raise error("server closed the connection; password=hunter2")

    monkeypatch.setattr(selectors, "list_pools", fail)
    answer = client.get("/api/v2/prebuilds/state")

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer.json() == {
        "message": "The database does not answer. Try again in a moment.",
        "detail": "",
        "validations": [],
    }
