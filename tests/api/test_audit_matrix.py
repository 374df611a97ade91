"""Every address that changes something leaves an audit entry, or says here why it leaves none.

Forms the matrix sends half empty (422) are not asked here: they call the services of the API.
"""

import logging
from collections.abc import Iterator
from typing import Final

import pytest
from django.db import transaction

from accounts.models import AuditEntry
from tests.api.listening import stop_hub
from tests.api.matrix import API_ROWS, PAGE_ROWS, Row
from tests.api.requests_of_matrix import ask_api, ask_page
from tests.api.world import World, build_world, read_status

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

UNSAFE: Final = ("POST", "PUT", "PATCH", "DELETE")
REASONS: Final = {
    "prebuilds/reconcile": "a cycle decides by itself, now or a minute later; its row says so",
    "reconcile/now": "a cycle decides by itself, now or a minute later; its row says so",
    "presets/<uuid:preset>/preview": "changes nothing",
    "presets/<uuid:preset_id>/preview": "changes nothing",
    "templates/<uuid:template_id>/versions/<uuid:version_id>/presets/preview": "changes nothing",
    "account/mail/": "one's own wish for mails; nobody else's anything",
    "mail/unsubscribe/<str:token>/": "the same, by the link in a mail",
    "sign-out/": "ends what the entry of the sign-in began",
    "workspaces/<uuid:workspace>/extend": "nothing runs in the matrix's world: its service's test",
    "provisionerjobs/cancel-pending": "nothing waits in the matrix's world: its service's test",
    "jobs/cancel-pending": "nothing waits in the matrix's world: its service's test",
    "^": "nothing is there",
}
UNCHANGED: Final = {
    "account/edit": "the form gives the name and address the person has",
    "templates/<uuid:template_id>/delete": "refused: it is in use",
    "presets/<uuid:preset_id>/delete": "refused: prebuilds came from it",
    "users/<str:user>/roles": "the body gives the roles the person has",
    "users/<str:user>/status/activate": "the person is active",
    "organizations/<str:organization>/members/<str:user>/roles": "as they are",
    "pools/retry": "it is healthy",
    "templates/<uuid:template_id>/revive": "it is not deprecated",
    "people/<uuid:user_id>/roles": "the form gives the roles the person has",
    "people/<uuid:user_id>/activate": "the person is active",
    "organizations/<uuid:organization_id>/members/<uuid:user_id>/roles": "as they are",
    "workspaces/<uuid:workspace_id>/autostart": "it had no schedule and gets none",
    "workspaces/<uuid:workspace_id>/autostop": "it had no ttl and gets none",
    "workspaces/<uuid:workspace_id>/wake": "it is awake",
}
"""Nothing changes in the matrix's world, so nothing is written; the services' own tests do."""


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    caplog.set_level(logging.CRITICAL, "django.request")
    yield build_world()
    stop_hub()


def entries_of(world: World, row: Row) -> tuple[int, list[AuditEntry]]:
    """Ask as somebody who may, take it back; return the status and the entries it left."""
    caller = "mine" if row.route.startswith("account/") else "owner"
    caller = "anonymous" if row.route in {"users/login", "sign-in/"} else caller
    isolated = transaction.atomic()
    isolated._from_testcase = True
    with isolated:
        last = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        client = world.client(caller, by_session=not row.is_api)
        send = ask_api if row.is_api else ask_page
        response = send(world, client, row.method, row.route)
        found = list(AuditEntry.objects.filter(pk__gt=last).select_related("actor"))
        transaction.set_rollback(True)
    return read_status(response), found


def asked_for() -> list[Row]:
    return [
        row
        for row in [*API_ROWS, *PAGE_ROWS]
        if row.method in UNSAFE
        and not row.is_for_machines
        and row.status < 400
        and row.route not in REASONS
        and row.route not in UNCHANGED
    ]


@pytest.mark.timeout(180)
def test_every_change_by_a_person_leaves_an_entry_that_says_who_and_from_where(
    world: World,
) -> None:
    wrong = []

    for row in asked_for():
        status, found = entries_of(world, row)
        named = [
            one for one in found if one.actor and one.address and one.source in {"api", "page"}
        ]
        if status != row.status or not named:
            wrong.append(f"{row.method} {row.route}: {status}, {[str(one) for one in found]}")

    assert not wrong, "\n".join(wrong)


def test_a_reason_is_of_an_address_there_is() -> None:
    routes = {row.route for row in [*API_ROWS, *PAGE_ROWS] if row.method in UNSAFE}

    assert set(REASONS) - routes == set()
    assert set(UNCHANGED) - routes == set()


@pytest.mark.timeout(180)
def test_what_changes_nothing_leaves_nothing(world: World) -> None:
    wrong = []

    for row in [*API_ROWS, *PAGE_ROWS]:
        if row.method in UNSAFE and row.route in UNCHANGED and row.status < 400:
            _, found = entries_of(world, row)
            wrong += [f"{row.method} {row.route}: {one}" for one in found]

    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(180)
def test_no_entry_holds_a_password_or_a_token(world: World) -> None:
    told = []

    for row in [*API_ROWS, *PAGE_ROWS]:
        if row.method in UNSAFE and not row.is_for_machines:
            _, found = entries_of(world, row)
            text = str([(one.before, one.after, one.object_label) for one in found])
            told += [row.route for secret in secrets_of(world) if secret in text]

    assert told == []


def secrets_of(world: World) -> list[str]:
    return ["passphrase", "md5$", "pbkdf2", *world.secrets.values()]
