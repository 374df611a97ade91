"""The pages of people: who sees whom, who may change whom, and what a change leaves behind."""

import csv
import io
from uuid import uuid4

import pytest

from accounts.models import AuditEntry, Token, User
from accounts.system import PREBUILDS_USER_ID
from tests.factories import default_organization, make_organization, make_user
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor

pytestmark = pytest.mark.django_db

LIST = "/people/"
GOOD_PASSWORD = "quite-Unusual-42"


def page_of(user: User) -> str:
    return f"{LIST}{user.pk}/"


def names(response) -> list[str]:
    return [row.person.username for row in response.context["rows"]]


@pytest.fixture
def owner():
    return make_user("olga", roles=["owner"])


@pytest.fixture
def ben():
    return make_user("ben", organization=default_organization())


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("template admin", 200),
        ("user admin", 200),
        ("auditor", 200),
        ("organization admin", 200),
        ("member", 404),
        ("stranger", 302),
    ],
)
def test_the_list_is_for_who_may_read_people(kind, status):
    assert visitor(kind).get(LIST).status_code == status


def test_the_list_shows_people_with_roles_and_organizations_but_not_the_prebuilds_user(owner, ben):
    response = client_of(owner).get(LIST)

    text = text_of(response)
    assert names(response) == ["ben", "olga"]
    assert "Owner" in text
    assert str(default_organization()) in text
    assert str(PREBUILDS_USER_ID) not in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=BE", ["ben"]),
        ("q=limoges", ["ben"]),
        ("role=owner", ["olga"]),
        ("role=none", ["ben", "ida"]),
        ("status=suspended", ["ida"]),
        ("status=active&q=i", ["ben"]),
        ("q=%00ben", ["ben"]),
        ("sort=-name", ["olga", "ida", "ben"]),
    ],
)
def test_people_are_found_by_name_address_role_and_status(owner, ben, query, found):
    User.objects.filter(pk=ben.pk).update(email="b@limoges.example")
    User.objects.filter(pk=make_user("ida").pk).update(is_active=False)

    assert names(client_of(owner).get(f"{LIST}?{query}")) == found


def test_an_organization_admin_sees_only_the_members(owner, ben):
    elsewhere = make_organization()
    make_user("zoe", organization=elsewhere)
    admin = make_user("ada", organization=elsewhere, organization_roles=["organization-admin"])

    client = client_of(admin)

    assert names(client.get(LIST)) == ["ada", "zoe"]
    assert client.get(page_of(ben)).status_code == 404


def test_an_export_holds_everybody_who_matches(owner):
    for number in range(60):
        make_user(f"person-{number:02}")

    response = client_of(owner).get(f"{LIST}?q=person&format=csv")

    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert len(rows) == 60
    assert rows[0]["username"] == "person-00"
    assert rows[0]["organizations"] == str(default_organization())


def test_a_name_is_text_whatever_it_looks_like(owner, ben):
    User.objects.filter(pk=ben.pk).update(name="<b>Ben</b>")

    for address in (LIST, page_of(ben)):
        text = client_of(owner).get(address).text
        assert "<b>Ben</b>" not in text
        assert "&lt;b&gt;Ben&lt;/b&gt;" in text


def test_a_person_that_is_none_is_not_found(owner):
    assert client_of(owner).get(f"{LIST}{uuid4()}/").status_code == 404
    assert client_of(owner).get(f"{LIST}{PREBUILDS_USER_ID}/").status_code == 404


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("user admin", 200),
        ("template admin", 403),
        ("auditor", 403),
        ("organization admin", 403),
        ("member", 404),
        ("stranger", 302),
    ],
)
@pytest.mark.parametrize("deed", ["edit", "roles", "password", "suspend", "activate"])
def test_only_who_may_change_people_is_offered_a_change(ben, kind, status, deed):
    client = visitor(kind)

    assert client.get(f"{page_of(ben)}{deed}").status_code == status
    assert client.post(f"{page_of(ben)}{deed}", {}).status_code != 500
    if status != 200:
        assert not AuditEntry.objects.exists()
        if status == 403:
            assert f"{page_of(ben)}{deed}" not in client.get(page_of(ben)).text


