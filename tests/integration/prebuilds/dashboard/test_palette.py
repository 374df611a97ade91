"""The palette finds what a person may read, by any part of its name."""

import re

import pytest
from django.test import Client

from accounts.models import Organization, User
from tests.integration.prebuilds.dashboard.house import (
    House,
    add_preset,
    add_template,
    add_workspace,
)

pytestmark = pytest.mark.django_db


def found(client: Client, text: str) -> list[tuple[str, str]]:
    """Return (kind, label) of each place, in order."""
    html = client.get("/palette", {"q": text}).text
    labels = re.findall(r'<span class="palette-label">(.*?)</span>', html)
    kinds = re.findall(r'<span class="tag">(.*?)</span>', html)
    return list(zip(kinds, labels, strict=True))


def test_without_words_it_lists_the_pages(admin_client: Client, house: House) -> None:
    places = found(admin_client, "")

    assert ("Page", "Pools") in places
    assert ("Page", "Cycles") in places
    assert {kind for kind, _ in places} == {"Page"}


def test_a_page_is_found_by_another_word_for_it(admin_client: Client, house: House) -> None:
    assert ("Page", "Cycles") in found(admin_client, "reconcile")


def test_everything_is_found_by_a_part_of_its_name(admin_client: Client, house: House) -> None:
    add_workspace(house.preset, owner_id=house.admin.pk, name="small-thing")

    places = found(admin_client, "SMALL")

    assert places == [("Preset", "Small"), ("Workspace", "small-thing")]
    assert ("Template", "Python service") in found(admin_client, "python")


def test_every_word_must_be_in_the_name(admin_client: Client, house: House) -> None:
    add_preset(house.template, "Large", 1)

    assert ("Preset", "Large") in found(admin_client, "python large")
    assert found(admin_client, "python huge") == []


def test_a_member_finds_their_own_workspaces_and_no_others(
    member_client: Client, house: House
) -> None:
    add_workspace(house.preset, owner_id=house.member.pk, name="thing-of-ben")
    add_workspace(house.preset, owner_id=house.admin.pk, name="thing-of-ana")

    assert found(member_client, "thing") == [("Workspace", "thing-of-ben")]


def test_another_organizations_templates_are_not_found(member_client: Client, house: House) -> None:
    other = Organization.objects.create(name="other")
    add_preset(add_template(other, house.admin, "secret"), "Hidden", 1)

    assert found(member_client, "secret") == []
    assert found(member_client, "hidden") == []


def test_a_name_with_markup_is_shown_as_text(admin_client: Client, house: House) -> None:
    add_preset(house.template, "<b>bold</b>", 1)

    html = admin_client.get("/palette", {"q": "bold"}).text

    assert "&lt;b&gt;bold" in html
    assert "<b>bold" not in html


def test_a_stranger_is_sent_to_the_sign_in_page(client: Client) -> None:
    response = client.get("/palette", headers={"HX-Request": "true"})

    assert response.status_code == 401


def test_it_costs_the_same_for_one_and_for_many(
    client: Client, house: House, django_assert_max_num_queries
) -> None:
    for number in range(20):
        add_preset(house.template, f"Python {number}", 1)
        add_workspace(house.preset, owner_id=house.admin.pk, name=f"python-{number}")
    client.force_login(User.objects.get(pk=house.admin.pk))

    with django_assert_max_num_queries(6):
        client.get("/palette", {"q": "python"})
