"""One's own page: name, password, tokens. Nobody reaches somebody else's."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import selectors
from accounts.audit import THE_SYSTEM
from accounts.enums import TokenScope
from accounts.errors import InvalidToken
from accounts.models import AuditEntry, Token
from accounts.services import tokens
from tests.factories import make_user
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor

pytestmark = pytest.mark.django_db

PAGE = "/account/"
OLD, NEW = "correct horse battery", "quite-Unusual-42"


@pytest.fixture
def ben():
    return make_user("ben", password=OLD)


def add_token(user, name="ci", **fields) -> Token:
    token, _ = tokens.create_token(
        user=user,
        name=name,
        scope=TokenScope.READ,
        expires_at=None,
        actor=THE_SYSTEM,
        now=timezone.now() - timedelta(days=2),
    )
    Token.objects.filter(pk=token.pk).update(**(fields or {"scope": "read"}))
    return token


@pytest.mark.parametrize(
    "kind", ["owner", "template admin", "user admin", "auditor", "member", "member elsewhere"]
)
def test_everybody_has_an_account_page_and_finds_it_in_their_menu(kind):
    client = visitor(kind)

    assert client.get(PAGE).status_code == 200
    assert 'href="/account/"' in client.get("/workspaces/").text


@pytest.mark.parametrize("path", ["", "edit", "password", "tokens/new"])
def test_a_stranger_has_none(client, path):
    assert client.get(f"{PAGE}{path}")["Location"] == f"/sign-in/?next={PAGE}{path}"


def test_the_page_shows_who_one_is_and_what_one_may(ben):
    text = text_of(client_of(make_user("olga", roles=["owner"])).get(PAGE))

    assert "olga" in text
    assert "Owner" in text
    assert "You have no API token" in text


def test_name_and_address_are_ones_own_to_change_but_not_the_user_name(ben):
    client = client_of(ben)

    client.post(f"{PAGE}edit", {"username": "root", "name": "<b>Ben</b>", "email": "b@example.org"})

    ben.refresh_from_db()
    assert (ben.username, ben.name, ben.email) == ("ben", "<b>Ben</b>", "b@example.org")
    assert "<b>Ben</b>" not in client.get(PAGE).text
    assert AuditEntry.objects.get(action="update").actor == ben


def test_an_address_in_use_stands_at_its_input(ben):
    other = make_user("eva")
    type(other).objects.filter(pk=other.pk).update(email="e@example.org")

    response = client_of(ben).post(f"{PAGE}edit", {"email": "E@example.org"})

    assert response.status_code == 422
    assert 'id="field-email_error"' in response.text


def test_a_new_password_keeps_this_session_and_ends_everything_else(ben, client):
    here, there = client_of(ben), client_of(ben)
    add_token(ben)

    plan = text_of(here.get(f"{PAGE}password"))
    response = here.post(f"{PAGE}password", {"old_password": OLD, "password": NEW, "again": NEW})

    assert "your other sessions end, and so does your 1 API token" in plan
    assert response["Location"] == PAGE
    assert here.get(PAGE).status_code == 200
    assert there.get(PAGE).status_code == 302
    assert not Token.objects.filter(revoked_at__isnull=True).exists()
    assert client.login(username="ben", password=NEW)


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"old_password": "wrong"}, "old_password", "The old password is not right"),
        ({"password": "12345678", "again": "12345678"}, "password", "too common"),
        ({"password": "ben-ben-ben", "again": "ben-ben-bem"}, "again", "Type the same twice"),
        ({"old_password": ""}, "old_password", "required"),
    ],
)
def test_a_password_that_cannot_be_taken_is_said_at_its_input(ben, client, given, field, words):
    sent = {"old_password": OLD, "password": NEW, "again": NEW, **given}

    response = client_of(ben).post(f"{PAGE}password", sent)

    assert response.status_code == 422
    assert words in text_of(response)
    assert f'id="field-{field}_error"' in response.text
    assert OLD not in response.text
    assert client.login(username="ben", password=OLD)


def test_the_first_wrong_input_has_the_focus(ben):
    response = client_of(ben).post(f"{PAGE}password", {"old_password": OLD})

    (focused,) = re.findall(r"<input[^>]*autofocus[^>]*>", response.text)
    assert 'name="password"' in focused
    assert 'aria-invalid="true"' in focused
    assert 'aria-describedby="field-password_helptext field-password_error"' in focused


def test_a_tokens_secret_is_shown_once_and_works(ben):
    client = client_of(ben)

    made = client.post(f"{PAGE}tokens/new", {"token_name": "ci", "scope": "use", "days": "30"})

    secret = re.search(r'id="secret" value="([^"]+)"', text_of(made))[1]
    token = selectors.find_token(secret, now=timezone.now())
    assert (token.user, token.name, token.scope) == (ben, "ci", "use")
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
    assert made["Cache-Control"] == "no-store"
    assert "ci" in client.get(PAGE).text
    assert secret not in client.get(PAGE).text


def test_a_token_may_go_on_until_it_is_revoked(ben):
    client_of(ben).post(f"{PAGE}tokens/new", {"token_name": "ci", "scope": "read", "days": ""})

    assert Token.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"token_name": "CI", "scope": "use"}, "is in use"),
        ({"token_name": "", "scope": "use"}, "required"),
        ({"token_name": "x", "scope": "rule"}, "not one of"),
        ({"token_name": "x", "scope": "use", "days": "4000"}, "not one of"),
    ],
)
def test_a_token_that_cannot_be_is_refused(ben, given, words):
    add_token(ben)

    response = client_of(ben).post(f"{PAGE}tokens/new", given)

    assert response.status_code == 422
    assert words in text_of(response)
    assert Token.objects.count() == 1


def test_revoking_shows_its_plan_and_ends_the_token(ben):
    client = client_of(ben)
    made = client.post(f"{PAGE}tokens/new", {"token_name": "ci", "scope": "use", "days": "7"})
    secret = re.search(r'id="secret" value="([^"]+)"', text_of(made))[1]
    address = f"{PAGE}tokens/{Token.objects.get().pk}/revoke"

    plan = client.get(address).text
    client.post(address)

    assert "It was never used." in plan
    with pytest.raises(InvalidToken):
        selectors.find_token(secret, now=timezone.now())
    assert client.get(address).status_code == 404


def test_nobody_revokes_somebody_elses_token(ben):
    token = add_token(ben)
    client = client_of(make_user(roles=["owner"]))

    assert client.post(f"{PAGE}tokens/{token.pk}/revoke").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_token_that_ended_says_so_in_words(ben):
    add_token(ben, expires_at=timezone.now() - timedelta(days=1), last_used_at=timezone.now())

    assert "Ended" in client_of(ben).get(PAGE).text


def test_the_page_costs_the_same_with_many_tokens(ben, django_assert_max_num_queries):
    for number in range(20):
        add_token(ben, f"token-{number}")
    client = client_of(ben)

    with django_assert_max_num_queries(7):
        client.get(PAGE)
