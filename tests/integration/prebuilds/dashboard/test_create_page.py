"""The create page: what it offers, what it asks the domain for, and how it says no."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from templates_app.models import Preset
from tests.integration.prebuilds.dashboard.house import House, add_template, add_workspace
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def address(house: House) -> str:
    return f"/workspaces/new/?template={house.template.pk}"


def form(house: House, **changed: str) -> dict[str, str]:
    return {
        "preset": str(house.preset.pk),
        "name": "api",
        "parameter.cpus": "2",
        "parameter.verbose": "true",
    } | changed


def test_one_template_needs_no_choice(member_client: Client, house: House) -> None:
    text = member_client.get("/workspaces/new/").text

    assert "Create a workspace from Python service" in text
    assert "Choose another template" not in text


def test_several_templates_are_offered(member_client: Client, house: House) -> None:
    other = add_template(house.organization, house.admin, "data-lab")

    text = member_client.get("/workspaces/new/").text

    assert f"?template={other.pk}" in text
    assert "Data lab" in text


def test_a_preset_says_how_many_are_ready(member_client: Client, house: House) -> None:
    add_workspace(house.preset)

    assert "1 workspace ready now: usually yours at once" in member_client.get(address(house)).text


def test_an_empty_pool_says_how_long_it_will_take(member_client: Client, house: House) -> None:
    workspace = add_workspace(house.preset)
    Workspace.objects.filter(pk=workspace.pk).update(owner=house.admin)

    text = member_client.get(address(house)).text

    assert "None ready now: will be built, about 40 s" in text


def test_the_suggested_name_is_free(member_client: Client, house: House) -> None:
    add_workspace(house.preset, owner_id=house.member.pk, name="python-service-1")

    assert 'value="python-service-2"' in member_client.get(address(house)).text


def test_choosing_a_preset_fixes_its_values_in_the_fragment(
    member_client: Client, house: House
) -> None:
    fixed = member_client.get(
        f"{address(house)}&preset={house.preset.pk}", headers={"HX-Request": "true"}
    ).text
    own = member_client.get(f"{address(house)}&preset=", headers={"HX-Request": "true"}).text

    assert "Set by the preset" in fixed
    assert 'name="parameter.region"' not in fixed
    assert 'name="parameter.region"' in own
    assert own.lstrip().startswith('<div id="parameters"')


def test_the_domain_is_asked_once_with_what_was_chosen(
    member_client: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")

    def claim(**request: Any) -> SimpleNamespace:
        asked.append(request)
        return SimpleNamespace(workspace=workspace, outcome="warm", reason="warm", preset_id=None)

    monkeypatch.setattr("prebuilds.claims.claim_or_create_workspace", claim)

    response = member_client.post(address(house), form(house), follow=True)

    assert [(a["owner"], a["template"], a["preset_id"], a["name"]) for a in asked] == [
        (house.member, house.template, house.preset.pk, "api")
    ]
    assert asked[0]["parameters"] == {"region": "eu", "cpus": "2", "verbose": "true"}
    assert response.redirect_chain == [(f"/workspaces/{workspace.pk}/", 302)]
    assert "api is yours: it was ready before you asked" in response.text


def test_creating_claims_a_ready_prebuild(member_client: Client, house: House) -> None:
    prebuild = add_workspace(house.preset)

    response = member_client.post(address(house), form(house))

    assert response["Location"] == f"/workspaces/{prebuild.pk}/"
    prebuild.refresh_from_db()
    assert prebuild.owner == house.member
    assert prebuild.name == "api"


def test_an_empty_pool_builds_and_says_why(member_client: Client, house: House) -> None:
    response = member_client.post(address(house), form(house), follow=True)

    assert "api is being built for you" in response.text
    assert Workspace.objects.get(owner=house.member).name == "api"


def test_a_taken_name_is_told_at_the_name(member_client: Client, house: House) -> None:
    add_workspace(house.preset, owner_id=house.member.pk, name="api")

    response = member_client.post(address(house), form(house))

    assert response.status_code == 422
    assert 'id="name-error"' in response.text
    assert 'value="api"' in response.text


def test_a_bad_name_is_told_at_the_name(member_client: Client, house: House) -> None:
    response = member_client.post(address(house), form(house, name="not a name"))

    assert response.status_code == 422
    assert 'id="name-error"' in response.text


def test_a_value_out_of_range_is_told_at_its_input(member_client: Client, house: House) -> None:
    response = member_client.post(address(house), form(house, **{"parameter.cpus": "99"}))

    assert response.status_code == 422
    assert 'id="parameter-cpus-error"' in response.text
    assert 'value="99"' in response.text
    assert not Workspace.objects.filter(owner=house.member).exists()


def test_a_template_of_another_organization_is_not_there(
    member_client: Client, house: House
) -> None:
    house.member.memberships.all().delete()

    assert member_client.get(address(house)).status_code == 404
    assert "There is no template you can use yet" in member_client.get("/workspaces/new/").text


@pytest.mark.parametrize("wanted", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_template_is_not_found(member_client: Client, house: House, wanted: str) -> None:
    assert member_client.get(f"/workspaces/new/?template={wanted}").status_code == 404


def test_a_template_without_presets_offers_own_values(member_client: Client, house: House) -> None:
    Preset.objects.all().delete()

    assert "Own values" in member_client.get(address(house)).text


def test_the_same_form_sent_twice_makes_one_workspace(member_client: Client, house: House) -> None:
    first = member_client.post(address(house), form(house, key="form-1"))
    second = member_client.post(address(house), form(house, key="form-1"))

    assert first["Location"] == second["Location"]
    assert Workspace.objects.filter(owner=house.member).count() == 1


def test_a_form_that_was_used_for_another_name_gets_a_key_of_its_own(
    member_client: Client, house: House
) -> None:
    member_client.post(address(house), form(house, key="form-1"))

    refused = member_client.post(address(house), form(house, key="form-1", name="other"))
    fresh = refused.context["draft"].key
    again = member_client.post(address(house), form(house, key=fresh, name="other"))

    assert refused.status_code == 422
    assert "You have already made a workspace with this form" in refused.text
    assert again.status_code == 302
    assert Workspace.objects.filter(owner=house.member).count() == 2


def test_each_form_has_a_key_of_its_own(member_client: Client, house: House) -> None:
    keys = {member_client.get(address(house)).context["draft"].key for _ in range(2)}

    assert len(keys) == 2


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("eu", "These values match preset Small: 1 ready now."),
        ("us", "These values match no preset"),
    ],
)
def test_own_values_say_which_preset_they_match(
    member_client: Client, house: House, region: str, said: str
) -> None:
    add_workspace(house.preset)
    values = f"&preset=&parameter.region={region}&parameter.cpus=2&part=hint"

    text = member_client.get(address(house) + values, headers={"HX-Request": "true"}).text

    assert said in text
    assert 'name="parameter.region"' not in text


def test_a_chosen_preset_needs_no_hint(member_client: Client, house: House) -> None:
    text = member_client.get(
        f"{address(house)}&preset={house.preset.pk}&part=hint", headers={"HX-Request": "true"}
    ).text

    assert "match" not in text.replace("match-hint", "")
