"""What the tests about people share: every kind of caller, and bodies as JSON."""

import json

from accounts.enums import TokenScope
from accounts.services import tokens
from tests.api.conftest import bearer
from tests.factories import NOON, make_organization, make_user

API = "/api/v2"
PASSWORD = "a long enough passphrase"


def send(client, method, path, body=None, **headers):
    """Send a request with a JSON body."""
    return client.generic(
        method,
        f"{API}{path}",
        body if isinstance(body, str) else _json(body),
        content_type="application/json",
        headers=headers,
    )


def scoped(user, scope, name="scoped"):
    """Return a client with a token of this scope."""
    _, secret = tokens.create_token(
        user=user, name=name, scope=TokenScope(scope), expires_at=None, now=NOON
    )
    return bearer(secret)


def caller(kind):
    """Return a person of that kind; all but the stranger are in the default organization."""
    if kind == "stranger":
        return make_user(organization=make_organization())
    if kind.startswith("organization-"):
        return make_user(organization_roles=[kind])
    return make_user(roles=[] if kind == "member" else [kind])


def _json(body):
    return "" if body is None else json.dumps(body)
