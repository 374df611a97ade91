"""Claims against each other and against everything that takes prebuilds away."""

from collections import Counter
from functools import partial

import pytest

from accounts.system import PREBUILDS_USER_ID
from prebuilds import claims, reconciler
from prebuilds.core.actions import Reason
from prebuilds.core.policy import Policy
from prebuilds.execution import deletion
from prebuilds.models import Claim, Trigger
from templates_app import services as template_services
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from tests.concurrency.racing import alongside, errors, race, uncommitted
from tests.factories import NOON, hours
from workspaces.errors import NameTaken
from workspaces.models import Workspace, WorkspaceBuild

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

ROUNDS = 6


@pytest.fixture
def preset():
    return make_preset(5)


def make_preset(desired, **spec):
    spec = PresetSpec(name="Small", desired_instances=desired, **spec)
    return factories.preset_of(factories.make_template(presets=(spec,)))


def claim(preset, owner, name="mine", now=NOON, key=""):
    return claims.claim_or_create_workspace(
        owner=owner,
        template=preset.version.template,
        preset_id=preset.pk,
        name=name,
        parameters={},
        now=now,
        options=claims.Options(idempotency_key=key),
    )


def claimers(preset, number, **kwargs):
    return [partial(claim, preset, factories.make_user(), **kwargs) for _ in range(number)]


def assert_each_is_claimed_or_deleted_but_never_both(workspaces):
    for workspace in workspaces:
        workspace.refresh_from_db()
        kinds = set(workspace.builds.values_list("transition", "stage"))
        claimed = ("start", "prebuild_claim") in kinds
        deleted = ("delete", "none") in kinds
        assert not (claimed and deleted), workspace
        assert (workspace.owner_id != PREBUILDS_USER_ID) == claimed
        assert Claim.objects.filter(workspace=workspace).exists() == claimed


def test_twenty_claimers_of_five_prebuilds_get_five_distinct_ones_and_fifteen_new_ones(preset):
    ready = factories.make_ready_prebuilds(preset, 5, now=NOON)

    results = race(*claimers(preset, 20))

    assert errors(results) == []
    assert Counter(result.outcome for result in results) == {"warm": 5, "cold": 15}
    warm = {result.workspace.pk for result in results if result.outcome == "warm"}
    assert warm == {workspace.pk for workspace in ready}
    assert len({result.workspace.pk for result in results}) == 20
    assert Claim.objects.count() == 20
    owners = Workspace.objects.filter(pk__in=warm).values_list("owner_id", flat=True)
    assert len(set(owners)) == 5
    assert PREBUILDS_USER_ID not in owners


def test_a_claim_never_waits_for_another_that_is_not_committed(preset):
    first, second = factories.make_ready_prebuilds(preset, 2, now=NOON)
    Workspace.objects.filter(pk=first.pk).update(created_at=NOON - hours(1))
    one, two = claimers(preset, 2)

    with uncommitted(one) as earlier:
        later = alongside(two)

    assert (earlier.workspace.pk, later.workspace.pk) == (first.pk, second.pk)
    assert later.outcome == "warm"


