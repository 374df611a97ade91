"""Notices open, change and close with their cause, cycle by cycle (semantics.md 21)."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.models import Group, GroupMembership
from accounts.system import PREBUILDS_USER_ID
from prebuilds import notices, reconciler, selectors
from prebuilds.core.policy import Policy
from prebuilds.models import Claim, Notice, ReconcileRun, Trigger
from templates_app import services as template_services
from templates_app.models import Preset
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours
from tests.integration.referee import run
from workspaces.models import ProvisionerJob, WorkspaceBuild
from workspaces.protocol import ResourceReplacement
from workspaces.services import jobs

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
NOONS = (("* 12 * * *", 2),)


def cycle(now=NOON, policy=None, **kwargs):
    return reconciler.run_cycle(
        trigger=Trigger.COMMAND, policy=policy or Policy(), clock=lambda: now, **kwargs
    )


def make_preset(**spec):
    version = spec.pop("version", {})
    spec = PresetSpec(**{"name": "Small", "desired_instances": 1, **spec})
    template = factories.make_template(presets=(spec,), check_presets=False, **version)
    return factories.preset_of(template)


def told(**lookups):
    return [
        (one.kind, one.closed_at is None)
        for one in Notice.objects.filter(**lookups).order_by("opened_at", "kind")
    ]


def build_all(now):
    factories.finish_all_jobs(now=now)


def fail_three_times(preset, error="no such image"):
    """Let the pool fail until it is hard-limited, an hour apart; return when that was found."""
    for number in range(3):
        cycle(NOON + hours(2 * number))
        factories.finish_all_jobs(now=NOON + hours(2 * number) + SECOND, fail=error)
    return NOON + hours(5)


def break_zone(preset, zone="Mars/Olympus"):
    run(
        "UPDATE templates_app_preset SET scheduling_timezone = %s WHERE id = %s",
        zone,
        preset.pk,
    )


def cold_start(preset, now):
    factories.claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=now,
    )


class TestHardLimited:
    def test_it_opens_with_the_last_errors_own_words_in_the_cycle_that_finds_it(self):
        preset = make_preset()
        found_at = fail_three_times(preset, "no such image: tool:9")
        before = told()

        cycle(found_at)

        notice = Notice.objects.get()
        assert before == []
        assert (notice.kind, notice.preset_id) == ("hard_limited", preset.pk)
        assert notice.organization_id == preset.version.template.organization_id
        assert notice.detail == "no such image: tool:9"
        assert (notice.opened_at, notice.closed_at, notice.cold_starts) == (found_at, None, None)

    def test_what_a_later_build_of_a_prebuild_said_is_not_the_pools_trouble(self):
        found_at = fail_three_times(make_preset())
        specimen = factories.Workspace.objects.order_by("created_at").last()
        restarter = factories.User.with_system.get(pk=PREBUILDS_USER_ID)
        factories.ask_for(specimen, factories.Transition.START, by=restarter, now=found_at)
        factories.finish_all_jobs(now=found_at, fail="of a restart")

        cycle(found_at)

        assert Notice.objects.get(kind="hard_limited").detail == "no such image"

    def test_it_opens_once_however_often_it_is_seen(self):
        found_at = fail_three_times(make_preset())

        for number in range(3):
            cycle(found_at + number * MINUTE)

        assert told() == [("hard_limited", True)]

    def test_after_retry_and_success_it_is_closed_with_how_long_and_at_what_cost(self):
        preset = make_preset()
        found_at = fail_three_times(preset)
        cold_start(preset, found_at - SECOND)
        cycle(found_at)
        for number in range(3):
            cold_start(preset, found_at + number * MINUTE)

        template_services.retry_preset(preset_id=preset.pk, now=found_at + hours(1))
        cycle(found_at + hours(1))
        build_all(found_at + hours(1))
        cold_start(preset, found_at + hours(2))
        cycle(found_at + hours(2))

        (row,) = selectors.list_notices(now=found_at + hours(1) + SECOND, open_only=False)
        assert row.closed_at == found_at + hours(1)
        assert (row.lasted, row.cold_starts, row.cold_starts_last_hour) == (hours(1), 3, 0)

    def test_a_request_that_was_refused_is_no_cold_start(self):
        preset = make_preset()
        cycle(fail_three_times(preset))
        Claim.objects.create(
            template=preset.version.template,
            preset=preset,
            user=factories.make_user(),
            outcome="cold",
            reason="quota",
            created_at=NOON + hours(6),
        )
        cold_start(preset, NOON + hours(6))

        (row,) = selectors.list_notices(now=NOON + hours(7))

        assert (row.kind, row.cold_starts) == ("hard_limited", 1)

    def test_it_opens_anew_when_it_happens_again(self):
        preset = make_preset()
        found_at = fail_three_times(preset)
        cycle(found_at)
        template_services.retry_preset(preset_id=preset.pk, now=found_at + SECOND)
        for number in range(3):
            at = found_at + DAY + hours(2 * number)
            cycle(at)
            factories.finish_all_jobs(now=at + SECOND, fail="again")

        cycle(found_at + 2 * DAY)

        assert told(kind="hard_limited") == [("hard_limited", False), ("hard_limited", True)]
        assert Notice.objects.get(kind="hard_limited", closed_at=None).detail == "again"

    def test_prebuilds_that_were_never_ready_left_no_words_but_it_says_so(self):
        make_preset()
        policy = Policy(failure_hard_limit=1)
        cycle(NOON, policy)
        build_all(NOON)

        cycle(NOON + hours(1), policy)
        cycle(NOON + hours(2), policy)

        notice = Notice.objects.get()
        assert (notice.kind, notice.detail) == ("hard_limited", notices.NEVER_READY)


class TestValidationFailed:
    REGION = ParameterDefinition(name="region", type="string", required=True)

    def test_it_opens_in_the_cycle_whose_creation_was_refused_and_closes_when_cleared(self):
        preset = make_preset(version={"definitions": [self.REGION]})

        cycle()
        opened = Notice.objects.get()
        template_services.retry_preset(preset_id=preset.pk, now=NOON + MINUTE)
        Preset.objects.update(desired_instances=0)
        cycle(NOON + 2 * MINUTE)

        preset.refresh_from_db()
        assert (opened.kind, opened.opened_at) == ("validation_failed", NOON)
        assert "region" in opened.detail
        assert told() == [("validation_failed", False)]

    def test_a_pool_that_recovers_only_to_be_refused_is_told_of_in_that_cycle(self):
        make_preset(version={"definitions": [self.REGION]})
        Preset.objects.update(prebuild_status="hard_limited")

        cycle()

        assert Preset.objects.get().prebuild_status == "validation_failed"
        assert told() == [("validation_failed", True)]

    def test_what_it_says_follows_the_reason(self):
        preset = make_preset(version={"definitions": [self.REGION]})
        cycle()
        template_services.mark_validation_failed(
            preset_id=preset.pk, reason="zone: unknown", now=NOON
        )

        cycle(NOON + MINUTE)

        notice = Notice.objects.get()
        assert (notice.detail, notice.opened_at, notice.closed_at) == ("zone: unknown", NOON, None)


class TestBadSchedule:
    def test_it_opens_once_is_logged_once_and_closes_when_mended(self, caplog):
        preset = make_preset(schedules=NOONS)
        break_zone(preset)

        with caplog.at_level(logging.WARNING):
            for number in range(3):
                cycle(NOON + number * SECOND)
        opened = Notice.objects.get()
        break_zone(preset, "Europe/Berlin")
        cycle(NOON + MINUTE)

        (record,) = [one for one in caplog.records if one.message == "schedule cannot be read"]
        assert (record.preset, record.problem) == (str(preset.pk), opened.detail)
        assert "Mars/Olympus" in opened.detail
        assert told() == [("bad_schedule", False)]

    def test_bad_in_another_way_is_the_same_notice_said_and_logged_anew(self, caplog):
        preset = make_preset(schedules=NOONS)
        break_zone(preset)
        cycle()
        break_zone(preset, "Moon/Tranquility")
        caplog.clear()

        with caplog.at_level(logging.WARNING):
            cycle(NOON + MINUTE)
            cycle(NOON + 2 * MINUTE)

        notice = Notice.objects.get()
        assert "Moon/Tranquility" in notice.detail
        assert notice.opened_at == NOON
        assert [one.message for one in caplog.records].count("schedule cannot be read") == 1

    def test_the_pool_page_says_it_too(self):
        preset = make_preset(schedules=NOONS)
        break_zone(preset)

        (pool,) = selectors.list_pools(now=NOON).pools

        assert "A schedule cannot be read:" in pool.reason


class TestQuota:
    def allow(self, allowance):
        cycle(NOON - MINUTE, selected=lambda preset: False)
        Group.objects.update(quota_allowance=allowance)

    def test_a_pool_that_is_held_has_a_notice_until_it_fits(self):
        preset = make_preset(desired_instances=3, version={"daily_cost": 10})
        self.allow(25)

        cycle()
        opened = Notice.objects.get(kind="quota")
        Group.objects.update(quota_allowance=100)
        cycle(NOON + MINUTE)

        assert opened.preset_id == preset.pk
        assert opened.details == {"held": 1, "daily_cost": 10}
        assert told(kind="quota") == [("quota", False)]

    def test_the_organization_is_warned_at_80_percent_and_no_longer_below(self):
        make_preset(desired_instances=4, version={"daily_cost": 2})
        self.allow(10)

        cycle()
        before = told()
        cycle(NOON + MINUTE)
        warning = Notice.objects.get()
        Group.objects.update(quota_allowance=11)
        cycle(NOON + 2 * MINUTE)

        assert before == []
        assert (warning.kind, warning.preset_id) == ("quota_warning", None)
        assert warning.details == {"used": 8, "allowance": 10}
        assert told() == [("quota_warning", False)]
        assert Notice.objects.get().cold_starts == 0

    def test_a_claim_that_is_refilled_at_once_does_not_close_and_open_the_warning(self):
        preset = make_preset(desired_instances=4, version={"daily_cost": 2})
        self.allow(10)
        factories.make_ready_prebuilds(preset, 4, now=NOON)
        person = factories.make_user()
        factories.allow(person, 100)
        cycle()

        for number in range(1, 4):
            factories.claims.claim_or_create_workspace(
                owner=person,
                template=preset.version.template,
                preset_id=preset.pk,
                name=f"mine-{number}",
                parameters={},
                now=NOON + number * MINUTE,
            )
            cycle(NOON + number * MINUTE)
            cycle(NOON + number * MINUTE + SECOND)

        assert Claim.objects.filter(outcome="warm").count() == 3
        assert told() == [("quota_warning", True)]

    def test_the_warning_ends_when_what_was_claimed_is_not_refilled(self):
        preset = make_preset(desired_instances=4, version={"daily_cost": 2})
        self.allow(10)
        cycle()
        cycle(NOON + MINUTE)

        Preset.objects.filter(pk=preset.pk).update(desired_instances=3)
        cycle(NOON + 2 * MINUTE)
        cycle(NOON + 3 * MINUTE)

        assert told() == [("quota_warning", False)]

    def test_an_allowance_of_another_group_counts(self):
        make_preset(desired_instances=4, version={"daily_cost": 2})
        self.allow(10)
        more = Group.objects.create(
            organization=factories.default_organization(), name="more", quota_allowance=10
        )
        GroupMembership.objects.create(group=more, user_id=PREBUILDS_USER_ID)

        cycle()
        cycle(NOON + MINUTE)

        assert told() == []

    def test_what_costs_nothing_is_never_warned_of(self):
        make_preset(desired_instances=4)

        cycle()
        cycle(NOON + MINUTE)

        assert told() == []


class TestStuckDeletion:
    def fail_deletions(self, preset, number=1, tries=3):
        Preset.objects.update(desired_instances=number)
        factories.make_ready_prebuilds(preset, number, now=NOON)
        Preset.objects.update(desired_instances=0)
        for each in range(tries):
            cycle(NOON + hours(each))
            factories.finish_all_jobs(now=NOON + hours(each), fail="disk is busy")
        return NOON + hours(tries)

    def test_two_failures_are_tried_again_and_three_are_a_notice(self):
        preset = make_preset()
        at = self.fail_deletions(preset, tries=2)
        cycle(at)
        before = told()
        factories.finish_all_jobs(now=at, fail="disk is gone")

        cycle(at + hours(1))

        notice = Notice.objects.get()
        (workspace,) = {
            build.workspace_id for build in WorkspaceBuild.objects.filter(transition="delete")
        }
        assert before == []
        assert (notice.kind, notice.detail) == ("stuck_deletion", "disk is gone")
        assert notice.details == {"count": 1, "workspaces": [str(workspace)]}

    def test_a_last_try_that_was_canceled_left_no_words_but_it_says_so(self):
        at = self.fail_deletions(make_preset(), tries=2)
        newest = WorkspaceBuild.objects.filter(transition="delete").order_by("build_number").last()
        ProvisionerJob.objects.filter(pk=newest.job_id).update(
            error="", error_code="", canceled_at=at
        )

        cycle(at, Policy(failure_hard_limit=1))

        notice = Notice.objects.get()
        assert (notice.kind, notice.detail) == ("stuck_deletion", notices.NO_WORDS)

    def test_an_old_version_keeps_it_and_it_closes_when_the_workspace_is_gone(self):
        preset = make_preset()
        at = self.fail_deletions(preset, number=2)
        factories.promote_new_version(preset.version.template, presets=())

        cycle(at)
        opened = Notice.objects.get()
        workspaces = list(factories.Workspace.objects.filter(deleted_at=None))
        left = []
        for number, workspace in enumerate(workspaces, start=1):
            left.append(Notice.objects.get().details["count"])
            factories.ask_for(workspace, factories.Transition.DELETE, now=at)
            build_all(at)
            cycle(at + number * MINUTE)

        assert opened.details["count"] == len(workspaces) == 2
        assert left == [2, 1]
        assert told() == [("stuck_deletion", False)]


class TestReplacedResources:
    DISK = ResourceReplacement(resource="disk", paths=("owner", "size"))

    def claim(self, preset, *replaced, now=NOON, finish=True):
        factories.make_ready_prebuilds(preset, 1, now=now)
        workspace = factories.claim_prebuild(preset, now=now)
        job = factories.acquire(now=now)
        if finish:
            result = replace(factories.result_for(job.workspace_id), replacements=replaced)
            jobs.complete_job(job_id=job.job_id, lease=job.lease, result=result, now=now)
        return workspace

    def test_the_next_cycle_opens_a_notice_that_names_resources_and_paths(self):
        preset = make_preset()
        workspace = self.claim(preset, self.DISK)

        cycle(NOON + MINUTE)
        cycle(NOON + 2 * MINUTE)

        notice = Notice.objects.get()
        assert (notice.kind, notice.preset_id) == ("resource_replaced", preset.pk)
        assert notice.claim == workspace.claim
        assert "disk (owner, size)" in notice.detail
        assert notice.details == {
            "replacements": [{"resource": "disk", "paths": ["owner", "size"]}]
        }

    def test_each_claim_has_its_own(self):
        preset = make_preset()
        self.claim(preset, self.DISK)
        self.claim(preset, self.DISK)

        cycle(NOON + MINUTE)

        assert told() == [("resource_replaced", True)] * 2

    def test_a_claim_that_kept_everything_or_is_not_done_has_none(self):
        preset = make_preset()
        self.claim(preset)
        self.claim(preset, finish=False)

        cycle(NOON + MINUTE)

        assert told() == []

    def test_it_closes_after_seven_days_and_does_not_open_again(self):
        preset = make_preset()
        self.claim(preset, self.DISK)
        cycle(NOON + MINUTE)

        cycle(NOON + MINUTE + 7 * DAY - SECOND)
        before = told()
        (row,) = selectors.list_notices(now=NOON + DAY)
        cycle(NOON + MINUTE + 7 * DAY)
        cycle(NOON + 8 * DAY)

        assert before == [("resource_replaced", True)]
        assert row.next_at == NOON + MINUTE + 7 * DAY
        assert told() == [("resource_replaced", False)]
        assert Notice.objects.get().cold_starts == 0

    def test_it_closes_with_the_version_it_happened_on_and_does_not_open_for_an_old_one(self):
        preset, other = make_preset(), make_preset()
        for each in (preset, other):
            self.claim(each, self.DISK)
        factories.promote_new_version(other.version.template, presets=())
        cycle(NOON + MINUTE)
        before = told()
        factories.promote_new_version(preset.version.template, presets=())

        cycle(NOON + 2 * MINUTE)

        assert before == [("resource_replaced", True)]
        assert told() == [("resource_replaced", False)]

    def test_one_that_is_found_after_seven_days_is_no_news(self):
        self.claim(make_preset(), self.DISK)

        cycle(NOON + 7 * DAY)

        assert told() == []


class TestLeftAlone:
    def broken(self, number=2):
        presets = [make_preset(schedules=NOONS) for _ in range(number)]
        for preset in presets:
            break_zone(preset)
        return presets

    def test_a_preset_whose_version_is_replaced_has_no_notice_any_more(self):
        (preset,) = self.broken(1)
        cycle()
        factories.promote_new_version(preset.version.template, presets=())

        cycle(NOON + MINUTE)

        assert told() == [("bad_schedule", False)]

    def test_the_last_pool_that_goes_takes_its_notice_with_it(self):
        self.broken(1)
        cycle()
        Preset.objects.update(desired_instances=None)

        cycle(NOON + MINUTE)

        assert told() == [("bad_schedule", False)]

    def test_a_clock_that_was_set_back_closes_it_all_the_same(self):
        (preset,) = self.broken(1)
        cycle()
        break_zone(preset, "UTC")

        cycle(NOON - hours(1))

        notice = Notice.objects.get()
        assert notice.closed_at == notice.opened_at == NOON

    def test_a_cycle_for_one_preset_leaves_the_notices_of_the_others(self):
        one, other = self.broken()
        cycle()
        for preset in (one, other):
            break_zone(preset, "UTC")

        cycle(NOON + MINUTE, selected=lambda preset: preset.id == one.pk)

        assert told(preset=one) == [("bad_schedule", False)]
        assert told(preset=other) == [("bad_schedule", True)]

    def test_an_organization_that_was_skipped_keeps_its_notices(self, monkeypatch):
        (preset,) = self.broken(1)
        cycle()
        break_zone(preset, "UTC")
        organization = preset.version.template.organization_id
        monkeypatch.setattr(
            reconciler.account_services,
            "ensure_prebuilds_membership",
            lambda ids: {organization: "broken"},
        )

        cycle(NOON + MINUTE)

        assert told() == [("bad_schedule", True)]

    def test_a_paused_cycle_changes_no_notice(self):
        (preset,) = self.broken(1)
        cycle()
        break_zone(preset, "UTC")
        factories.pause(now=NOON)

        cycle(NOON + MINUTE)

        assert told() == [("bad_schedule", True)]

    def test_a_dry_run_opens_none(self):
        self.broken()

        reconciler.plan_cycle(policy=Policy(), now=NOON)

        assert told() == []


class TestTrouble:
    def test_a_preset_that_cannot_be_judged_does_not_stop_the_notices_of_others(self, monkeypatch):
        poisoned, other = make_preset(schedules=NOONS), make_preset(schedules=NOONS)
        for preset in (poisoned, other):
            break_zone(preset)
        cycle()
        Notice.objects.filter(preset=other).delete()
        real = notices.notices_due

        def judge(decision, policy):
            if decision.preset.id == poisoned.pk:
                raise RuntimeError("poisoned")
            return real(decision, policy)

        monkeypatch.setattr(notices, "notices_due", judge)
        done = cycle(NOON + MINUTE)

        assert done.failed == []
        assert told(preset=poisoned) == [("bad_schedule", True)]
        assert told(preset=other) == [("bad_schedule", True)]

    def test_notices_that_cannot_be_written_break_no_cycle(self, monkeypatch, caplog):
        preset = make_preset(schedules=NOONS)
        break_zone(preset)
        run("ALTER TABLE prebuilds_notice ADD CONSTRAINT refused CHECK (kind = 'none')")

        try:
            done = cycle()
        finally:
            run("ALTER TABLE prebuilds_notice DROP CONSTRAINT refused")

        assert done.total("created") == 1
        assert ReconcileRun.objects.get().completed_at == NOON
        assert "sync notices failed" in caplog.text
        cycle(NOON + MINUTE)
        assert told() == [("bad_schedule", True)]


class TestStatements:
    def counted(self, now):
        with CaptureQueriesContext(connection) as writes:
            cycle(now)
        return [query["sql"] for query in writes if "prebuilds_notice" in query["sql"]], len(writes)

    def test_one_statement_when_nothing_changed_however_many_are_open(self):
        make_preset(desired_instances=0)
        cycle()
        none, all_of_none = self.counted(NOON + SECOND)
        for _ in range(12):
            break_zone(make_preset(desired_instances=0, schedules=(("* 1 * * *", 1),)))
        cycle(NOON + 2 * SECOND)

        many, all_of_many = self.counted(NOON + 3 * SECOND)

        assert Notice.objects.count() == 12
        assert (len(none), len(many)) == (1, 1)
        assert all_of_none == all_of_many

    def test_opening_and_closing_twelve_costs_as_much_as_one(self):
        costs = []
        for number in (1, 11):
            presets = [
                make_preset(desired_instances=0, schedules=(("* 1 * * *", 1),))
                for _ in range(number)
            ]
            cycle()
            for preset in presets:
                break_zone(preset)
            opening = self.counted(NOON + SECOND)
            for preset in presets:
                break_zone(preset, "UTC")
            closing = self.counted(NOON + MINUTE)
            costs.append([(len(found), total) for found, total in (opening, closing)])

        assert costs[0] == costs[1]
        assert Notice.objects.filter(closed_at__isnull=False).count() == 12


class TestList:
    def test_a_notice_names_what_it_is_about_since_when_and_what_it_costs(self):
        preset = make_preset(schedules=NOONS)
        break_zone(preset)
        cycle()
        cold_start(preset, NOON + MINUTE)
        cold_start(preset, NOON + hours(2))

        (row,) = selectors.list_notices(now=NOON + hours(2) + MINUTE)

        template = preset.version.template
        assert (row.kind, row.title) == ("bad_schedule", "A schedule cannot be read")
        assert (row.template_name, row.version_name, row.preset_name) == (
            template.name,
            "1.0.0",
            "Small",
        )
        assert row.organization_name == "default"
        assert (row.opened_at, row.closed_at) == (NOON, None)
        assert row.lasted == hours(2) + MINUTE
        assert (row.cold_starts, row.cold_starts_last_hour) == (2, 1)
        assert row.next_at is None

    def test_open_ones_come_first_then_the_newest_and_closed_ones_only_on_request(self):
        first, second, third = (make_preset(schedules=NOONS) for _ in range(3))
        for number, preset in enumerate((first, second, third)):
            break_zone(preset)
            cycle(NOON + number * MINUTE)
        break_zone(third, "UTC")
        cycle(NOON + hours(1))

        shown = [one.preset_id for one in selectors.list_notices(now=NOON + hours(2))]
        everything = selectors.list_notices(now=NOON + hours(2), open_only=False)

        assert shown == [second.pk, first.pk]
        assert [one.preset_id for one in everything] == [second.pk, first.pk, third.pk]
        assert everything[-1].lasted == hours(1) - 2 * MINUTE
        assert selectors.list_notices(now=NOON, open_only=False, limit=1) == (
            selectors.list_notices(now=NOON)[0],
        )

    def test_it_can_be_narrowed_to_organizations(self):
        elsewhere = factories.make_organization()
        here = make_preset(schedules=NOONS)
        there = make_preset(schedules=NOONS, version={"organization": elsewhere})
        for preset in (here, there):
            break_zone(preset)
        cycle()

        shown = selectors.list_notices(now=NOON, organization_ids=[elsewhere.pk])

        assert [one.preset_id for one in shown] == [there.pk]
        assert selectors.list_notices(now=NOON, organization_ids=[]) == ()

    def test_ten_cost_as_many_statements_as_one(self, django_assert_num_queries):
        for _ in range(10):
            break_zone(make_preset(schedules=NOONS))
        cycle()

        with django_assert_num_queries(1):
            assert len(selectors.list_notices(now=NOON)) == 10
        with django_assert_num_queries(0, connection=connections["snapshot"]):
            selectors.list_notices(now=NOON)
