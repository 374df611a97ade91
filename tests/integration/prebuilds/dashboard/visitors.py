"""People of every role, each with a browser, and one who has not signed in."""

from django.test import Client

from accounts.models import Organization, User
from tests.factories import make_organization, make_user

SITE_ROLES = {
    "owner": ["owner"],
    "template admin": ["template-admin"],
    "user admin": ["user-admin"],
    "auditor": ["auditor"],
    "member": [],
}


def visitor(kind: str) -> Client:
    """Return the browser of somebody of this kind; "stranger" has not signed in."""
    if kind == "stranger":
        return Client()
    if kind == "organization admin":
        return client_of(make_user(organization_roles=["organization-admin"]))
    if kind == "member elsewhere":
        return client_of(make_user(organization=make_organization()))
    return client_of(make_user(roles=SITE_ROLES[kind]))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def admin_of(organization: Organization) -> User:
    return make_user(organization=organization, organization_roles=["organization-admin"])


def text_of(response) -> str:
    """Return the page's text with its white space folded."""
    return " ".join(response.text.split())
