"""What services about people promise whichever door they are called through."""

import pytest

from accounts.audit import AT_THE_SHELL, Actor
from accounts.enums import AuditSource, TokenScope
from accounts.errors import LastOwner, NotAllowed, NotAMember, OneselfNot, Taken
from accounts.models import AuditEntry, Membership, User
from accounts.services import organizations, tokens, users
from tests.factories import NOON, default_organization, make_organization, make_user

pytestmark = pytest.mark.django_db


def actor_of(user):
    return Actor(user=user, source=AuditSource.COMMAND)


@pytest.fixture
def olga():
    return make_user("olga", roles=["owner"])


class TestTheLastOwner:
    def test_is_not_suspended(self, olga):
        with pytest.raises(LastOwner, match="olga"):
            users.suspend_user(user_id=olga.pk, actor=AT_THE_SHELL, now=NOON)

        olga.refresh_from_db()
        assert olga.is_active
        assert not AuditEntry.objects.exists()

    def test_does_not_lose_the_role(self, olga):
        with pytest.raises(LastOwner):
            users.set_roles(user_id=olga.pk, roles=["auditor"], actor=AT_THE_SHELL, now=NOON)

        olga.refresh_from_db()
        assert olga.roles == ["owner"]

    def test_may_get_further_roles(self, olga):
        users.set_roles(user_id=olga.pk, roles=["owner", "auditor"], actor=AT_THE_SHELL, now=NOON)

        olga.refresh_from_db()
        assert olga.roles == ["auditor", "owner"]

    def test_is_the_last_when_the_others_are_suspended(self, olga):
        oscar = make_user(roles=["owner"])
        users.suspend_user(user_id=oscar.pk, actor=AT_THE_SHELL, now=NOON)

        with pytest.raises(LastOwner):
            users.suspend_user(user_id=olga.pk, actor=AT_THE_SHELL, now=NOON)
        users.set_roles(user_id=oscar.pk, roles=[], actor=AT_THE_SHELL, now=NOON)

    def test_may_go_once_there_is_another(self, olga):
        make_user(roles=["owner"])

        users.suspend_user(user_id=olga.pk, actor=AT_THE_SHELL, now=NOON)

        olga.refresh_from_db()
        assert not olga.is_active


def test_nobody_suspends_themselves_or_whom_they_may_not_change(olga):
    admin = make_user(roles=["user-admin"])

    with pytest.raises(OneselfNot):
        users.suspend_user(user_id=olga.pk, actor=actor_of(olga), now=NOON)
    with pytest.raises(NotAllowed):
        users.suspend_user(user_id=olga.pk, actor=actor_of(admin), now=NOON)


def test_a_person_needs_a_name_of_their_own_beside_the_system_user():
    with pytest.raises(Taken, match='"PREBUILDS" is in use'):
        users.create_user(
            username="PREBUILDS",
            email="",
            name="",
            password=None,
            roles=(),
            organizations=(),
            actor=AT_THE_SHELL,
            now=NOON,
        )


def test_people_without_an_address_do_not_share_one():
    make_user()
    make_user()

    assert User.objects.filter(email="").count() == 2


def test_a_session_ends_when_signed_out_and_not_before(olga):
    before = olga.get_session_auth_hash()

    same = User.objects.get(pk=olga.pk).get_session_auth_hash()
    olga.signed_out_at = NOON

    assert same == before
    assert olga.get_session_auth_hash() != before


def test_who_is_no_member_has_no_roles_to_set(olga):
    far = make_user(organization=make_organization())
    where = {"organization_id": default_organization().pk, "actor": AT_THE_SHELL, "now": NOON}

    with pytest.raises(NotAMember):
        organizations.set_member_roles(user_id=far.pk, roles=["organization-admin"], **where)
    with pytest.raises(NotAMember):
        organizations.remove_member(user_id=far.pk, **where)

    assert Membership.objects.get(user=far).roles == []


def test_a_token_in_place_of_another_leaves_one_that_works(olga):
    made = [
        tokens.replace_token(
            user=olga,
            name=name,
            scope=TokenScope.USE,
            expires_at=None,
            actor=AT_THE_SHELL,
            now=NOON,
        )[0]
        for name in ("ci", "CI")
    ]

    assert list(olga.tokens.filter(revoked_at__isnull=True)) == [made[1]]
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["create", "revoke", "create"]


def test_revoking_twice_is_once(olga):
    token, _ = tokens.create_token(
        user=olga, name="ci", scope=TokenScope.USE, expires_at=None, now=NOON
    )

    done = [tokens.revoke_token(token=token, actor=AT_THE_SHELL, now=NOON) for _ in range(2)]

    assert done == [True, False]
    assert AuditEntry.objects.filter(action="revoke").count() == 1
