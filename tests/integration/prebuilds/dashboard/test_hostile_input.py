"""What no form of ours sends, and somebody sends all the same: an answer, never a traceback."""

import pytest
from django.test import Client

from tests.integration.prebuilds.dashboard.house import House
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

HUGE = "9" * 5_000
"""More digits than Python reads as a number."""


def test_a_number_of_thousands_of_digits_is_none(admin_client: Client, house: House) -> None:
    preset = house.preset

    response = admin_client.post(f"/presets/{preset.pk}/desired", {"desired_instances": HUGE})

    assert response.status_code == 422
    assert "is not a whole number" in response.text
    assert len(response.text) < 20_000


@pytest.mark.parametrize("verb", ["edit", "delete"])
def test_a_revision_of_thousands_of_digits_is_an_old_one(
    admin_client: Client, house: House, verb: str
) -> None:
    response = admin_client.post(f"/presets/{house.preset.pk}/{verb}", {"revision": HUGE})

    assert response.status_code < 500


def test_a_form_that_counts_its_rows_in_thousands_of_digits_has_none(
    admin_client: Client, house: House
) -> None:
    page = f"/templates/{house.template.pk}/versions/new"

    added = admin_client.post(page, {"edit": "add:files:", "files-TOTAL_FORMS": HUGE})
    removed = admin_client.post(page, {"edit": f"remove:files:{HUGE}"})

    assert (added.status_code, removed.status_code) == (422, 422)


def test_a_null_character_in_the_palette_is_left_out(admin_client: Client, house: House) -> None:
    response = admin_client.get("/palette", {"q": "python\0 service"})

    assert response.status_code == 200
    assert "Python service" in response.text


def test_a_null_character_in_a_forms_key_is_left_out(member_client: Client, house: House) -> None:
    response = member_client.post(
        f"/workspaces/new/?template={house.template.pk}",
        {"preset": str(house.preset.pk), "name": "api", "key": "a\0b", "parameter.cpus": "2"},
    )

    assert response.status_code == 302
    assert Workspace.objects.filter(name="api").exists()


@pytest.mark.parametrize("page", ["http://[", "http://[::1", "//[x]/"])
def test_a_fragment_of_a_page_without_an_address_leads_back_home(client: Client, page: str) -> None:
    response = client.get("/pools/table", headers={"HX-Request": "true", "HX-Current-URL": page})

    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=%2F"