@pytest.mark.parametrize(
    ("kind", "status"),
    [("owner", 200), ("user admin", 200), ("template admin", 403), ("auditor", 403),
     ("organization admin", 403), ("member", 404), ("stranger", 302)],
)  # fmt: skip
def test_only_who_may_make_people_gets_the_form(kind, status):
    assert visitor(kind).get(f"{LIST}new").status_code == status


def test_a_new_person_is_a_member_where_one_said_and_can_sign_in(owner, client):
    home = default_organization()

    response = client_of(owner).post(
        f"{LIST}new",
        {
            "username": "eva",
            "email": "eva@example.org",
            "password": GOOD_PASSWORD,
            "roles": ["auditor"],
            "organizations": [str(home.pk)],
        },
    )

    made = User.objects.get(username="eva")
    assert response["Location"] == LIST
    assert (made.roles, made.memberships.get().organization) == (["auditor"], home)
    assert client.login(username="eva", password=GOOD_PASSWORD)
    entry = AuditEntry.objects.get(action="create")
    assert (entry.actor, entry.source, entry.object_id) == (owner, "page", str(made.pk))
    assert GOOD_PASSWORD not in str(entry.after)


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"username": "BEN"}, "username", "is in use"),
        ({"username": "-x"}, "username", "Use letters"),
        ({"username": "eva", "email": "no"}, "email", "valid email"),
        ({"username": "eva", "password": "12345"}, "password", "too short"),
        ({"username": "eva", "roles": ["emperor"]}, "roles", "not one of"),
    ],
)
def test_what_is_wrong_with_a_new_person_stands_at_its_input(owner, ben, given, field, words):
    response = client_of(owner).post(f"{LIST}new", given)

    assert response.status_code == 422
    text = text_of(response)
    assert words in text
    assert f'id="field-{field}_error"' in text
    assert not User.objects.filter(username__in=("eva", "-x")).exists()


def test_a_user_admin_can_make_no_owner_and_is_not_offered_it():
    client = visitor("user admin")

    form = client.get(f"{LIST}new").text
    response = client.post(f"{LIST}new", {"username": "eva", "roles": ["owner"]})

    assert 'value="user-admin"' in form
    assert 'value="owner"' not in form
    assert response.status_code == 422
    assert not User.objects.filter(username="eva").exists()


def test_an_edit_renames_and_says_so(owner, ben):
    client = client_of(owner)

    response = client.post(
        f"{page_of(ben)}edit", {"username": "benno", "name": "Ben O.", "email": "b@example.org"}
    )

    ben.refresh_from_db()
    assert response["Location"] == page_of(ben)
    assert (ben.username, ben.name, ben.email) == ("benno", "Ben O.", "b@example.org")
    assert "benno is changed." in client.get(page_of(ben)).text


def test_the_second_of_two_editors_is_told(owner, ben):
    client = client_of(owner)
    mark = client.get(f"{page_of(ben)}edit").context["form"]["mark"].value()
    User.objects.filter(pk=ben.pk).update(name="Benjamin")

    response = client.post(f"{page_of(ben)}edit", {"username": "ben", "name": "B.", "mark": mark})

    ben.refresh_from_db()
    assert response.status_code == 422
    assert "Somebody else changed this" in response.text
    assert ben.name == "Benjamin"


def test_roles_one_may_not_give_stay_as_they_are(ben):
    """A user admin may not change an owner at all, nor see the role to give."""
    User.objects.filter(pk=ben.pk).update(roles=["user-admin"])
    client = visitor("user admin")

    form = client.get(f"{page_of(ben)}roles").text
    client.post(f"{page_of(ben)}roles", {"roles": []})

    ben.refresh_from_db()
    assert 'value="owner"' not in form
    assert ben.roles == []


def test_nobody_grants_more_than_they_hold(ben):
    response = visitor("user admin").post(f"{page_of(ben)}roles", {"roles": ["owner"]})

    ben.refresh_from_db()
    assert response.status_code == 422
    assert ben.roles == []


@pytest.mark.parametrize("deed", ["edit", "roles", "password", "suspend"])
def test_nobody_changes_a_person_above_themselves(owner, deed):
    client = visitor("user admin")

    assert client.get(f"{page_of(owner)}{deed}").status_code == 403
    assert client.post(f"{page_of(owner)}{deed}", {"password": GOOD_PASSWORD}).status_code == 403
    assert "holds a role above yours" in client.get(page_of(owner)).text


