"""The system user: there, and hidden unless somebody asks for it by name."""

import pytest
from django.contrib.auth import authenticate
from django.test import Client

from accounts.models import Organization, User
from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME
from tests.factories import default_organization, make_user

pytestmark = pytest.mark.django_db


def test_the_system_user_is_hidden_by_default():
    make_user("dana")

    assert [user.username for user in User.objects.all()] == ["dana"]
    assert not User.objects.filter(pk=PREBUILDS_USER_ID).exists()


def test_the_system_user_shows_with_system():
    make_user("dana")

    found = set(User.with_system.values_list("username", flat=True))

    assert found == {"dana", PREBUILDS_USERNAME}


def test_people_lists_people_only():
    make_user("dana")

    assert [user.username for user in User.with_system.get_queryset().people()] == ["dana"]


def test_the_system_user_is_a_plain_member_of_the_default_organization():
    user = User.with_system.get(pk=PREBUILDS_USER_ID)

    memberships = list(user.memberships.all())

    assert [each.organization for each in memberships] == [default_organization()]
    assert memberships[0].roles == user.roles == []
    assert user.is_system
    assert not user.has_usable_password()


def test_a_row_that_refers_to_the_system_user_still_finds_it():
    membership = Organization.objects.get(is_default=True).memberships.get()

    assert membership.user.username == PREBUILDS_USERNAME


@pytest.mark.parametrize("password", ["", "!unusable", "!"])
def test_the_system_user_cannot_sign_in(password):
    assert authenticate(username=PREBUILDS_USERNAME, password=password) is None
    assert not Client().login(username=PREBUILDS_USERNAME, password=password)


def test_a_person_signs_in_whatever_the_case_of_the_name():
    user = make_user("Dana", password="correct horse")

    assert authenticate(username="dANA", password="correct horse") == user


def test_a_person_without_a_password_cannot_sign_in():
    make_user("dana")

    assert authenticate(username="dana", password="") is None


def test_an_inactive_person_cannot_sign_in():
    User.objects.filter(pk=make_user("dana", password="correct horse").pk).update(is_active=False)

    assert authenticate(username="dana", password="correct horse") is None
