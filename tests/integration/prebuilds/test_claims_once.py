"""The same request twice is one request; a refusal leaves its event (semantics.md 14)."""

from datetime import timedelta

import pytest

from prebuilds import claims
from prebuilds.errors import IdempotencyKeyReused
from prebuilds.models import Claim
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from workspaces.errors import NameTaken, QuotaExceeded
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    return factories.make_user("ana")


@pytest.fixture
def template():
    return factories.make_template(presets=(PresetSpec(name="Small", desired_instances=2),))


def ask(owner, template, *, key="k1", name="mine", now=NOON, **fields):
    return claims.claim_or_create_workspace(
        owner=owner,
        template=template,
        preset_id=None,
        name=name,
        parameters=fields.pop("parameters", {}),
        now=now,
        options=claims.Options(idempotency_key=key, **fields),
    )


def test_the_same_key_and_wish_give_the_same_workspace(ana, template):
    factories.make_ready_prebuilds(factories.preset_of(template), 2, now=NOON)

    first = ask(ana, template)
    again = ask(ana, template, now=NOON + timedelta(hours=1))

    assert again.workspace.pk == first.workspace.pk
    assert (again.outcome, again.reason) == (first.outcome, first.reason) == ("warm", "warm")
    assert (first.repeated, again.repeated) == (False, True)
    assert Claim.objects.count() == Workspace.objects.filter(owner=ana).count() == 1


def test_the_answer_stays_when_the_workspace_is_gone_meanwhile(ana, template):
    first = ask(ana, template)
    Workspace.objects.filter(pk=first.workspace.pk).update(deleted_at=NOON)

    assert ask(ana, template).workspace.pk == first.workspace.pk


@pytest.mark.parametrize(
    "other",
    [{"name": "yours"}, {"parameters": {"a": "b"}}, {"ttl_seconds": 3600}],
    ids=["name", "parameters", "ttl"],
)
def test_the_same_key_with_another_wish_is_refused_and_changes_nothing(ana, template, other):
    ask(ana, template)

    with pytest.raises(IdempotencyKeyReused):
        ask(ana, template, **other)

    assert Claim.objects.count() == 1


def test_another_persons_same_key_is_another_key(ana, template):
    ask(ana, template)
    bob = factories.make_user("bob")

    assert not ask(bob, template).repeated
    assert Claim.objects.count() == 2


def test_without_a_key_the_second_request_meets_the_first_ones_name(ana, template):
    ask(ana, template, key="")

    with pytest.raises(NameTaken):
        ask(ana, template, key="")


def test_a_refusal_by_quota_leaves_an_event_and_no_workspace(ana):
    template = factories.make_template(
        presets=(PresetSpec(name="Small", desired_instances=1),), daily_cost=5
    )

    with pytest.raises(QuotaExceeded):
        ask(ana, template)

    claim = Claim.objects.get()
    assert (claim.outcome, claim.reason, claim.workspace) == ("cold", "quota", None)
    assert claim.preset == factories.preset_of(template)
    assert not Workspace.objects.filter(owner=ana).exists()


def test_after_a_refusal_the_same_key_succeeds_with_more_quota(ana):
    template = factories.make_template(
        presets=(PresetSpec(name="Small", desired_instances=1),), daily_cost=5
    )
    with pytest.raises(QuotaExceeded):
        ask(ana, template)
    factories.allow(ana, 5)

    result = ask(ana, template)

    assert not result.repeated
    assert sorted(Claim.objects.values_list("reason", flat=True)) == ["pool_empty", "quota"]
