"""Changes of people at the same instant: an owner stays, edits are seen, names stay unique."""

from functools import partial

import pytest

from accounts import selectors
from accounts.audit import AT_THE_SHELL, Actor
from accounts.enums import AuditSource, TokenScope
from accounts.errors import AccountsError, LastOwner, NotAMember, Taken
from accounts.models import Group, GroupMembership, Token, User
from accounts.services import groups, organizations, tokens, users
from tests.concurrency.racing import blocked_by, errors, race
from tests.factories import NOON, default_organization, make_user

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 6
BY_SHELL = {"actor": AT_THE_SHELL, "now": NOON}


class Stale(Exception):
    """Raised by a check that finds another state than the one that was read."""


def suspend(user, by=AT_THE_SHELL):
    return users.suspend_user(user_id=user.pk, actor=by, now=NOON)


def demote(user):
    return users.set_roles(user_id=user.pk, roles=[], **BY_SHELL)


@pytest.mark.parametrize("first", [suspend, demote])
@pytest.mark.parametrize("second", [suspend, demote])
def test_of_two_owners_who_go_at_once_one_stays(first, second):
    for _ in range(ROUNDS):
        User.objects.all().update(is_active=False)
        olga, oscar = make_user(roles=["owner"]), make_user(roles=["owner"])

        outcomes = race(partial(first, olga), partial(second, oscar))

        (refused,) = errors(outcomes)
        assert isinstance(refused, LastOwner)
        assert User.objects.filter(is_active=True, roles__contains=["owner"]).count() == 1


def test_two_owners_who_suspend_each_other_are_not_both_out():
    olga, oscar = make_user(roles=["owner"]), make_user(roles=["owner"])
    acts = [
        partial(suspend, victim, by=Actor(user=by, source=AuditSource.API))
        for victim, by in ((olga, oscar), (oscar, olga))
    ]

    outcomes = race(*acts)

    assert len(errors(outcomes)) == 1
    assert isinstance(errors(outcomes)[0], AccountsError)
    assert User.objects.filter(is_active=True).count() == 1


def test_the_second_of_two_editors_sees_the_state_the_first_left():
    group = Group.objects.create(organization=default_organization(), name="builders")
    seen = selectors.mark_of_group(group)

    def edit(**change):
        def check(row):
            if selectors.mark_of_group(row) != seen:
                raise Stale

        return groups.update_group(
            group_id=group.pk, change=groups.GroupChange(**change), check=check, **BY_SHELL
        )

    with pytest.raises(Stale):
        blocked_by(partial(edit, quota_allowance=5), partial(edit, quota_allowance=9))

    group.refresh_from_db()
    assert group.quota_allowance == 5


def test_who_leaves_the_organization_is_not_put_into_a_group_meanwhile():
    ana, home = make_user(), default_organization()
    group = Group.objects.create(organization=home, name="builders")

    def leave():
        organizations.remove_member(organization_id=home.pk, user_id=ana.pk, **BY_SHELL)

    def join():
        change = groups.GroupChange(add_users=[ana.pk])
        groups.update_group(group_id=group.pk, change=change, **BY_SHELL)

    with pytest.raises(NotAMember):
        blocked_by(leave, join)

    assert not GroupMembership.objects.exists()


def test_who_is_put_into_a_group_while_leaving_is_out_of_both():
    ana, home = make_user(), default_organization()
    group = Group.objects.create(organization=home, name="builders")

    def leave():
        organizations.remove_member(organization_id=home.pk, user_id=ana.pk, **BY_SHELL)

    def join():
        change = groups.GroupChange(add_users=[ana.pk])
        groups.update_group(group_id=group.pk, change=change, **BY_SHELL)

    blocked_by(join, leave)

    assert not GroupMembership.objects.exists()


def test_two_tokens_of_one_name_at_once_are_one():
    ana = make_user()

    def make():
        return tokens.create_token(
            user=ana, name="ci", scope=TokenScope.USE, expires_at=None, now=NOON
        )

    outcomes = race(*[make] * 4)

    assert [type(one) for one in errors(outcomes)] == [Taken] * 3
    assert Token.objects.count() == 1
