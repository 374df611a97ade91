"""manage.py provisioner_keys: made and shown once, listed, revoked; audited as from the shell."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from tests.factories import make_key, make_organization
from workspaces import selectors
from workspaces.errors import UnknownProvisionerKey
from workspaces.models import ProvisionerKey

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command("provisioner_keys", *words, stdout=out)
    return out.getvalue().strip()


def test_it_prints_one_line_a_secret_that_opens():
    secret = run("create", "far", "--tag", "zone=eu", "gpu=1")

    key = selectors.find_key(secret)
    assert (key.name, key.organization.name) == ("far", "default")
    assert key.tags == {"zone": "eu", "gpu": "1"}
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.source, entry.actor) == ("create", "command", None)


def test_a_key_is_made_for_the_organization_that_is_named():
    make_organization("Zoo")

    assert (
        selectors.find_key(run("create", "far", "--organization", "zoo")).organization.name == "Zoo"
    )


def test_a_list_shows_names_and_tags_and_no_secret():
    secret = run("create", "far", "--tag", "zone=eu")
    make_key("near", organization=make_organization("zoo"))

    shown = run("list")

    assert shown.startswith("default / far: zone=eu, ")
    assert "zoo / near: no tags" in shown
    assert secret not in shown
    assert "far" not in run("list", "--organization", "zoo")


def test_an_empty_list_says_so():
    assert run("list") == "There are no keys."


def test_a_revoked_key_opens_nothing_any_more():
    secret = run("create", "far")

    assert "revoked" in run("revoke", "FAR")

    with pytest.raises(UnknownProvisionerKey):
        selectors.find_key(secret)
    assert AuditEntry.objects.filter(action="revoke", source="command").count() == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "far", "--organization", "nowhere"], 'no organization "nowhere"'),
        (["create", "two words"], '"two words" cannot name'),
        (["revoke", "far"], 'no live key "far"'),
        (["create", "far", "--tag", "nonsense"], "'nonsense' is not KEY=VALUE"),
        (["create", " "], "name the key"),
    ],
)
def test_what_cannot_be_done_is_named_and_changes_nothing(words, message):
    with pytest.raises(CommandError, match=message):
        run(*words)

    assert not ProvisionerKey.objects.exists()


def test_a_name_that_is_taken_leaves_the_old_key():
    secret = run("create", "far")

    with pytest.raises(CommandError, match='already a provisioner key named "far"'):
        run("create", "far")

    assert selectors.find_key(secret)
