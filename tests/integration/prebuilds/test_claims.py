"""Who gets which workspace, in which state, and why (semantics.md 14)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.system import PREBUILDS_USER_ID
from prebuilds import claims, locks, services
from prebuilds.core.actions import Reason
from prebuilds.errors import PresetNotOfTemplate
from prebuilds.execution import deletion
from prebuilds.models import Claim
from templates_app import services as template_services
from templates_app.errors import TemplateNotUsable
from templates_app.models import Preset, Template
from templates_app.parameters import InvalidParameters, ParameterDefinition
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours
from workspaces.enums import LifecycleState, Transition
from workspaces.errors import InvalidName, NameTaken
from workspaces.models import (
    Agent,
    ProvisionerDaemon,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
)
from workspaces.services import agents

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=5)
MICROSECOND = timedelta(microseconds=1)
REGION = ParameterDefinition(name="region", type="string", default="eu", options=("eu", "us"))
PROJECT = ParameterDefinition(name="project", type="string", default="words")


@pytest.fixture
def ana():
    return factories.make_user("ana")


@pytest.fixture
def preset():
    return make_preset()


def make_preset(*, definitions=(), fields=None, **spec):
    spec = PresetSpec(**{"name": "Small", "desired_instances": 3, **spec})
    template = factories.make_template(presets=(spec,), definitions=definitions, fields=fields)
    return factories.preset_of(template)


def claim(owner, preset, *, name="mine", now=LATER, template=None, values=None):
    return claims.claim_or_create_workspace(
        owner=owner,
        template=template or preset.version.template,
        preset_id=preset.pk if preset else None,
        name=name,
        parameters=values or {},
        now=now,
    )


def put_on_machine(workspace, machine, *, seen_at, stopped_at=None):
    daemon = factories.make_daemon(machine=machine, now=seen_at)
    ProvisionerDaemon.objects.filter(pk=daemon.pk).update(stopped_at=stopped_at)
    ProvisionerJob.objects.filter(workspace=workspace).update(machine=machine)


class TestWarm:
    def test_the_oldest_ready_prebuild_is_handed_over(self, ana, preset):
        young, old, middle = factories.make_ready_prebuilds(preset, 3, now=NOON)
        for workspace, age in ((young, 1), (old, 3), (middle, 2)):
            Workspace.objects.filter(pk=workspace.pk).update(created_at=NOON - hours(age))

        got = [claim(ana, preset, name=f"mine-{n}").workspace.pk for n in range(3)]

        assert got == [old.pk, middle.pk, young.pk]

    def test_one_whose_machine_is_online_goes_before_older_ones(self, ana, preset):
        away, near = factories.make_ready_prebuilds(preset, 2, now=NOON)
        Workspace.objects.filter(pk=away.pk).update(created_at=NOON - hours(1))
        put_on_machine(away, "m-away", seen_at=LATER - timedelta(minutes=2))
        put_on_machine(near, "m-near", seen_at=LATER)

        got = [claim(ana, preset, name=f"mine-{n}") for n in range(2)]

        assert [each.workspace.pk for each in got] == [near.pk, away.pk]
        assert [each.outcome for each in got] == ["warm", "warm"]

    def test_a_daemon_that_said_goodbye_makes_no_machine_online(self, ana, preset):
        away, near = factories.make_ready_prebuilds(preset, 2, now=NOON)
        Workspace.objects.filter(pk=away.pk).update(created_at=NOON - hours(1))
        put_on_machine(away, "m-away", seen_at=LATER, stopped_at=LATER)

        assert claim(ana, preset).workspace.pk == near.pk

    def test_an_older_one_that_is_not_ready_is_passed_over(self, ana, preset):
        first, second = factories.make_ready_prebuilds(preset, 2, now=NOON)
        Workspace.objects.filter(pk=first.pk).update(created_at=NOON - hours(1))
        agent = Agent.objects.get(resource__build__workspace=first)
        agents.report_lifecycle(agent_id=agent.pk, state=LifecycleState.START_ERROR, now=NOON)

        assert claim(ana, preset).workspace.pk == second.pk

    def test_it_becomes_the_persons_own_as_if_it_were_fresh(self, ana):
        preset = make_preset(fields={"default_ttl_seconds": 3600})
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)

        result = claim(ana, preset, name="My-Work")

        workspace = Workspace.objects.get(pk=prebuild.pk)
        assert (result.workspace.pk, result.outcome, result.reason) == (prebuild.pk, "warm", "warm")
        assert result.preset_id == preset.pk
        assert (workspace.owner, workspace.name) == (ana, "My-Work")
        assert (workspace.updated_at, workspace.last_used_at) == (LATER, LATER)
        assert workspace.created_at == NOON
        assert workspace.ttl_seconds == 3600
        assert (workspace.autostart_schedule, workspace.next_start_at) == ("", None)
        assert workspace.dormant_at is workspace.deleting_at is workspace.deleted_at is None

    def test_its_new_build_is_the_persons_start_with_the_persons_values(self, ana):
        preset = make_preset(definitions=(REGION, PROJECT), parameters={"region": "us"})
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)

        claim(ana, preset, values={"project": "poems"})

        build = Workspace.objects.get(pk=prebuild.pk).latest_build
        assert (build.build_number, build.transition, build.stage) == (2, "start", "prebuild_claim")
        assert (build.initiator, build.reason) == (ana, "initiator")
        assert (build.preset, build.template_version) == (preset, preset.version)
        assert build.created_at == LATER
        assert build.job.status == "pending"
        assert build.job.initiator == ana
        assert build.job.priority == 0
        values = dict(build.parameters.values_list("name", "value"))
        assert values == {"region": "us", "project": "poems"}

    def test_the_agent_hears_its_new_owner_and_values_and_keeps_its_token(self, ana):
        preset = make_preset(definitions=(PROJECT,))
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        token = f"token-of-{prebuild.pk}"
        before = agents.manifest_of(agents.authenticate(token))

        claim(ana, preset, name="mine", values={"project": "poems"})
        claimed = agents.manifest_of(agents.authenticate(token))
        factories.finish_all_jobs(now=LATER)
        started = agents.manifest_of(agents.authenticate(token))

        assert before["owner_is_system"]
        for manifest in (claimed, started):
            assert manifest["owner_id"] == str(ana.pk)
            assert manifest["owner_name"] == "ana"
            assert not manifest["owner_is_system"]
            assert manifest["workspace_name"] == "mine"
            assert manifest["parameters"] == {"project": "poems"}
        assert before["parameters"] == {"project": "words"}
        assert Agent.objects.filter(token_digest=agents.digest(token)).count() == 2

    def test_the_agent_is_told_to_start_again_once_the_claim_build_succeeded(self, ana, preset):
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        unclaimed = agents.reinit_answer(prebuild.pk)
        claim(ana, preset)
        unfinished = agents.reinit_answer(prebuild.pk)
        factories.finish_all_jobs(now=LATER)

        assert unclaimed == unfinished == agents.Wait()
        assert agents.reinit_answer(prebuild.pk) == agents.Reinitialize(user_id=ana.pk)

    def test_a_claim_build_gets_the_deadline_of_a_persons_workspace(self, ana):
        preset = make_preset(fields={"default_ttl_seconds": 3600})
        factories.make_ready_prebuilds(preset, 1, now=NOON)

        workspace = claim(ana, preset).workspace
        factories.finish_all_jobs(now=LATER)

        assert Workspace.objects.get(pk=workspace.pk).latest_build.deadline == LATER + hours(1)

    def test_a_pool_that_wants_none_any_more_still_hands_out_what_it_has(self, ana, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Preset.objects.update(desired_instances=0)

        assert claim(ana, preset).outcome == "warm"

    @pytest.mark.parametrize("status", ["hard_limited", "validation_failed"])
    def test_a_pool_that_may_not_create_still_hands_out_what_it_has(self, ana, preset, status):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Preset.objects.update(prebuild_status=status)

        assert claim(ana, preset).outcome == "warm"

    def test_pausing_does_not_stop_claims(self, ana, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        services.pause_reconciliation(
            actor=Actor(user=ana, source="page"), reason="upgrade", until=None, now=NOON
        )

        assert claim(ana, preset).outcome == "warm"

    def test_a_prebuild_is_still_good_at_the_last_instant_of_its_ttl(self, ana):
        preset = make_preset(ttl_seconds=3600)
        factories.make_ready_prebuilds(preset, 1, now=NOON)

        assert claim(ana, preset, now=NOON + hours(1)).outcome == "warm"

    def test_a_prebuild_made_at_the_instant_of_an_invalidation_is_still_good(self, ana, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        template_services.invalidate_presets(preset_ids=[preset.pk], now=NOON)

        assert claim(ana, preset).outcome == "warm"

    def test_a_prebuild_restarted_by_an_admin_can_be_claimed(self, ana, preset):
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        for transition in (Transition.STOP, Transition.START):
            factories.ask_for(prebuild, transition, now=NOON)
            factories.finish_all_jobs(now=NOON)
        factories.make_agent_ready(prebuild, now=NOON)

        assert claim(ana, preset).workspace.pk == prebuild.pk
        assert WorkspaceBuild.objects.filter(workspace=prebuild).count() == 4


class TestEvent:
    def test_a_hit_is_an_event(self, ana, preset):
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)

        claim(ana, preset)

        event = Claim.objects.get()
        assert (event.workspace, event.preset, event.user) == (prebuild, preset, ana)
        assert event.template == preset.version.template
        assert (event.outcome, event.reason, event.created_at) == ("warm", "warm", LATER)
        assert 0 < event.duration_seconds < 10

    def test_a_miss_is_an_event(self, ana, preset):
        result = claim(ana, preset)

        event = Claim.objects.get()
        assert (event.workspace, event.preset) == (result.workspace, preset)
        assert (event.outcome, event.reason) == ("cold", "pool_empty")
        assert 0 < event.duration_seconds < 10

    def test_what_was_rolled_back_is_no_event(self, ana, preset):
        claim(ana, preset)
        with pytest.raises(NameTaken):
            claim(ana, preset)

        assert Claim.objects.count() == 1


def leave_empty(preset):
    """Leave the pool as it is: empty."""


def leave_starting(preset):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.acquire(now=NOON)


def leave_unready(preset):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.finish_all_jobs(now=NOON)


def leave_without_agent(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    Agent.objects.all().delete()


def leave_outlived(preset):
    factories.make_ready_prebuilds(preset, 1, now=LATER - hours(1) - MICROSECOND)
    Preset.objects.update(ttl_seconds=3600)


def leave_invalidated(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    template_services.invalidate_presets(preset_ids=[preset.pk], now=NOON + MICROSECOND)


def leave_deleting(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)


def leave_stopped(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    factories.ask_for(workspace, Transition.STOP, now=NOON)
    factories.finish_all_jobs(now=NOON)


def leave_claimed(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    factories.claim_prebuild(preset, now=NOON)


def leave_hard_limited(preset):
    factories.make_pending_prebuilds(preset, 3, now=LATER - hours(9))
    factories.finish_all_jobs(now=LATER - hours(9), fail="bad")
    Preset.objects.update(prebuild_status="hard_limited")


def leave_not_valid(preset):
    Preset.objects.update(prebuild_status="validation_failed")


def leave_paused(preset):
    factories.pause(now=NOON)


def leave_backing_off(preset):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.finish_all_jobs(now=LATER - timedelta(seconds=5), fail="bad")


def leave_without_pool(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    Preset.objects.update(desired_instances=None)


REASONS = {
    "pool_empty": [leave_empty, leave_starting, leave_deleting, leave_stopped, leave_claimed],
    "not_ready": [leave_unready, leave_without_agent],
    "expired": [leave_outlived, leave_invalidated],
    "hard_limited": [leave_hard_limited],
    "validation_failed": [leave_not_valid],
    "paused_and_empty": [leave_paused],
    "backing_off": [leave_backing_off],
    "no_pool": [leave_without_pool],
}


class TestCold:
    @pytest.mark.parametrize(
        ("leave", "reason"),
        [
            pytest.param(leave, reason, id=f"{leave.__name__} → {reason}")
            for reason, ways in REASONS.items()
            for leave in ways
        ],
    )
    def test_a_miss_says_why(self, ana, preset, leave, reason):
        leave(preset)
        before = set(Workspace.objects.values_list("pk", flat=True))

        result = claim(ana, preset)

        assert result.outcome == "cold"
        assert result.workspace.pk not in before
        assert result.reason == reason

    def test_a_pool_removed_in_the_middle_of_a_claim_is_no_error(self, ana, preset, monkeypatch):
        def find_none(**_):
            Preset.objects.update(desired_instances=None)

        monkeypatch.setattr(locks, "lock_claimable_prebuild", find_none)
        result = claim(ana, preset)

        assert (result.outcome, result.reason) == ("cold", "no_pool")

    def test_without_a_preset_it_says_that_none_matched(self, ana):
        template = factories.make_template(presets=())

        result = claim(ana, None, template=template)

        assert (result.outcome, result.reason, result.preset_id) == (
            "cold",
            "no_preset_match",
            None,
        )

    def test_a_prebuild_of_the_old_version_is_not_handed_out(self, ana, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        template = factories.promote_new_version(preset.version.template)

        result = claim(ana, factories.preset_of(template), template=template)

        assert (result.outcome, result.reason) == ("cold", "pool_empty")
        assert result.workspace.latest_build.template_version_id == template.active_version_id

    def test_a_prebuild_of_another_preset_is_not_handed_out(self, ana):
        template = factories.make_template(
            presets=(
                PresetSpec(name="Small", desired_instances=1),
                PresetSpec(name="Large", desired_instances=1),
            )
        )
        factories.make_ready_prebuilds(factories.preset_of(template, "Large"), 1, now=NOON)

        assert claim(ana, factories.preset_of(template, "Small")).outcome == "cold"

    def test_the_workspace_is_an_ordinary_one_of_the_persons(self, ana):
        preset = make_preset(
            definitions=(REGION,),
            parameters={"region": "us"},
            fields={"default_ttl_seconds": 3600},
        )

        workspace = claim(ana, preset, name="Mine").workspace

        workspace.refresh_from_db()
        build = workspace.latest_build
        assert (workspace.owner, workspace.name, workspace.ttl_seconds) == (ana, "Mine", 3600)
        assert (workspace.created_at, workspace.last_used_at) == (LATER, LATER)
        assert (build.build_number, build.transition, build.stage) == (1, "start", "none")
        assert (build.initiator, build.preset, build.job.priority) == (ana, preset, 0)
        assert dict(build.parameters.values_list("name", "value")) == {"region": "us"}


class TestRefusals:
    @pytest.mark.parametrize("ready", [0, 1])
    @pytest.mark.parametrize("name", ["mine", "MINE"])
    def test_a_second_workspace_of_a_name_changes_nothing(self, ana, preset, ready, name):
        claim(ana, preset, name="mine")
        prebuilds = factories.make_ready_prebuilds(preset, ready, now=NOON)
        before = WorkspaceBuild.objects.count(), Workspace.objects.count()

        with pytest.raises(NameTaken, match=name):
            claim(ana, preset, name=name)

        assert (WorkspaceBuild.objects.count(), Workspace.objects.count()) == before
        for prebuild in prebuilds:
            prebuild.refresh_from_db()
            assert prebuild.owner_id == PREBUILDS_USER_ID
            assert prebuild.latest_build.build_number == 1

    def test_two_people_may_use_the_same_name(self, ana, preset):
        claim(ana, preset, name="mine")

        assert claim(factories.make_user(), preset, name="mine").workspace.name == "mine"

    def test_a_name_is_free_again_once_its_workspace_is_deleted(self, ana, preset):
        workspace = claim(ana, preset, name="mine").workspace
        factories.finish_all_jobs(now=LATER)
        services.request_build(
            workspace=workspace,
            transition=Transition.DELETE,
            actor=Actor(user=ana, source=AuditSource.PAGE),
            now=LATER,
        )
        factories.finish_all_jobs(now=LATER)

        assert claim(ana, preset, name="mine").workspace.pk != workspace.pk

    @pytest.mark.parametrize("name", ["", "-a", "a--b", "a b", "ü", "x" * 33, "a\n"])
    def test_a_name_nobody_may_give_is_refused(self, ana, preset, name):
        with pytest.raises(InvalidName):
            claim(ana, preset, name=name)

        assert not Workspace.objects.exists()

    @pytest.mark.parametrize("change", [{"deprecation_message": "old"}, {"deleted_at": NOON}])
    def test_a_template_nobody_may_use_gives_nothing_though_the_pool_is_full(
        self, ana, preset, change
    ):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Template.objects.update(**change)

        with pytest.raises(TemplateNotUsable):
            claim(ana, preset)

        assert not Claim.objects.exists()

    def test_a_preset_of_another_template_is_refused(self, ana, preset):
        with pytest.raises(PresetNotOfTemplate):
            claim(ana, preset, template=factories.make_template())

        assert not Workspace.objects.exists()

    def test_a_preset_of_an_old_version_is_refused(self, ana, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.promote_new_version(preset.version.template)

        with pytest.raises(PresetNotOfTemplate):
            claim(ana, preset)

    @pytest.mark.parametrize("values", [{"region": "mars"}, {"colour": "red"}])
    @pytest.mark.parametrize("ready", [0, 1])
    def test_values_that_do_not_validate_are_refused_warm_or_cold(self, ana, values, ready):
        preset = make_preset(definitions=(REGION,))
        factories.make_ready_prebuilds(preset, ready, now=NOON)

        with pytest.raises(InvalidParameters):
            claim(ana, preset, values=values)

        assert not Claim.objects.exists()
        assert Workspace.objects.filter(owner=ana).count() == 0

    def test_an_error_after_the_hand_over_rolls_it_back(self, ana, preset, monkeypatch):
        (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)

        def fail(*args, **kwargs):
            raise RuntimeError("disk full")

        monkeypatch.setattr(Claim.objects, "create", fail)
        with pytest.raises(RuntimeError):
            claim(ana, preset)

        prebuild.refresh_from_db()
        assert prebuild.owner_id == PREBUILDS_USER_ID
        assert prebuild.name.startswith("prebuild-")
        assert prebuild.latest_build.build_number == 1


def test_a_claim_costs_the_same_whatever_the_size_of_the_pool(ana, django_assert_num_queries):
    preset = make_preset(desired_instances=40, definitions=(REGION, PROJECT))
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    assert preset.version.template, "read before counting"
    with CaptureQueriesContext(connection) as small:
        claim(ana, preset, name="one")
    factories.make_ready_prebuilds(preset, 30, now=NOON)

    with django_assert_num_queries(len(small.captured_queries)):
        claim(ana, preset, name="two")


def test_a_hand_over_takes_nine_statements(ana, preset, django_assert_num_queries):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    assert preset.version.template, "read before counting"

    # Template, preset, values, definitions; lock; workspace, job, build, claim; and the savepoint
    # that is the transaction outside of tests.
    with django_assert_num_queries(9 + 2):
        claim(ana, preset)


def test_a_hand_over_reads_one_of_a_versions_presets(ana):
    specs = [PresetSpec(name=f"P{number}", desired_instances=1) for number in range(5)]
    preset = factories.preset_of(factories.make_template(presets=specs), "P3")
    factories.make_ready_prebuilds(preset, 1, now=NOON)

    with CaptureQueriesContext(connection) as statements:
        claim(ana, preset)

    (read,) = [one["sql"] for one in statements if 'FROM "templates_app_preset" ' in one["sql"]]
    assert str(preset.pk.hex) in read.replace("-", "")


def test_starting_and_stopping_ones_own_workspace_never_claims(ana, preset):
    (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    workspace = claim(ana, preset).workspace
    factories.finish_all_jobs(now=NOON)
    (other,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    for transition in (Transition.STOP, Transition.START):
        factories.ask_for(workspace, transition, by=ana, now=LATER)
        factories.finish_all_jobs(now=LATER)

    other.refresh_from_db()
    assert workspace.pk == prebuild.pk
    assert other.owner_id == PREBUILDS_USER_ID
    assert Claim.objects.count() == 1


def test_a_claimed_workspace_whose_claim_build_failed_is_told_nothing(ana, preset):
    (prebuild,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    claim(ana, preset)
    factories.finish_all_jobs(now=LATER, fail="bad")

    assert agents.reinit_answer(prebuild.pk) == agents.NeverAgain()


def test_jobs_of_people_are_taken_before_those_of_the_pool(ana, preset):
    factories.make_ready_prebuilds(preset, 2, now=NOON)
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    workspace = claim(ana, preset).workspace

    assert factories.acquire(now=LATER).workspace_id == workspace.pk
