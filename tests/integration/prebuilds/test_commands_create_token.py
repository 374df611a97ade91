"""manage.py create_token: a secret that works, printed once, in place of one of that name."""

from contextlib import suppress
from datetime import timedelta
from io import StringIO

import pytest
from django.utils import timezone

from accounts import selectors
from accounts.errors import InvalidToken
from accounts.models import Token, User
from accounts.system import PREBUILDS_USERNAME
from prebuilds.management.commands.create_token import Command
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v2/workspaces"


def run(*arguments):
    """Run the command as a shell would; return its exit code, output and errors."""
    out, err = StringIO(), StringIO()
    command = Command(stdout=out, stderr=err, no_color=True)
    try:
        command.run_from_argv(["manage.py", "create_token", *arguments])
    except SystemExit as ended:
        return ended.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def ana():
    return factories.make_user("ana")


def get_list(client, secret):
    return client.get(LIST, headers={"Authorization": f"Bearer {secret}"})


def test_it_prints_one_line_a_secret_that_works(client, ana):
    code, out, err = run("ana")

    secret = out.removesuffix("\n")
    assert (code, err) == (0, "")
    assert "\n" not in secret
    assert get_list(client, secret).status_code == 200
    assert selectors.find_token(secret, now=timezone.now()).user == ana


def test_the_secret_is_nowhere_in_the_row():
    secret = run("ana")[1].strip()

    assert secret not in str(Token.objects.values().get())


def test_without_options_it_is_for_use_for_thirty_days():
    before = timezone.now()

    run("ana")

    token = Token.objects.get()
    assert (token.name, token.scope) == ("command line", "use")
    assert before + timedelta(days=30) <= token.expires_at <= timezone.now() + timedelta(days=30)


def test_name_scope_and_end_can_be_chosen():
    before = timezone.now()

    run("ana", "--name", "ci", "--scope", "read", "--days", "1")

    token = Token.objects.get()
    assert (token.name, token.scope) == ("ci", "read")
    assert before + timedelta(days=1) <= token.expires_at <= timezone.now() + timedelta(days=1)


def test_a_token_of_the_same_name_is_replaced(client):
    old = run("ana", "--name", "ci")[1].strip()

    new = run("ana", "--name", "CI")[1].strip()

    assert old != new
    assert get_list(client, old).status_code == 401
    assert get_list(client, new).status_code == 200


def test_tokens_of_other_names_and_other_people_stay(client):
    factories.make_user("ben")
    kept = [run("ana", "--name", "laptop")[1].strip(), run("ben", "--name", "ci")[1].strip()]

    run("ana", "--name", "ci")

    assert [get_list(client, secret).status_code for secret in kept] == [200, 200]


def test_the_case_of_the_user_name_does_not_matter(ana):
    run("ANA")

    assert Token.objects.get().user == ana


@pytest.mark.parametrize("name", ["nobody", PREBUILDS_USERNAME, ""])
def test_an_unknown_person_is_exit_code_1_and_named(name):
    code, out, err = run(name)

    assert (code, out) == (1, "")
    assert err == f"CommandError: There is nobody named {name} who may sign in.\n"
    assert not Token.objects.exists()


def test_a_token_for_reading_reads_and_changes_nothing(client):
    secret = run("ana", "--scope", "read")[1].strip()
    organization = factories.default_organization().pk

    refused = client.post(
        f"/api/v2/organizations/{organization}/members/me/workspaces",
        {"name": "mine", "template_id": str(factories.make_template().pk)},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )

    assert get_list(client, secret).status_code == 200
    assert refused.status_code == 403
    assert "scope use" in refused.json()["message"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("ana", "--scope", "everything"), ("ana", "--days", "soon"), ("ana", "ben")],
    ids=" ".join,
)
def test_bad_usage_is_exit_code_2_and_leaves_the_old_token(arguments, client, capsys):
    old = run("ana")[1].strip()

    assert run(*arguments)[0] == 2

    assert get_list(client, old).status_code == 200


@pytest.mark.parametrize("days", ["0", "-1", "99999999"])
def test_a_token_that_cannot_be_made_leaves_the_old_one(days, client):
    old = run("ana")[1].strip()

    with suppress(Exception):
        run("ana", f"--days={days}")

    assert get_list(client, old).status_code == 200


def test_a_person_who_may_not_sign_in_gets_none():
    User.objects.update(is_active=False)

    code, out, _ = run("ana")

    assert code == 1
    with pytest.raises(InvalidToken):
        selectors.find_token(out.strip(), now=timezone.now())
