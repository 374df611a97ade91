"""The pages of organizations: members and their roles there, groups and their allowances."""

from uuid import uuid4

import pytest

from accounts.models import AuditEntry, Group, Membership, Organization
from accounts.system import PREBUILDS_USER_ID
from tests.factories import (
    allow,
    default_organization,
    make_organization,
    make_template,
    make_user,
    make_workspace,
)
from tests.integration.prebuilds.dashboard.visitors import admin_of, client_of, text_of, visitor

pytestmark = pytest.mark.django_db

LIST = "/organizations/"


@pytest.fixture
def home() -> Organization:
    return default_organization()


@pytest.fixture
def owner():
    return make_user("olga", roles=["owner"])


@pytest.fixture
def ben():
    return make_user("ben")


def page_of(organization: Organization) -> str:
    return f"{LIST}{organization.pk}/"


def add_group(organization: Organization, name: str = "builders", allowance: int = 5) -> Group:
    return Group.objects.create(organization=organization, name=name, quota_allowance=allowance)


def member_page(organization: Organization, user, deed: str) -> str:
    return f"{page_of(organization)}members/{user.pk}/{deed}"


EVERYBODY = {
    "owner": 200,
    "template admin": 200,
    "user admin": 200,
    "auditor": 200,
    "organization admin": 200,
    "member": 200,
    "member elsewhere": 404,
    "stranger": 302,
}


@pytest.mark.parametrize(("kind", "status"), EVERYBODY.items())
def test_an_organization_is_for_its_members_and_for_who_may_read_all(home, kind, status):
    assert visitor(kind).get(page_of(home)).status_code == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [*((kind, 200) for kind in EVERYBODY if kind != "stranger"), ("stranger", 302)],
)
def test_the_list_shows_each_their_own(home, kind, status):
    elsewhere = make_organization("faraway")

    response = visitor(kind).get(LIST)

    assert response.status_code == status
    reads_all = kind in ("owner", "template admin", "user admin", "auditor")
    assert (page_of(elsewhere) in response.text) == reads_all


def test_a_plain_member_sees_neither_the_other_members_nor_the_groups(home, owner, ben):
    add_group(home)

    text = client_of(ben).get(page_of(home)).text

    assert "ben" in text
    assert "olga" not in text
    assert "builders" not in text
    assert (
        client_of(ben).get(f"/groups/{Group.objects.get(name='builders').pk}/").status_code == 404
    )


def test_the_page_shows_members_with_their_roles_and_groups_with_their_allowance(home, owner):
    admin_of(home)
    add_group(home, allowance=1234)

    text = text_of(client_of(owner).get(page_of(home)))

    assert "Organization admin" in text
    assert "1,234" in text
    assert "Edit allowance" in text


def test_the_prebuilds_user_is_not_listed_as_a_member(home, owner):
    response = client_of(owner).get(page_of(home))

    assert [one.membership.user for one in response.context["members"]] == [owner]


def test_an_organization_that_is_none_is_not_found(owner):
    assert client_of(owner).get(f"{LIST}{uuid4()}/").status_code == 404
    assert client_of(owner).get(f"/groups/{uuid4()}/").status_code == 404


CHANGES = {
    "owner": 200,
    "user admin": 200,
    "organization admin": 200,
    "template admin": 403,
    "auditor": 403,
    "member elsewhere": 404,
    "stranger": 302,
}


@pytest.mark.parametrize(("kind", "status"), CHANGES.items())
def test_only_who_administers_members_and_groups_may_change_them(home, ben, kind, status):
    group = add_group(home)
    group.members.add(ben)
    client = visitor(kind)

    for address in (
        f"{page_of(home)}members/new",
        member_page(home, ben, "roles"),
        member_page(home, ben, "remove"),
        f"{page_of(home)}groups/new",
        f"/groups/{group.pk}/edit",
        f"/groups/{group.pk}/delete",
        f"/groups/{group.pk}/people/new",
        f"/groups/{group.pk}/people/{ben.pk}/remove",
    ):
        assert client.get(address).status_code == status, address
        if status != 200:
            assert client.post(address, {"username": "ben"}).status_code == status, address
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(("kind", "status"), [("member", 403), ("owner", 200), ("auditor", 403)])
def test_a_plain_member_changes_nothing(home, kind, status):
    client = visitor(kind)

    for address in (f"{page_of(home)}edit", f"{page_of(home)}members/new", f"{LIST}new"):
        assert client.get(address).status_code == status, address


def test_a_new_organization_is_administered_by_who_made_it(owner):
    response = client_of(owner).post(f"{LIST}new", {"name": "lab", "display_name": "The lab"})

    made = Organization.objects.get(name="lab")
    assert response["Location"] == LIST
    assert made.memberships.get(user=owner).roles == ["organization-admin"]


def test_a_name_in_use_stands_at_its_input(owner, home):
    response = client_of(owner).post(f"{LIST}new", {"name": home.name.upper()})

    assert response.status_code == 422
    assert 'id="field-name_error"' in response.text
    assert "is in use" in response.text


def test_an_organization_is_renamed(owner, home):
    client_of(owner).post(f"{page_of(home)}edit", {"name": home.name, "display_name": "<b>H</b>"})

    home.refresh_from_db()
    assert home.display_name == "<b>H</b>"
    assert "&lt;b&gt;H&lt;/b&gt;" in client_of(owner).get(page_of(home)).text
    assert "<b>H</b>" not in client_of(owner).get(page_of(home)).text


def test_somebody_is_added_by_user_name(home, owner):
    make_user("zoe", organization=make_organization())

    client_of(owner).post(f"{page_of(home)}members/new", {"username": "ZOE"})

    assert home.memberships.filter(user__username="zoe", roles=[]).exists()


