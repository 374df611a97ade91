"""Who gets in, who is sent away, and how a fragment says so."""

from uuid import uuid4

import pytest
from django.test import Client, override_settings

from tests.integration.prebuilds.dashboard.house import PASSWORD, House, add_workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

PAGES = ("/", "/pools/table", "/workspaces/", "/workspaces/table", "/workspaces/new/")


@pytest.mark.parametrize("address", PAGES)
def test_a_stranger_is_sent_to_the_sign_in_page_and_back(client: Client, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 302
    assert response["Location"] == f"/sign-in/?next={address}"


def test_a_stranger_cannot_even_learn_whether_a_workspace_exists(client: Client) -> None:
    response = client.get(f"/workspaces/{uuid4()}/")

    assert response.status_code == 302


def test_a_fragment_sends_the_whole_page_to_the_sign_in_page(client: Client) -> None:
    response = client.get(
        "/pools/table",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/?health=held"},
    )

    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=%2F%3Fhealth%3Dheld"


async def test_the_stream_refuses_a_stranger(async_client) -> None:
    response = await async_client.get("/live/pools")

    assert response.status_code == 401


def test_signing_in_leads_to_where_one_wanted_to_go(client: Client, house: House) -> None:
    response = client.post(
        "/sign-in/", {"username": "ANA", "password": PASSWORD, "next": "/workspaces/"}
    )

    assert response["Location"] == "/workspaces/"


def test_a_wrong_password_says_so_and_keeps_the_name(client: Client, house: House) -> None:
    response = client.post("/sign-in/", {"username": "ana", "password": "wrong"})

    assert response.status_code == 200
    assert "do not fit together" in response.text
    assert 'value="ana"' in response.text


def test_the_prebuilds_user_cannot_sign_in(client: Client, house: House) -> None:
    response = client.post("/sign-in/", {"username": "prebuilds", "password": "!"})

    assert response.status_code == 200


def test_signing_out_needs_a_button_not_a_link(admin_client: Client) -> None:
    assert admin_client.get("/sign-out/").status_code == 405
    assert admin_client.post("/sign-out/")["Location"] == "/sign-in/"
    assert admin_client.get("/").status_code == 302


def test_somebody_elses_workspace_does_not_exist_for_a_member(
    member_client: Client, house: House
) -> None:
    workspace = add_workspace(house.preset, owner_id=house.admin.pk, name="secret")

    assert member_client.get(f"/workspaces/{workspace.pk}/").status_code == 404
    assert member_client.get(f"/workspaces/{workspace.pk}/state").status_code == 404
    assert member_client.post(f"/workspaces/{workspace.pk}/stop").status_code == 404
    assert "secret" not in member_client.get("/workspaces/?q=").text


@pytest.mark.parametrize("address", PAGES)
def test_a_page_carries_the_strict_policy_and_is_not_stored(
    admin_client: Client, address: str
) -> None:
    response = admin_client.get(address)

    assert response.status_code == 200
    assert "'unsafe" not in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "no-store"
    assert " style=" not in response.text
    assert " onclick=" not in response.text


def test_an_unknown_address_is_a_page_in_the_house_style(admin_client: Client) -> None:
    response = admin_client.get("/nowhere/")

    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_a_form_without_its_token_explains_itself(house: House) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.post("/sign-in/", {"username": "ana", "password": PASSWORD})

    assert response.status_code == 403
    assert "This form is out of date" in response.text


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=False)
def test_the_page_for_a_broken_server_needs_no_database(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("prebuilds.selectors.list_pools", fail)
    admin_client.raise_request_exception = False

    response = admin_client.get("/")

    assert response.status_code == 500
    assert "Something broke on our side" in response.text
