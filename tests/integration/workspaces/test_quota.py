"""What people may spend (semantics.md 13)."""

import pytest

from accounts.models import Group
from prebuilds import claims
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from workspaces.enums import Transition
from workspaces.errors import QuotaExceeded
from workspaces.models import Workspace
from workspaces.services import builds

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    return factories.make_user("ana")


def allow(user, *amounts):
    for amount in amounts:
        factories.allow(user, amount)


def ask(user, template, name="mine", preset_id=None):
    return claims.claim_or_create_workspace(
        owner=user, template=template, preset_id=preset_id, name=name, parameters={}, now=NOON
    )


def costly(cost, **version):
    return factories.make_template(daily_cost=cost, **version)


@pytest.mark.parametrize(
    ("allowances", "cost", "fits"),
    [((), 0, True), ((), 1, False), ((8,), 8, True), ((7,), 8, False), ((4, 5), 8, True)],
)
def test_a_workspace_must_fit_the_sum_of_the_allowances(ana, allowances, cost, fits):
    allow(ana, *allowances)
    template = costly(cost, presets=())

    if fits:
        assert ask(ana, template).workspace.owner == ana
    else:
        with pytest.raises(QuotaExceeded):
            ask(ana, template)
        assert not Workspace.objects.exists()


def test_what_is_used_counts_until_it_is_deleted(ana):
    allow(ana, 10)
    template = costly(6, presets=())
    first = ask(ana, template).workspace

    with pytest.raises(QuotaExceeded, match=r"costs 6 a day, and 6 of your 10"):
        ask(ana, template, name="second")
    Workspace.objects.filter(pk=first.pk).update(deleted_at=NOON)

    assert ask(ana, template, name="second").workspace.name == "second"


def test_other_peoples_workspaces_and_other_organizations_do_not_count(ana):
    allow(ana, 6)
    ben = factories.make_user("ben")
    allow(ben, 7)
    template = costly(6, presets=())
    ask(ben, template)

    assert ask(ana, template).workspace.owner == ana


def test_starting_a_workspace_again_does_not_count_it_twice(ana):
    allow(ana, 6)
    workspace = ask(ana, costly(6, presets=())).workspace
    factories.finish_all_jobs(now=NOON)

    build = builds.create_build(
        workspace_id=workspace.pk, transition=Transition.START, initiator_id=ana.pk, now=NOON
    )

    assert build.daily_cost == 6


def test_a_stop_or_delete_is_never_stopped_by_the_quota(ana):
    allow(ana, 6)
    workspace = ask(ana, costly(6, presets=())).workspace
    factories.finish_all_jobs(now=NOON)
    Group.objects.update(quota_allowance=0)

    stop = builds.create_build(
        workspace_id=workspace.pk, transition=Transition.STOP, initiator_id=ana.pk, now=NOON
    )

    assert stop.daily_cost == 0


def test_a_claim_is_checked_against_the_claiming_users_quota_and_takes_nothing(ana):
    template = factories.make_template(
        daily_cost=0, presets=(PresetSpec(name="Small", desired_instances=1),)
    )
    preset = factories.preset_of(template)
    (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    costly_version = factories.promote_new_version(template, name="2", daily_cost=3)

    with pytest.raises(QuotaExceeded):
        ask(ana, costly_version, preset_id=factories.preset_of(costly_version).pk)

    prebuild.refresh_from_db()
    assert prebuild.is_prebuild
    assert not Workspace.objects.filter(owner=ana).exists()
