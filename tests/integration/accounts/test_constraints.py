"""The database refuses people, organizations and tokens that must not be (semantics.md 1)."""

from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import (
    AuditEntry,
    Group,
    GroupMembership,
    Membership,
    Organization,
    Token,
    User,
)
from accounts.system import PREBUILDS_USER_ID
from tests.factories import NOON, default_organization, make_organization, make_user
from tests.integration.referee import assert_refused, constraints_of, run

pytestmark = pytest.mark.django_db


def system_user(**fields):
    return lambda: User.with_system.filter(pk=PREBUILDS_USER_ID).update(**fields)


def token_of(user_id: UUID, name: str = "ci", **fields) -> Token:
    return Token.objects.create(user_id=user_id, name=name, digest=uuid4().bytes, **fields)


def two_tokens_of_one_name():
    user = make_user()
    token_of(user.pk, "ci")
    token_of(user.pk, "CI")


def two_people_of_one_address():
    User.objects.create_user("dana", email="dana@example.com")
    User.objects.create_user("dora", email="Dana@example.com")


def a_group_twice():
    organization = make_organization()
    Group.objects.create(organization=organization, name="dev")
    Group.objects.create(organization=organization, name="DEV")


def a_group_member_twice():
    group = Group.objects.create(organization=make_organization(), name="dev")
    user = make_user()
    GroupMembership.objects.bulk_create(GroupMembership(group=group, user=user) for _ in range(2))


def a_membership_twice():
    user = make_user()
    Membership.objects.create(user=user, organization=default_organization())


def system_membership_with_a_role():
    Membership.objects.filter(user_id=PREBUILDS_USER_ID).update(roles=["organization-admin"])


def negative_allowance():
    Group.objects.create(organization=make_organization(), name="dev", quota_allowance=-1)


def audit(source: str = "page") -> AuditEntry:
    return AuditEntry.objects.create(
        at=NOON, source=source, action="pause", object_type="x", object_id="1", object_label="X"
    )


REFUSED = [
    ("audit_source_known", lambda: audit(source="dream")),
    ("user_username_unique", lambda: (make_user("dana"), make_user("DANA"))),
    ("user_email_unique", two_people_of_one_address),
    ("user_username_form", lambda: make_user("-dana")),
    ("user_username_form", lambda: make_user("dana smith")),
    ("user_username_form", lambda: make_user("_")),
    ("user_roles_known", lambda: make_user(roles=["emperor"])),
    (
        "user_roles_known",
        lambda: (make_user("dana"), run("UPDATE accounts_user SET roles = '{emperor}'")),
    ),
    ("user_system_is_the_prebuilds_user", system_user(roles=["owner"])),
    ("user_system_is_the_prebuilds_user", system_user(password="md5$a$b")),
    ("user_system_is_the_prebuilds_user", system_user(is_active=True)),
    (
        "user_system_is_the_prebuilds_user",
        lambda: make_user("other") and User.objects.update(is_system=True),
    ),
    (
        "organization_name_unique",
        lambda: (make_organization("acme"), make_organization("Acme")),
    ),
    (
        "organization_one_default",
        lambda: Organization.objects.create(name="second", is_default=True),
    ),
    ("membership_unique", a_membership_twice),
    ("membership_roles_known", lambda: make_user(organization_roles=["emperor"])),
    ("membership_roles_known", lambda: make_user(organization_roles=["owner"])),
    ("membership_system_user_has_no_roles", system_membership_with_a_role),
    ("group_name_unique", a_group_twice),
    ("accounts_group_quota_allowance_check", negative_allowance),
    ("group_membership_unique", a_group_member_twice),
    ("token_name_unique", two_tokens_of_one_name),
    ("token_scope_known", lambda: token_of(make_user().pk, scope="everything")),
    ("token_never_of_the_system_user", lambda: token_of(PREBUILDS_USER_ID)),
]


@pytest.mark.parametrize(("constraint", "attempt"), REFUSED)
def test_the_database_refuses(constraint, attempt):
    assert_refused(constraint, attempt)


def test_every_constraint_of_the_models_is_in_the_table():
    assert constraints_of("accounts") <= {constraint for constraint, _ in REFUSED}


@pytest.mark.parametrize("sql", ["UPDATE {} SET action = 'resume'", "DELETE FROM {}"])
def test_what_was_audited_stays(sql):
    audit()

    assert_refused("audit entries are append-only", lambda: run(sql.format("accounts_auditentry")))


def test_a_revoked_token_gives_its_name_back():
    user = make_user()
    token_of(user.pk, "ci")
    Token.objects.update(revoked_at=user.created_at)

    token_of(user.pk, "ci")

    assert user.tokens.count() == 2


def test_two_organizations_that_are_not_the_default_may_stand_beside_it():
    make_organization()
    make_organization()

    assert Organization.objects.filter(is_default=True).count() == 1


def test_the_system_user_cannot_be_deleted_while_it_owns_workspaces():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
            " AND confrelid = 'accounts_user'::regclass"
            " AND conrelid = 'workspaces_workspace'::regclass AND confdeltype = 'a'"
        )
        (protecting,) = cursor.fetchone()

    assert protecting == 1
