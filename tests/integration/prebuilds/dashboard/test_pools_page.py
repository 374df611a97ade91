"""The pools page: what it says, to whom, and what it costs."""

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from prebuilds.models import PrebuildsSettings
from templates_app.models import Preset
from tests.integration.prebuilds.dashboard.house import (
    House,
    add_preset,
    add_template,
    add_workspace,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def count_statements(client: Client, address: str) -> int:
    # ContentType and policy caches warm up with the first request.
    client.get(address)
    with (
        CaptureQueriesContext(connections["default"]) as default,
        CaptureQueriesContext(connections["snapshot"]) as snapshot,
    ):
        assert client.get(address).status_code == 200
    statements = [query["sql"] for query in (*default, *snapshot)]
    return sum(
        not sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for sql in statements
    )


def test_a_full_pool_is_warm(admin_client: Client, house: House) -> None:
    for _ in range(2):
        add_workspace(house.preset)

    text = admin_client.get("/").text

    assert "The pool is warm" in text
    assert "2 desired: 2 ready" in text
    assert "Healthy" in text


def test_what_is_not_ready_yet_is_told_apart(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)
    add_workspace(house.preset, agent="starting")

    assert "2 desired: 1 ready and 1 not ready yet" in admin_client.get("/").text


def test_the_fragment_is_the_live_part_of_the_page(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)

    fragment = admin_client.get("/pools/table", headers={"HX-Request": "true"}).text

    assert fragment.lstrip().startswith('<div id="pools"')
    assert "<html" not in fragment
    assert "2 desired: 1 ready" in fragment


def test_a_chip_filters_the_table_and_the_fragment_keeps_the_filter(
    admin_client: Client, house: House
) -> None:
    for _ in range(2):
        add_workspace(house.preset)

    text = admin_client.get("/?health=hard_limited").text

    assert "No pool is “Hard-limited” now" in text
    assert 'hx-get="/pools/table?health=hard_limited"' in text


def test_an_unknown_filter_shows_all(admin_client: Client, house: House) -> None:
    assert 'id="pool-' in admin_client.get("/?health=nonsense").text


def test_without_pools_the_page_teaches(admin_client: Client, house: House) -> None:
    Preset.objects.update(desired_instances=None)

    text = admin_client.get("/").text

    assert "No pool yet" in text
    assert "manage.py demo" in text


def test_a_member_sees_the_pools_without_links_to_their_members(
    member_client: Client, house: House
) -> None:
    text = member_client.get("/").text

    assert "Small" in text
    assert "owner%3Aprebuilds" not in text
    assert ">Admin<" not in text


def test_a_member_of_another_organization_sees_no_pool(member_client: Client, house: House) -> None:
    house.member.memberships.all().delete()

    assert "No pool yet" in member_client.get("/").text


def test_pausing_is_said(admin_client: Client, house: House) -> None:
    PrebuildsSettings.objects.update_or_create(
        pk=PrebuildsSettings.SINGLETON_ID,
        defaults={"reconciliation_paused": True, "paused_at": timezone.now()},
    )

    assert "Paused" in admin_client.get("/").text


def test_the_number_of_statements_does_not_grow_with_the_pools(
    admin_client: Client, house: House
) -> None:
    few = count_statements(admin_client, "/")

    for number in range(4):
        template = add_template(house.organization, house.admin, f"template-{number}")
        for preset in range(3):
            add_workspace(add_preset(template, f"preset-{preset}", 2))

    assert count_statements(admin_client, "/") == few
    assert count_statements(admin_client, "/pools/table") <= few


def test_the_page_stays_within_its_budget_of_statements(admin_client: Client, house: House) -> None:
    session_and_user = 2

    assert count_statements(admin_client, "/") <= 12 + session_and_user