def test_the_last_prebuild_taken_in_the_same_moment_leaves_an_ordinary_workspace(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    one, two = claimers(preset, 2)

    with uncommitted(one):
        later = alongside(two)

    assert later.outcome == "cold"


def test_and_says_that_the_race_was_lost(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    one, two = claimers(preset, 2)

    with uncommitted(one):
        later = alongside(two)

    assert later.reason == "lost_race"


@pytest.mark.parametrize("_", range(ROUNDS))
def test_claims_against_deletions_of_the_same_prebuilds(preset, _):
    ready = factories.make_ready_prebuilds(preset, 5, now=NOON)
    reasons = dict.fromkeys([one.pk for one in ready], Reason.EXTRANEOUS)

    *results, deleted = race(
        *claimers(preset, 4), partial(deletion.delete_prebuilds, reasons, now=NOON)
    )

    assert errors([*results, deleted]) == []
    assert_each_is_claimed_or_deleted_but_never_both(ready)
    warm = sum(result.outcome == "warm" for result in results)
    deleting = sum(result == "deleting" for result in deleted.values())
    assert warm + deleting <= 5
    assert WorkspaceBuild.objects.filter(transition="delete").count() == deleting


def test_a_claim_that_was_first_makes_the_deletion_pass_by(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    (claimer,) = claimers(preset, 1)
    delete = partial(deletion.delete_prebuilds, {workspace.pk: Reason.EXPIRED}, now=NOON)

    with uncommitted(claimer) as result:
        during = alongside(delete)
    after = alongside(delete)

    assert result.outcome == "warm"
    assert during == {}, "held by somebody else: skipped, not waited for"
    assert after == {workspace.pk: "already_claimed"}
    assert_each_is_claimed_or_deleted_but_never_both([workspace])


def test_a_deletion_that_was_first_makes_the_claim_build_anew(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    delete = partial(deletion.delete_prebuilds, {workspace.pk: Reason.EXPIRED}, now=NOON)
    during, after = claimers(preset, 2)

    with uncommitted(delete) as deleted:
        first = alongside(during)
    second = alongside(after)

    assert deleted == {workspace.pk: "deleting"}
    assert (first.outcome, second.outcome) == ("cold", "cold")
    assert_each_is_claimed_or_deleted_but_never_both([workspace])


@pytest.mark.parametrize("_", range(ROUNDS))
def test_claims_against_the_cycle_that_deletes_what_expired(_):
    preset = make_preset(3, ttl_seconds=3600)
    ready = factories.make_ready_prebuilds(preset, 3, now=NOON)
    still, over = NOON + hours(1), NOON + hours(1.001)

    *results, cycle = race(*claimers(preset, 3, now=still), partial(run_cycle, over))

    assert errors([*results, cycle]) == []
    assert_each_is_claimed_or_deleted_but_never_both(ready)
    assert pool_size(preset) == 3


def run_cycle(now):
    return reconciler.run_cycle(trigger=Trigger.COMMAND, policy=Policy(), clock=lambda: now)


def pool_size(preset):
    """Count what fills a place of the pool: starting, or running and not expired."""
    return Workspace.objects.filter(
        owner_id=PREBUILDS_USER_ID,
        deleted_at__isnull=True,
        latest_build__preset=preset,
        latest_build__transition="start",
    ).count()


@pytest.mark.parametrize("_", range(ROUNDS))
def test_claims_against_an_invalidation(preset, _):
    ready = factories.make_ready_prebuilds(preset, 3, now=NOON)
    mark = NOON + hours(1)
    invalidate = partial(template_services.invalidate_presets, preset_ids=[preset.pk], now=mark)

    *results, _ = race(*claimers(preset, 3, now=mark), invalidate)
    (late,) = race(*claimers(preset, 1, now=mark))
    run_cycle(mark)

    assert errors(results) == []
    assert late.outcome == "cold", "at once, without waiting for a cycle"
    assert_each_is_claimed_or_deleted_but_never_both(ready)
    for workspace in ready:
        assert workspace.builds.count() == 2, "claimed, or deleted by the cycle"


def test_a_claim_waits_for_neither_an_edit_nor_a_promotion_nor_a_cycle_that_is_not_committed(
    preset,
):
    factories.make_ready_prebuilds(preset, 2, now=NOON)
    edit, promote = claimers(preset, 2)

    with uncommitted(lambda: Preset.objects.update(desired_instances=9)):
        edited = alongside(edit)
    with uncommitted(lambda: factories.promote_new_version(preset.version.template)):
        promoted = alongside(promote)

    assert (edited.outcome, promoted.outcome) == ("warm", "warm")


@pytest.mark.parametrize("ready", [0, 1, 4], ids="{} ready".format)
def test_a_name_submitted_four_times_at_once_is_one_workspace_and_three_refusals(preset, ready):
    prebuilds = factories.make_ready_prebuilds(preset, ready, now=NOON)
    owner = factories.make_user()

    results = race(*(partial(claim, preset, owner, name) for name in ("a", "A", "a", "A")))

    assert sorted(type(one).__name__ for one in results) == [
        "ClaimResult",
        "NameTaken",
        "NameTaken",
        "NameTaken",
    ]
    assert all(isinstance(error, NameTaken) for error in errors(results))
    assert Workspace.objects.filter(owner=owner).count() == Claim.objects.count() == 1
    assert_each_is_claimed_or_deleted_but_never_both(prebuilds)
    untouched = [one for one in prebuilds if one.owner_id == PREBUILDS_USER_ID]
    assert len(untouched) >= ready - 1
    assert all(one.builds.count() == 1 for one in untouched)


@pytest.mark.parametrize("ready", [0, 1, 4], ids="{} ready".format)
def test_a_key_submitted_four_times_at_once_is_one_workspace_and_four_answers(preset, ready):
    factories.make_ready_prebuilds(preset, ready, now=NOON)
    owner = factories.make_user()

    results = race(*[partial(claim, preset, owner, "mine", key="once") for _ in range(4)])

    assert not errors(results)
    assert len({one.workspace.pk for one in results}) == 1
    assert sorted(one.repeated for one in results) == [False, True, True, True]
    assert Workspace.objects.filter(owner=owner).count() == Claim.objects.count() == 1
