"""Keys of remote daemons: shown once, stored as a digest, revoked for good, all of it audited."""

import pytest
from django.utils import timezone

from accounts.audit import THE_SYSTEM, Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from tests.factories import NOON, default_organization, make_key, make_organization, make_user
from workspaces import selectors
from workspaces.errors import InvalidKeyName, KeyNameTaken, UnknownProvisionerKey
from workspaces.models import ProvisionerKey
from workspaces.services import provisioner_keys

pytestmark = pytest.mark.django_db


def test_a_secret_opens_and_is_nowhere_in_the_rows():
    key, secret = make_key("far", tags={"zone": "eu"})

    assert selectors.find_key(secret) == key
    rows = str(ProvisionerKey.objects.values().get()) + str(AuditEntry.objects.values().get())
    assert secret not in rows


def test_no_two_secrets_are_alike():
    assert make_key()[1] != make_key()[1]


@pytest.mark.parametrize("secret", ["", "wrong", "ä", "x" * 5_000])
def test_another_secret_opens_nothing(secret):
    make_key()

    with pytest.raises(UnknownProvisionerKey):
        selectors.find_key(secret)


def test_who_made_a_key_is_written_down():
    actor = Actor(user=make_user("olga"), source=AuditSource.API, address="10.0.0.1")

    key, _ = provisioner_keys.create_key(
        organization=default_organization(), name="far", tags={"a": "b"}, actor=actor, now=NOON
    )

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.object_id) == ("create", actor.user, str(key.pk))
    assert entry.after == {"organization": "default", "name": "far", "tags": {"a": "b"}}


def test_a_revoked_key_opens_nothing_and_is_written_down_once():
    key, secret = make_key("far")

    assert provisioner_keys.revoke_key(key=key, actor=THE_SYSTEM, now=NOON)
    assert not provisioner_keys.revoke_key(key=key, actor=THE_SYSTEM, now=timezone.now())

    with pytest.raises(UnknownProvisionerKey):
        selectors.find_key(secret)
    key.refresh_from_db()
    assert key.revoked_at == NOON
    assert AuditEntry.objects.filter(action="revoke").count() == 1


def test_a_name_is_taken_once_per_organization_whatever_its_case():
    make_key("far")

    with pytest.raises(KeyNameTaken, match='"FAR"'):
        make_key("FAR")

    make_key("far", organization=make_organization())


def test_a_revoked_keys_name_is_free_again():
    key, _ = make_key("far")
    provisioner_keys.revoke_key(key=key, actor=THE_SYSTEM, now=NOON)

    make_key("far")


@pytest.mark.parametrize("name", ["", "two words", "ä", "a/b", "x" * 65])
def test_a_name_that_cannot_be_used_is_named(name):
    with pytest.raises(InvalidKeyName, match=f'"{name}"'):
        provisioner_keys.create_key(
            organization=default_organization(), name=name, tags={}, actor=THE_SYSTEM, now=NOON
        )


def test_a_list_holds_the_live_keys_of_the_organizations_asked_for():
    other = make_organization("zoo")
    gone, _ = make_key("gone")
    provisioner_keys.revoke_key(key=gone, actor=THE_SYSTEM, now=NOON)
    here, there = make_key("b")[0], make_key("a", organization=other)[0]

    assert selectors.list_keys(organization_ids=None) == [here, there]
    assert selectors.list_keys(organization_ids=[other.pk]) == [there]
