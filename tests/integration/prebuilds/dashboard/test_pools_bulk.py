"""One action on all matching pools: the plan lists them, and only those are changed."""

import pytest
from django.test import Client

from accounts.models import AuditEntry, Membership, Organization, User
from templates_app.models import Preset
from tests.integration.prebuilds.dashboard.house import (
    House,
    add_preset,
    add_template,
    add_workspace,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

ADDRESSES = ("/pools/retry", "/pools/invalidate", "/pools/desired")


@pytest.fixture
def large(house: House) -> Preset:
    return add_preset(house.template, "Large", 1)


def fail(preset: Preset) -> None:
    Preset.objects.filter(pk=preset.pk).update(
        prebuild_status="validation_failed", status_reason="no such region"
    )


def test_the_plan_lists_the_matching_pools_and_changes_nothing(
    admin_client: Client, house: House, large: Preset
) -> None:
    text = admin_client.get("/pools/desired?q=small").text

    assert "python-service / Small" in text
    assert "python-service / Large" not in text
    assert "2 now" in text
    assert not AuditEntry.objects.exists()


def test_a_number_is_given_to_the_pools_that_were_listed(
    admin_client: Client, house: House, large: Preset
) -> None:
    response = admin_client.post(
        "/pools/desired?q=small", {"presets": str(house.preset.pk), "desired_instances": "5"}
    )

    assert response["Location"] == "/?q=small"
    wanted = dict(Preset.objects.values_list("name", "desired_instances"))
    assert wanted == {"Small": 5, "Large": 1}
    assert AuditEntry.objects.get().actor == house.admin
    assert "1 pool: 5 prebuilds desired in each." in admin_client.get("/").text


@pytest.mark.parametrize("number", ["", "-1", "many", "1001", "9" * 40])
def test_a_number_that_cannot_be_is_refused_beside_its_field(
    admin_client: Client, house: House, number: str
) -> None:
    response = admin_client.post(
        "/pools/desired", {"presets": str(house.preset.pk), "desired_instances": number}
    )

    assert response.status_code == 422
    assert 'aria-describedby="bulk-number-problem"' in response.text
    assert Preset.objects.get().desired_instances == 2


def test_retry_is_for_those_that_failed(admin_client: Client, house: House, large: Preset) -> None:
    fail(large)

    text = admin_client.get("/pools/retry").text
    admin_client.post("/pools/retry", {"presets": f"{house.preset.pk},{large.pk}"})

    assert "python-service / Large" in text
    assert "python-service / Small" not in text
    large.refresh_from_db()
    assert (large.prebuild_status, large.status_reason) == ("healthy", "")
    assert [entry.object_label for entry in AuditEntry.objects.all()] == ["python-service / Large"]


def test_invalidating_says_how_many_prebuilds_it_costs(
    admin_client: Client, house: House, large: Preset
) -> None:
    for _ in range(2):
        add_workspace(house.preset)

    text = admin_client.get("/pools/invalidate").text
    admin_client.post("/pools/invalidate", {"presets": str(house.preset.pk)})

    assert "2 prebuilds in 1 pool are expired" in text
    assert "expire 2" in text
    stamped = Preset.objects.filter(last_invalidated_at__isnull=False)
    assert list(stamped.values_list("name", flat=True)) == ["Small"]


def test_with_nothing_to_do_there_is_no_button(admin_client: Client, house: House) -> None:
    text = admin_client.get("/pools/retry").text

    assert "No matching pool that you may change has failed." in text
    assert 'type="submit">Retry' not in text


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_member_may_not(member_client: Client, house: House, address: str) -> None:
    assert member_client.get(address).status_code == 403
    posted = {"presets": str(house.preset.pk), "desired_instances": "9"}
    assert member_client.post(address, posted).status_code == 403
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_belongs_nowhere_does_not_even_know_of_it(
    member_client: Client, house: House, address: str
) -> None:
    house.member.memberships.all().delete()

    assert member_client.get(address).status_code == 404


def test_a_template_admin_of_one_organization_changes_only_its_pools(
    client: Client, house: House
) -> None:
    other = Organization.objects.create(name="other")
    theirs = add_preset(add_template(other, house.admin, "theirs"), "Theirs", 1)
    tess = User.objects.create_user("tess")
    Membership.objects.create(organization=other, user=tess, roles=["organization-template-admin"])
    Membership.objects.create(organization=house.organization, user=tess)
    client.force_login(tess)

    text = client.get("/pools/desired").text
    client.post(
        "/pools/desired",
        {"presets": f"{house.preset.pk},{theirs.pk}", "desired_instances": "4"},
    )

    assert "theirs / Theirs" in text
    assert "python-service / Small" not in text
    wanted = dict(Preset.objects.values_list("name", "desired_instances"))
    assert wanted == {"Small": 2, "Theirs": 4}
