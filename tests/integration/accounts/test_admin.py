"""People in the admin: passwords and roles, nobody rises by it, the system user stays as it is."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import OrganizationRole, SiteRole, TokenScope
from accounts.models import (
    AuditEntry,
    Group,
    GroupMembership,
    Membership,
    Organization,
    Token,
    User,
)
from accounts.services import create_token, ensure_prebuilds_membership
from accounts.system import PREBUILDS_USER_ID
from tests.factories import default_organization, make_organization, make_user

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a long enough passphrase"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner() -> Client:
    return client_of(make_user("olga", roles=[SiteRole.OWNER]))


@pytest.fixture
def user_admin() -> Client:
    return client_of(make_user("uma", roles=[SiteRole.USER_ADMIN]))


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:accounts_{name}", args=args)


def person(user: User, **changes: Any) -> dict[str, Any]:
    """Return what the browser sends for a user, with changes."""
    sent = {"username": user.username, "name": user.name, "email": user.email, "is_active": "on"}
    return sent | {"roles": user.roles} | changes


def errors_of(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


@pytest.mark.parametrize(
    ("roles", "organization_roles", "staff"),
    [
        ([], [], False),
        ([SiteRole.AUDITOR], [], True),
        ([], [OrganizationRole.AUDITOR], True),
    ],
)
def test_a_role_opens_the_admin(roles: Any, organization_roles: Any, staff: bool) -> None:
    user = make_user(roles=roles, organization_roles=organization_roles)

    assert user.is_staff is staff


def test_only_an_owner_opens_pages_that_libraries_bring() -> None:
    assert make_user(roles=[SiteRole.OWNER]).has_module_perms("anything")
    assert not make_user(roles=[SiteRole.TEMPLATE_ADMIN]).has_perm("anything.view")


def test_a_person_is_made_with_a_password_and_given_roles(owner: Client) -> None:
    made = owner.post(
        page("user_add"),
        {
            "username": "ana",
            "name": "Ana",
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
    )
    ana = User.objects.get(username="ana")
    changed = owner.post(page("user_change", ana.pk), person(ana, roles=["auditor", "user-admin"]))
    ana.refresh_from_db()

    assert made["Location"] == page("user_change", ana.pk)
    assert changed.status_code == 302
    assert ana.check_password(NEW_PASSWORD)
    assert sorted(ana.roles) == ["auditor", "user-admin"]


def test_a_person_can_be_made_without_a_password(owner: Client) -> None:
    owner.post(page("user_add"), {"username": "robot", "usable_password": "false"})

    assert not User.objects.get(username="robot").has_usable_password()


@pytest.mark.parametrize("name", ["ANA", "Prebuilds", "no spaces", "-dash"])
def test_a_name_that_is_taken_or_unfit_is_refused_at_its_field(owner: Client, name: str) -> None:
    make_user("ana")

    response = owner.post(page("user_add"), {"username": name, "usable_password": "false"})

    assert "username" in errors_of(response)


def test_renaming_to_a_taken_name_is_refused_at_its_field(owner: Client) -> None:
    ana, ben = make_user("ana"), make_user("ben")

    response = owner.post(page("user_change", ben.pk), person(ben, username="Ana"))

    assert list(errors_of(response)) == ["username"]
    assert ana.username == "ana"


def test_ones_own_password_is_changed_on_ones_own_page_where_tokens_end(owner: Client) -> None:
    fields = ("old_password", "new_password1", "new_password2")
    olga = User.objects.get(username="olga")
    before = olga.password

    for answer in (
        owner.get(reverse("admin:password_change")),
        owner.post(reverse("admin:password_change"), dict.fromkeys(fields, NEW_PASSWORD)),
    ):
        assert (answer.status_code, answer["Location"]) == (302, "/account/password")
    olga.refresh_from_db()
    assert olga.password == before


def test_a_password_is_set_for_somebody_else(owner: Client) -> None:
    ana = make_user("ana", password="old")

    owner.post(
        reverse("admin:auth_user_password_change", args=[ana.pk]),
        {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    ana.refresh_from_db()
    assert ana.check_password(NEW_PASSWORD)


def test_the_system_user_is_seen_and_cannot_be_changed(owner: Client) -> None:
    password = reverse("admin:auth_user_password_change", args=[PREBUILDS_USER_ID])

    assert "prebuilds" in owner.get(page("user_changelist")).text
    assert owner.get(page("user_change", PREBUILDS_USER_ID)).status_code == 200
    assert owner.post(page("user_change", PREBUILDS_USER_ID), {}).status_code == 403
    assert owner.post(page("user_delete", PREBUILDS_USER_ID), {"post": "yes"}).status_code == 403
    assert owner.post(password, {}).status_code == 403


def test_the_system_user_survives_the_deletion_of_everybody_selected(owner: Client) -> None:
    ana = make_user("ana")
    chosen = {"action": "delete_selected", "_selected_action": [ana.pk, PREBUILDS_USER_ID]}

    response = owner.post(page("user_changelist"), chosen | {"post": "yes"})

    assert response.status_code == 403
    assert User.with_system.filter(pk__in=[ana.pk, PREBUILDS_USER_ID]).count() == 2


def test_the_rows_that_tie_the_system_user_stay(owner: Client) -> None:
    ensure_prebuilds_membership([default_organization().pk])
    membership = Membership.objects.get(user_id=PREBUILDS_USER_ID)
    in_group = GroupMembership.objects.get(user_id=PREBUILDS_USER_ID)

    for name, row in (("membership", membership), ("groupmembership", in_group)):
        assert owner.get(page(f"{name}_change", row.pk)).status_code == 200
        assert owner.post(page(f"{name}_change", row.pk), {}).status_code == 403
        assert owner.post(page(f"{name}_delete", row.pk), {"post": "yes"}).status_code == 403


def test_a_user_admin_gives_no_role_above_their_own(user_admin: Client) -> None:
    ana = make_user("ana")

    response = user_admin.post(page("user_change", ana.pk), person(ana, roles=["owner"]))

    ana.refresh_from_db()
    assert "roles" in errors_of(response)
    assert ana.roles == []


def test_a_user_admin_does_not_touch_an_owner(user_admin: Client) -> None:
    olga = make_user("olga", roles=[SiteRole.OWNER], password="old")
    password = reverse("admin:auth_user_password_change", args=[olga.pk])

    assert user_admin.get(page("user_change", olga.pk)).status_code == 200
    assert user_admin.post(page("user_change", olga.pk), person(olga)).status_code == 403
    assert user_admin.post(password, {"password1": "x", "password2": "x"}).status_code == 403
    assert user_admin.post(page("user_delete", olga.pk), {"post": "yes"}).status_code == 403


def test_nobody_demotes_or_deletes_themselves(owner: Client) -> None:
    olga = User.objects.get(username="olga")

    owner.post(page("user_change", olga.pk), person(olga, roles=[], name="Olga"))
    deleted = owner.post(page("user_delete", olga.pk), {"post": "yes"})

    olga.refresh_from_db()
    assert (olga.name, olga.roles) == ("Olga", [SiteRole.OWNER])
    assert deleted.status_code == 403


def test_a_person_who_left_no_trace_can_be_deleted_with_their_tokens(user_admin: Client) -> None:
    ana = make_user("ana")
    create_token(user=ana, name="t", scope=TokenScope.USE, expires_at=None, now=timezone.now())

    response = user_admin.post(page("user_delete", ana.pk), {"post": "yes"})

    assert response.status_code == 302
    assert not User.objects.filter(pk=ana.pk).exists()


def test_whoever_deletes_people_is_written_down(user_admin: Client) -> None:
    ana, ben = make_user("ana"), make_user("ben")
    chosen = {"action": "delete_selected", "_selected_action": [ben.pk], "post": "yes"}

    user_admin.post(page("user_delete", ana.pk), {"post": "yes"})
    user_admin.post(page("user_changelist"), chosen)

    entries = AuditEntry.objects.filter(action="delete", object_type="user").order_by("pk")
    assert [(one.object_id, one.object_label, one.actor.username) for one in entries] == [
        (str(ana.pk), "ana", "uma"),
        (str(ben.pk), "ben", "uma"),
    ]
    assert entries[0].before["username"] == "ana"


def test_somebody_without_permission_to_change_sees_no_password() -> None:
    ana = make_user("ana", password="secret")

    text = client_of(make_user(roles=[SiteRole.AUDITOR])).get(page("user_change", ana.pk)).text

    assert ana.password not in text
    assert "field-password" not in text


def test_an_organization_admin_gives_roles_in_their_organization_only() -> None:
    theirs, other = make_organization(), make_organization()
    admin = make_user(organization=theirs, organization_roles=[OrganizationRole.ADMIN])
    Membership.objects.create(organization=other, user=admin)
    ana = make_user(organization=theirs)
    here, there = ana.memberships.get(), admin.memberships.get(organization=other)
    client = client_of(admin)

    given = client.post(page("membership_change", here.pk), {"roles": [OrganizationRole.AUDITOR]})
    taken = client.post(page("membership_change", there.pk), {"roles": [OrganizationRole.ADMIN]})
    added = client.post(page("membership_add"), {"organization": other.pk, "user": ana.pk})

    here.refresh_from_db()
    there.refresh_from_db()
    assert given.status_code == 302
    assert here.roles == [OrganizationRole.AUDITOR]
    assert taken["Location"] == reverse("admin:index")  # as if there were no such row
    assert there.roles == []
    assert added.status_code == 403


def test_a_second_membership_is_refused_at_its_field(owner: Client) -> None:
    ana = make_user("ana")

    response = owner.post(
        page("membership_add"), {"organization": default_organization().pk, "user": ana.pk}
    )

    assert list(errors_of(response)) == ["user"]


def test_the_search_for_a_member_offers_people_only(owner: Client) -> None:
    make_user("prebuilder")
    found = owner.get(
        reverse("admin:autocomplete"),
        {"app_label": "accounts", "model_name": "membership", "field_name": "user", "term": "preb"},
    ).json()["results"]
    names = [each["text"] for each in found]

    response = owner.post(
        page("membership_add"),
        {"organization": make_organization().pk, "user": PREBUILDS_USER_ID},
    )

    assert "prebuilder" in names
    assert "user" in errors_of(response)


def test_a_quota_is_changed_and_a_name_stays_unique(owner: Client) -> None:
    organization = default_organization()
    Group.objects.create(organization=organization, name="builders")
    group = Group.objects.create(organization=organization, name="testers")

    saved = owner.post(page("group_change", group.pk), {"name": "testers", "quota_allowance": "40"})
    taken = owner.post(
        page("group_change", group.pk), {"name": "Builders", "quota_allowance": "41"}
    )

    group.refresh_from_db()
    assert saved.status_code == 302
    assert group.quota_allowance == 40
    assert list(errors_of(taken)) == ["name"]


def test_only_members_of_the_organization_join_its_groups(owner: Client) -> None:
    group = Group.objects.create(organization=make_organization(), name="builders")
    ana = make_user("ana")

    response = owner.post(page("groupmembership_add"), {"group": group.pk, "user": ana.pk})

    assert list(errors_of(response)) == ["user"]


def test_an_organization_is_made_and_never_deleted(owner: Client) -> None:
    made = owner.post(page("organization_add"), {"name": "acme", "display_name": "Acme"})
    acme = Organization.objects.get(name="acme")
    again = owner.post(page("organization_add"), {"name": "ACME", "display_name": ""})

    assert made.status_code == 302
    assert list(errors_of(again)) == ["name"]
    assert owner.post(page("organization_delete", acme.pk), {"post": "yes"}).status_code == 403


def token_of(user: User) -> Token:
    return create_token(
        user=user, name="t", scope=TokenScope.USE, expires_at=None, now=timezone.now()
    )[0]


def revoke(client: Client, token: Token) -> int:
    chosen = {"action": "revoke", "_selected_action": [token.pk]}
    return client.post(page("token_changelist"), chosen).status_code


def test_a_token_is_revoked_and_stays_as_a_record(owner: Client) -> None:
    token = token_of(make_user("ana"))

    revoke(owner, token)

    token.refresh_from_db()
    assert token.revoked_at is not None


def test_a_token_above_ones_own_role_or_without_the_permission_is_not_revoked(
    user_admin: Client,
) -> None:
    token = token_of(make_user(roles=[SiteRole.OWNER]))

    assert revoke(user_admin, token) == 403
    revoke(client_of(make_user(roles=[SiteRole.AUDITOR])), token)

    token.refresh_from_db()
    assert token.revoked_at is None


def test_changes_of_people_leave_audit_entries(owner: Client) -> None:
    ana = make_user("ana", roles=[SiteRole.AUDITOR])

    owner.post(page("user_change", ana.pk), person(ana, name="Ana", roles=[], is_active=""))

    entries = AuditEntry.objects.order_by("pk").values_list("action", "before", "after")
    assert list(entries) == [
        ("update", {"name": ""}, {"name": "Ana"}),
        ("suspend", {"status": "active"}, {"status": "suspended", "tokens_revoked": 0}),
        ("set_roles", {"roles": ["auditor"]}, {"roles": []}),
    ]


def test_a_password_set_here_ends_the_tokens(owner: Client) -> None:
    ana = make_user("ana")
    token = token_of(ana)
    form = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": "another"}
    address = reverse("admin:auth_user_password_change", args=[ana.pk])

    owner.post(address, form)
    token.refresh_from_db()
    revoked_by_a_typing_error = token.revoked_at
    owner.post(address, form | {"password2": NEW_PASSWORD})

    token.refresh_from_db()
    assert revoked_by_a_typing_error is None
    assert token.revoked_at is not None
    assert AuditEntry.objects.filter(action="set_password").count() == 1


def test_what_a_service_refuses_is_said_and_nothing_is_half_done(owner: Client) -> None:
    olga = User.objects.get(username="olga")
    mine = Membership.objects.get(user=olga)

    response = owner.post(
        page("membership_change", mine.pk), {"roles": [OrganizationRole.AUDITOR]}, follow=True
    )

    mine.refresh_from_db()
    assert mine.roles == []
    assert "Nobody changes their own roles." in response.text


def test_the_prebuilds_group_keeps_its_name_and_gets_an_allowance(owner: Client) -> None:
    ensure_prebuilds_membership([default_organization().pk])
    group = Group.objects.get()

    owner.post(page("group_change", group.pk), {"name": "other", "quota_allowance": "9"})
    deleted = owner.post(page("group_delete", group.pk), {"post": "yes"})

    group.refresh_from_db()
    assert (group.name, group.quota_allowance) == ("coderprebuiltworkspaces", 9)
    assert deleted.status_code == 403


def test_who_leaves_an_organization_leaves_its_groups(owner: Client) -> None:
    ana = make_user("ana")
    group = Group.objects.create(organization=default_organization(), name="builders")
    added = owner.post(page("groupmembership_add"), {"group": group.pk, "user": ana.pk})

    owner.post(page("membership_delete", ana.memberships.get().pk), {"post": "yes"})

    assert added.status_code == 302
    assert not GroupMembership.objects.filter(user=ana).exists()
    assert AuditEntry.objects.filter(action="remove").exists()


def test_a_user_admin_does_not_set_the_password_of_an_organization_admin(
    user_admin: Client,
) -> None:
    boss = make_user("boss", organization_roles=[OrganizationRole.ADMIN], password="old")
    address = reverse("admin:auth_user_password_change", args=[boss.pk])

    response = user_admin.post(
        address,
        {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    boss.refresh_from_db()
    assert response.status_code == 403
    assert boss.check_password("old")
