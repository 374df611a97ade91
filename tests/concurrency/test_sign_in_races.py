"""Guessing from many connections at once: all of them together have the tries of one."""

from functools import partial

import pytest

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.errors import TooManyTries, WrongCredentials
from accounts.models import SignInTries
from accounts.services import sign_in
from tests.concurrency.racing import blocked_by, race
from tests.factories import NOON, make_user

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long enough passphrase"


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.PREBUILDS_SIGN_IN_TRIES = 5
    settings.PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS = 30


def knock(password, username="ana", address="192.0.2.1"):
    actor = Actor(user=None, source=AuditSource.PAGE, address=address)
    attempt = sign_in.Attempt(username=username, actor=actor)
    return sign_in.check_password(attempt=attempt, password=password, now=NOON)


def test_at_once_no_more_passwords_are_looked_at_than_one_after_the_other():
    make_user("ana", password=PASSWORD)

    outcomes = race(*[partial(knock, "guess")] * 12)

    kinds = [type(one) for one in outcomes]
    assert kinds.count(WrongCredentials) == 5
    assert kinds.count(TooManyTries) == 7


def test_an_uncommitted_count_of_another_connection_is_waited_for():
    make_user("ana", password=PASSWORD)
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            knock("guess")

    def fail():
        with pytest.raises(WrongCredentials):
            knock("guess")

    blocked_by(fail, fail)

    with pytest.raises(TooManyTries):
        knock(PASSWORD)


def test_many_names_from_one_address_at_once_neither_deadlock_nor_get_more_tries(settings):
    settings.PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS = 6

    outcomes = race(*[partial(knock, "guess", f"name-{number}") for number in range(12)])

    kinds = [type(one) for one in outcomes]
    assert kinds.count(WrongCredentials) == 6
    assert kinds.count(TooManyTries) == 6


def test_people_of_one_address_who_sign_in_at_once_leave_nothing_behind():
    people = [make_user(f"person-{number}", password=PASSWORD) for number in range(8)]

    outcomes = race(*[partial(knock, PASSWORD, each.username) for each in people])

    assert {each.pk for each in outcomes} == {each.pk for each in people}
    assert not SignInTries.objects.exists()