@pytest.mark.parametrize(("username", "words"), [("nobody", "nobody called"), ("ben", "in use")])
def test_who_cannot_be_added_is_said_at_the_input(home, owner, ben, username, words):
    response = client_of(owner).post(f"{page_of(home)}members/new", {"username": username})

    assert response.status_code == 422
    assert words in response.text


def test_an_organization_admin_adds_only_whom_they_may_know(home):
    make_user("zoe", organization=make_organization())

    response = client_of(admin_of(home)).post(f"{page_of(home)}members/new", {"username": "zoe"})

    assert response.status_code == 422
    assert not home.memberships.filter(user__username="zoe").exists()


def test_roles_there_are_given_by_who_holds_them(home, ben):
    admin = admin_of(home)

    client_of(admin).post(
        member_page(home, ben, "roles"), {"roles": ["organization-template-admin"]}
    )

    assert home.memberships.get(user=ben).roles == ["organization-template-admin"]
    assert AuditEntry.objects.get(action="set_roles").actor == admin


def test_a_role_above_ones_own_is_neither_offered_nor_given_nor_lost(home, ben):
    """A user admin reads no templates, so may not make somebody administer them."""
    Membership.objects.filter(user=ben).update(roles=["organization-admin"])
    client = visitor("user admin")

    form = client.get(member_page(home, ben, "roles")).text
    unknown = client.post(member_page(home, ben, "roles"), {"roles": ["organization-admin"]})
    client.post(member_page(home, ben, "roles"), {"roles": []})

    assert 'value="organization-admin"' not in form
    assert unknown.status_code == 422
    assert home.memberships.get(user=ben).roles == ["organization-admin"]


def test_nobody_changes_their_own_roles_there(home):
    admin = admin_of(home)

    response = client_of(admin).post(member_page(home, admin, "roles"), {"roles": []})

    assert response.status_code == 403
    assert home.memberships.get(user=admin).roles == ["organization-admin"]


def test_a_removal_says_what_it_takes_and_goes_back_to_where_one_was(home, owner, ben):
    allow(ben, 3)
    make_workspace(ben, template=make_template())
    client = client_of(owner)
    back = f"/people/{ben.pk}/"

    plan = text_of(client.get(member_page(home, ben, "remove")))
    response = client.post(member_page(home, ben, "remove"), {"back": back})

    assert "they leave 1 group there" in plan
    assert "their 1 workspace there stays, but they cannot open it any more" in plan
    assert response["Location"] == back
    assert not home.memberships.filter(user=ben).exists()


def test_a_group_is_made_edited_and_deleted(home, owner):
    client = client_of(owner)

    client.post(f"{page_of(home)}groups/new", {"name": "builders", "quota_allowance": "7"})
    group = Group.objects.get(name="builders")
    edited = client.post(f"/groups/{group.pk}/edit", {"name": "builders", "quota_allowance": "12"})
    group.refresh_from_db()

    assert edited["Location"] == f"/groups/{group.pk}/"
    assert group.quota_allowance == 12
    plan = client.get(f"/groups/{group.pk}/delete").text
    assert "It has 0 people; each loses 12 of allowance a day" in plan
    client.post(f"/groups/{group.pk}/delete")
    assert not Group.objects.filter(pk=group.pk).exists()


@pytest.mark.parametrize("allowance", ["-1", "many", "99999999999"])
def test_an_allowance_that_cannot_be_is_refused_at_its_input(home, owner, allowance):
    group = add_group(home)

    response = client_of(owner).post(
        f"/groups/{group.pk}/edit", {"name": "builders", "quota_allowance": allowance}
    )

    group.refresh_from_db()
    assert response.status_code == 422
    assert 'id="field-quota_allowance_error"' in response.text
    assert group.quota_allowance == 5


def test_people_are_put_into_a_group_and_taken_out(home, owner, ben):
    group = add_group(home)
    client = client_of(owner)

    client.post(f"/groups/{group.pk}/people/new", {"username": "ben"})
    assert list(group.members.all()) == [ben]
    plan = client.get(f"/groups/{group.pk}/people/{ben.pk}/remove").text
    client.post(f"/groups/{group.pk}/people/{ben.pk}/remove")

    assert "They may spend 5 a day less" in plan
    assert not group.members.exists()


def test_only_members_of_the_organization_come_into_its_groups(home, owner):
    group = add_group(home)
    make_user("zoe", organization=make_organization())

    response = client_of(owner).post(f"/groups/{group.pk}/people/new", {"username": "zoe"})

    assert response.status_code == 422
    assert not group.members.exists()


def test_the_prebuilds_group_says_what_it_is_for_and_cannot_be_deleted(home, owner):
    group = add_group(home, "coderprebuiltworkspaces")
    group.memberships.create(user_id=PREBUILDS_USER_ID)
    client = client_of(owner)

    page = client.get(f"/groups/{group.pk}/").text
    client.post(f"/groups/{group.pk}/delete")

    assert "what all pools of the organization together may cost a day" in page
    assert f"/groups/{group.pk}/delete" not in page
    assert Group.objects.filter(pk=group.pk).exists()


def test_the_pages_cost_the_same_however_many_members_there_are(
    home, owner, ben, django_assert_max_num_queries
):
    group = add_group(home)
    for number in range(40):
        group.members.add(make_user())
        add_group(home, f"group-{number}")
    client = client_of(owner)

    with django_assert_max_num_queries(6):
        client.get(LIST)
    with django_assert_max_num_queries(9):
        client.get(page_of(home))
    with django_assert_max_num_queries(6):
        client.get(f"/groups/{group.pk}/")