def test_owners_may_give_every_role(owner, ben):
    client_of(owner).post(f"{page_of(ben)}roles", {"roles": ["auditor", "owner"]})

    ben.refresh_from_db()
    assert ben.roles == ["auditor", "owner"]


def test_nobody_changes_their_own_roles_or_suspends_themselves(owner):
    make_user(roles=["owner"])
    client = client_of(owner)

    assert client.post(f"{page_of(owner)}roles", {"roles": []}).status_code == 403
    plan = client.get(f"{page_of(owner)}suspend")
    sent = client.post(f"{page_of(owner)}suspend")

    owner.refresh_from_db()
    assert "Nobody suspends themselves" in plan.text
    assert sent.status_code == 422
    assert owner.is_active
    assert owner.roles == ["owner"]


def test_suspending_shows_its_plan_ends_the_session_and_is_undone_by_letting_in(owner, ben):
    client, other = client_of(owner), client_of(ben)
    Token.objects.create(user=ben, name="ci", digest=b"x" * 32)

    plan = client.get(f"{page_of(ben)}suspend", headers={"HX-Request": "true"})
    client.post(f"{page_of(ben)}suspend")
    suspended = client.get(page_of(ben)).text

    assert "signed out everywhere" in plan.text
    assert "1 API token of theirs ends for good." in plan.text
    assert "<html" not in plan.text
    assert other.get("/account/").status_code == 302
    assert "Let in again" in suspended
    client.post(f"{page_of(ben)}activate")
    ben.refresh_from_db()
    assert ben.is_active


def test_a_password_set_for_somebody_is_checked_and_then_works(owner, ben, client):
    weak = client_of(owner).post(f"{page_of(ben)}password", {"password": "ben"})
    client_of(owner).post(f"{page_of(ben)}password", {"password": GOOD_PASSWORD})

    assert weak.status_code == 422
    assert GOOD_PASSWORD not in weak.text
    assert client.login(username="ben", password=GOOD_PASSWORD)


def test_a_typed_password_is_never_sent_back(owner, ben):
    response = client_of(owner).post(
        f"{LIST}new", {"username": "ben", "password": "a-Secret-nobody-sees-9"}
    )

    assert response.status_code == 422
    assert "a-Secret-nobody-sees-9" not in response.text


def test_ones_own_password_is_changed_on_the_account_page(owner):
    response = client_of(owner).get(f"{page_of(owner)}password")

    assert response["Location"] == "/account/password"


@pytest.mark.parametrize(
    ("kind", "status", "shown"),
    [
        ("owner", 200, True),
        ("user admin", 200, True),
        ("auditor", 403, True),
        ("organization admin", 403, False),
        ("member", 404, False),
    ],
)
def test_somebodys_tokens_are_seen_and_revoked_by_who_may(ben, kind, status, shown):
    token = Token.objects.create(user=ben, name="backup-script", digest=b"x" * 32)
    client, address = visitor(kind), f"{page_of(ben)}tokens/{token.pk}/revoke"

    page = client.get(page_of(ben)).text
    assert ("backup-script" in page) == shown
    assert (address in page) == (status == 200)
    assert client.get(address).status_code == status
    client.post(address)
    token.refresh_from_db()
    assert (token.revoked_at is not None) == (status == 200)


def test_a_person_is_added_to_one_more_organization(owner, ben):
    elsewhere = make_organization("elsewhere")
    client = client_of(owner)

    form = client.get(f"{page_of(ben)}join").text
    client.post(f"{page_of(ben)}join", {"organization": str(elsewhere.pk)})

    assert str(default_organization().pk) not in form
    assert ben.memberships.filter(organization=elsewhere).exists()


def test_the_pages_cost_the_same_however_many_people_there_are(
    owner, ben, django_assert_max_num_queries
):
    for _ in range(40):
        make_user()
    client = client_of(owner)

    with django_assert_max_num_queries(8):
        client.get(LIST)
    with django_assert_max_num_queries(12):
        client.get(page_of(ben))
