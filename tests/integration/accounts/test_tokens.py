"""API tokens: a digest, an end, and nobody's but a person's."""

from datetime import timedelta

import pytest

from accounts import selectors, services
from accounts.enums import TokenScope
from accounts.errors import InvalidToken
from accounts.models import Token, User
from tests.factories import NOON, hours, make_user

pytestmark = pytest.mark.django_db


def make_token(user=None, *, expires_at=None):
    return services.create_token(
        user=user or make_user(), name="ci", scope=TokenScope.USE, expires_at=expires_at, now=NOON
    )


def test_a_token_is_found_by_its_secret_with_its_user(django_assert_num_queries):
    user = make_user()
    token, secret = make_token(user)

    with django_assert_num_queries(1):
        found = selectors.find_token(secret, now=NOON)
        assert found.user == user

    assert found == token


def test_only_a_digest_is_stored():
    token, secret = make_token()

    stored = Token.objects.filter(pk=token.pk).values().get()

    assert len(bytes(stored["digest"])) == 32
    assert secret not in str(stored)
    assert secret.encode() not in bytes(stored["digest"])


def test_two_tokens_have_different_secrets_of_256_bits():
    _, first = make_token()
    _, second = make_token()

    assert first != second
    assert len(first) >= 43


@pytest.mark.parametrize(
    ("after", "is_valid"),
    [(-1, True), (0, False), (1, False)],
    ids=["just before", "at the end", "after"],
)
def test_a_token_ends_when_it_says(after, is_valid):
    end = NOON + hours(1)
    _, secret = make_token(expires_at=end)

    def find():
        return selectors.find_token(secret, now=end + timedelta(microseconds=after))

    if is_valid:
        assert find()
    else:
        with pytest.raises(InvalidToken, match="expired"):
            find()


def revoke(token):
    Token.objects.filter(pk=token.pk).update(revoked_at=NOON)


def deactivate_user(token):
    User.objects.filter(pk=token.user_id).update(is_active=False)


@pytest.mark.parametrize("end", [revoke, deactivate_user])
def test_a_token_dies_with(end):
    token, secret = make_token()
    end(token)

    with pytest.raises(InvalidToken):
        selectors.find_token(secret, now=NOON)


@pytest.mark.parametrize("secret", ["", "guess", "ü" * 43, "\x00"])
def test_a_wrong_secret_finds_nothing(secret):
    make_token()

    with pytest.raises(InvalidToken):
        selectors.find_token(secret, now=NOON)
