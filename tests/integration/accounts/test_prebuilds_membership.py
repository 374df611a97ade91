"""Where there is a pool, the prebuilds user is a member (semantics.md 13)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.models import Group, GroupMembership, Membership
from accounts.services import organizations
from accounts.system import PREBUILDS_GROUP_NAME, PREBUILDS_USER_ID
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.django_db


def is_complete(organization) -> bool:
    return (
        Membership.objects.filter(organization=organization, user_id=PREBUILDS_USER_ID).exists()
        and GroupMembership.objects.filter(
            group__organization=organization,
            group__name=PREBUILDS_GROUP_NAME,
            user_id=PREBUILDS_USER_ID,
        ).exists()
    )


def add_member(organization):
    Membership.objects.create(organization=organization, user_id=PREBUILDS_USER_ID)


def add_group(organization, name=PREBUILDS_GROUP_NAME, **fields):
    return Group.objects.create(organization=organization, name=name, **fields)


def add_group_member(organization, name=PREBUILDS_GROUP_NAME):
    group, _ = Group.objects.get_or_create(organization=organization, name=name)
    GroupMembership.objects.create(group=group, user_id=PREBUILDS_USER_ID)


def add_to_another_group(organization):
    add_member(organization)
    add_group(organization)
    add_group_member(organization, name="other")


BEFORE = {
    "nothing": lambda _: None,
    "only the membership": add_member,
    "only the group": add_group,
    "the group with its member": add_group_member,
    "membership and group": lambda o: (add_member(o), add_group(o)),
    "it is in another group": add_to_another_group,
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_what_is_missing_is_inserted(before):
    organization = make_organization()
    before(organization)

    failed = services.ensure_prebuilds_membership([organization.pk])

    assert failed == {}
    assert is_complete(organization)


def test_the_new_group_allows_nothing_and_says_what_it_is():
    organization = make_organization()

    services.ensure_prebuilds_membership([organization.pk])

    group = Group.objects.get(organization=organization)
    assert (group.name, group.display_name, group.quota_allowance) == (
        "coderprebuiltworkspaces",
        "Prebuilt Workspaces",
        0,
    )
    assert Membership.objects.get(organization=organization).roles == []


def test_nothing_is_missing_the_second_time_and_one_statement_finds_that_out(
    django_assert_num_queries,
):
    organizations = [make_organization().pk for _ in range(5)]
    services.ensure_prebuilds_membership(organizations)

    with django_assert_num_queries(1):
        failed = services.ensure_prebuilds_membership(organizations)

    assert failed == {}


def test_an_allowance_an_admin_set_is_never_touched():
    organization = make_organization()
    group = add_group(organization, quota_allowance=40, display_name="Warm ones")

    services.ensure_prebuilds_membership([organization.pk])
    services.ensure_prebuilds_membership([organization.pk])

    group.refresh_from_db()
    assert (group.quota_allowance, group.display_name) == (40, "Warm ones")


def test_other_people_and_other_organizations_are_left_alone():
    organization, other = make_organization(), make_organization()
    make_user(organization=organization)

    services.ensure_prebuilds_membership([organization.pk])

    assert organization.memberships.count() == 2
    assert not other.memberships.exists()
    assert not other.groups.exists()


def test_no_organization_costs_no_write():
    with CaptureQueriesContext(connection) as statements:
        failed = services.ensure_prebuilds_membership([])

    assert failed == {}
    assert not [one for one in statements if not one["sql"].startswith("SELECT")]


def test_a_group_whose_name_differs_in_case_is_the_same_group():
    organization = make_organization()
    group = add_group(organization, name=PREBUILDS_GROUP_NAME.upper())

    assert services.ensure_prebuilds_membership([organization.pk]) == {}

    assert organization.groups.get() == group
    assert group.memberships.get().user_id == PREBUILDS_USER_ID


def test_an_organization_that_cannot_be_mended_is_named_and_the_others_are_mended(monkeypatch):
    broken, healthy = make_organization(), make_organization()
    join = organizations._join

    def fail_for_one(organization):
        join(organization)
        if organization == broken:
            raise RuntimeError("out of order")

    monkeypatch.setattr(organizations, "_join", fail_for_one)

    failed = services.ensure_prebuilds_membership([broken.pk, healthy.pk])

    assert failed == {broken.pk: "RuntimeError: out of order"}
    assert is_complete(healthy)
    assert not broken.memberships.exists()
