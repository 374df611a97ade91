"""Metrics: right from any replica, after restarts, and never going back (semantics.md 20)."""

import re
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from prebuilds import claims, metrics
from prebuilds.metrics import exposition, totals
from prebuilds.models import Mail, MetricMark, ReconcileRun
from templates_app import services as template_services
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from tests.integration.prebuilds import mailing
from workspaces.models import WorkspaceBuild

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

HOUR = timedelta(hours=1)
STATEMENTS = 8
LABELS = {"template_name": "shell", "preset_name": "Small", "organization_name": "default"}


@pytest.fixture
def preset():
    return make_pool()


def make_pool(name="shell", desired=2):
    spec = PresetSpec(name="Small", desired_instances=desired)
    return factories.preset_of(factories.make_template(name, presets=(spec,)))


def read(*, now=NOON + HOUR):
    """Return {(name, labels): value} of the whole exposition, parsed by Prometheus' own parser."""
    found = {}
    for family in text_string_to_metric_families(exposition.render(now=now)):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def value(name, *, now=NOON + HOUR, **labels):
    return read(now=now).get((f"coderd_{name}", frozenset(labels.items())))


def of_pool(name, *, now=NOON + HOUR, **labels):
    return value(f"prebuilt_workspaces_{name}", now=now, **LABELS, **labels)


def plan_start(*, at):
    workspace = factories.make_workspace(now=NOON)
    workspace.autostart_schedule, workspace.next_start_at = "0 9 * * *", at
    workspace.save()
    return workspace


def overdue(transition, *, now=NOON + HOUR):
    return value("prebuilds_lifecycle_overdue_seconds", now=now, transition=transition)


def claim(preset, *, name="mine", now=NOON):
    return claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name=name,
        parameters={},
        now=now,
    )


class TestGauges:
    def test_a_pools_numbers_are_those_of_its_state(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.make_pending_prebuilds(preset, 1, now=NOON)

        found = [of_pool(name) for name in ("desired", "running", "eligible", "starting")]

        assert found == [2, 1, 1, 1]

    def test_what_is_not_true_has_no_series(self, preset):
        assert of_pool("preset_hard_limited") is None
        assert of_pool("preset_validation_failed") is None

    def test_validation_failed_is_1_while_it_is_true(self, preset):
        template_services.mark_validation_failed(preset_id=preset.pk, reason="no", now=NOON)
        during = of_pool("preset_validation_failed")
        template_services.retry_preset(preset_id=preset.pk, now=NOON)

        assert (during, of_pool("preset_validation_failed")) == (1, None)

    def test_what_is_held_back_says_why(self, preset):
        template_services.mark_validation_failed(preset_id=preset.pk, reason="no", now=NOON)

        assert of_pool("held", reason="validation_failed") == 2

    def test_an_old_version_and_a_deleted_template_have_no_gauges(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.promote_new_version(preset.version.template)

        assert of_pool("running") == 0

    def test_a_pause_and_the_queue_and_the_heartbeat_are_told(self, preset):
        factories.make_pending_prebuilds(preset, 2, now=NOON)
        factories.pause(now=NOON)
        ReconcileRun.objects.create(trigger="bell", started_at=NOON, completed_at=NOON)

        assert value("prebuilt_workspaces_reconciliation_paused") == 1
        assert value("prebuilds_job_queue_depth", initiator="prebuilds") == 2
        assert value("prebuilds_job_queue_oldest_seconds", initiator="prebuilds") == 3600
        assert value("prebuilds_job_queue_depth", initiator="people") == 0
        assert value("prebuilds_seconds_since_last_cycle") == 3600
        assert value("prebuilds_provisioners_online") == 0
        assert value("prebuilt_workspaces_metrics_last_updated") == (NOON + HOUR).timestamp()

    def test_the_last_completed_cycle_has_no_age_before_the_first(self):
        assert value("prebuilds_seconds_since_last_cycle") is None

    @pytest.mark.parametrize(("minutes", "late"), [(59, 0), (61, 60)])
    def test_an_autostop_that_did_not_come_is_overdue(self, minutes, late):
        workspace = factories.make_workspace(now=NOON)
        factories.finish_all_jobs(now=NOON)
        WorkspaceBuild.objects.filter(workspace=workspace).update(deadline=NOON + HOUR)

        now = NOON + timedelta(minutes=minutes)
        assert overdue("stop", now=now) == late
        assert overdue("start", now=now) == 0

    def test_the_autostart_that_should_have_come_first_says_how_late_it_is(self):
        for minutes in (7, 3, 90):
            plan_start(at=NOON + timedelta(minutes=minutes))

        assert overdue("start", now=NOON + timedelta(minutes=10)) == 7 * 60

    def test_what_is_deleted_is_not_overdue(self):
        workspace = plan_start(at=NOON)
        workspace.deleted_at = NOON
        workspace.save()
        WorkspaceBuild.objects.filter(workspace=workspace).update(deadline=NOON)

        assert (overdue("stop"), overdue("start")) == (0, 0)


class TestMails:
    @pytest.fixture(autouse=True)
    def _mail_server(self, settings):
        settings.PREBUILDS_SENDS_MAIL = True

    def test_what_waits_is_counted_with_the_age_of_the_oldest(self, preset):
        mailing.make_reader("tess")
        mailing.open_notice(preset, kind="hard_limited", now=NOON)
        mailing.open_notice(preset, kind="quota", now=NOON + timedelta(minutes=10))

        assert value("prebuilds_mails_waiting") == 2
        assert value("prebuilds_mail_oldest_seconds") == 3600

    def test_what_was_sent_or_given_up_does_not_wait(self, preset):
        for name in ("tess", "ana"):
            mailing.make_reader(name)
        mailing.open_notice(preset, now=NOON)
        sent, given_up = Mail.objects.all()
        sent.sent_at, given_up.given_up_at, given_up.error = NOON, NOON, "no such address"
        sent.save()
        given_up.save()

        assert value("prebuilds_mails_waiting") == 0
        assert value("prebuilds_mail_oldest_seconds") == 0

    def test_without_a_mail_server_nothing_is_expected_to_go_out(self, preset, settings):
        settings.PREBUILDS_SENDS_MAIL = False
        mailing.make_reader("tess")
        mailing.open_notice(preset, now=NOON)

        assert value("prebuilds_mails_waiting") is None
        assert value("prebuilds_mail_oldest_seconds") is None


class TestCounters:
    def test_every_first_build_of_a_prebuild_is_created_and_a_failed_one_failed(self, preset):
        factories.make_pending_prebuilds(preset, 2, now=NOON)
        factories.finish_all_jobs(now=NOON, fail="broken")
        factories.make_ready_prebuilds(preset, 1, now=NOON)

        assert (of_pool("created_total"), of_pool("failed_total")) == (3, 1 + 1)

    def test_claims_are_counted_by_outcome_and_reason(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        claim(preset)
        claim(preset)

        assert of_pool("claimed_total") == 1
        assert of_pool("claims_total", outcome="warm", reason="warm") == 1
        assert of_pool("claims_total", outcome="cold", reason="pool_empty") == 1

    def test_a_claim_that_had_to_make_resources_anew_is_counted(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        workspace = claim(preset).workspace
        factories.finish_all_jobs(now=NOON)
        WorkspaceBuild.objects.filter(pk=workspace.latest_build_id).update(
            replacements=[{"resource": "vm", "paths": ["size"]}]
        )

        assert of_pool("resource_replacements_total") == 1

    def test_a_pool_that_never_did_anything_counts_0(self, preset):
        assert (of_pool("created_total"), of_pool("claimed_total")) == (0, 0)

    def test_versions_and_re_created_templates_of_one_name_are_one_series(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        template = factories.promote_new_version(preset.version.template)
        factories.make_ready_prebuilds(factories.preset_of(template), 1, now=NOON)
        template.deleted_at = NOON
        template.save()
        again = make_pool()
        factories.make_ready_prebuilds(again, 1, now=NOON)

        assert of_pool("created_total") == 3


class TestHistograms:
    def test_a_claim_falls_into_its_buckets(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        claim(preset)
        factories.finish_all_jobs(now=NOON + timedelta(seconds=7))

        name = "prebuilt_workspace_claim_duration_seconds"
        counts = [value(f"{name}_bucket", **LABELS, le=le) for le in ("5", "10", "300", "+Inf")]

        assert counts == [0, 1, 1, 1]
        assert value(f"{name}_sum", **LABELS) == 7
        assert value(f"{name}_count", **LABELS) == 1

    def test_a_time_on_the_bound_belongs_to_it(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        claim(preset)
        factories.finish_all_jobs(now=NOON + timedelta(seconds=5))

        name = "prebuilt_workspace_claim_duration_seconds_bucket"
        assert value(name, **LABELS, le="5") == 1

    def test_a_clock_that_went_back_meanwhile_takes_nothing_from_the_sum(self, preset):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        claim(preset)
        factories.finish_all_jobs(now=NOON - timedelta(seconds=30))
        ReconcileRun.objects.create(
            trigger="bell", started_at=NOON, completed_at=NOON - timedelta(seconds=1)
        )

        name = "prebuilt_workspace_claim_duration_seconds"
        assert value(f"{name}_count", **LABELS) == value(f"{name}_bucket", **LABELS, le="1") == 1
        assert value(f"{name}_sum", **LABELS) == 0
        assert value("prebuilds_reconciliation_duration_seconds_sum") == 0

    def test_creations_of_prebuilds_and_of_people_are_told_apart(self, preset):
        claim(preset)
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        factories.finish_all_jobs(now=NOON + timedelta(seconds=30))

        name = "workspace_creation_duration_seconds_count"
        assert value(name, **LABELS, type="regular") == 1
        assert value(name, **LABELS, type="prebuild") == 1

    def test_cycles_are_measured(self):
        ReconcileRun.objects.create(
            trigger="bell", started_at=NOON, completed_at=NOON + timedelta(seconds=0.2)
        )

        name = "prebuilds_reconciliation_duration_seconds"
        assert value(f"{name}_bucket", le="0.1") == 0
        assert value(f"{name}_bucket", le="0.25") == 1


class TestNeverBack:
    def test_adding_up_changes_no_number(self, preset):
        factories.make_ready_prebuilds(preset, 2, now=NOON)
        claim(preset)
        factories.finish_all_jobs(now=NOON + timedelta(seconds=3))
        before = read()

        changed = metrics.accumulate(now=NOON + HOUR)

        assert changed > 0
        assert read() == before

    def test_nothing_is_counted_twice_however_often_it_is_added_up(self):
        preset = make_pool(desired=4)
        for hour in range(4):
            factories.make_ready_prebuilds(preset, 1, now=NOON + hour * HOUR)
            metrics.accumulate(now=NOON + hour * HOUR + timedelta(minutes=30))

        assert of_pool("created_total", now=NOON + 5 * HOUR) == 4

    def test_rows_that_are_gone_stay_counted(self):
        run = ReconcileRun.objects.create(trigger="bell", started_at=NOON, completed_at=NOON)
        metrics.accumulate(now=NOON + HOUR)
        run.delete()

        assert value("prebuilds_reconciliation_duration_seconds_count") == 1

    def test_the_mark_stays_behind_the_clock_for_what_is_not_committed_yet(self):
        metrics.accumulate(now=NOON)

        assert MetricMark.objects.get().counted_until == NOON - totals.MARGIN

    def test_a_clock_that_went_back_moves_no_mark(self):
        metrics.accumulate(now=NOON)

        assert metrics.accumulate(now=NOON - HOUR) == 0
        assert MetricMark.objects.get().counted_until == NOON - totals.MARGIN


class TestText:
    def test_every_metric_has_its_help_and_type_once(self, preset):
        text = exposition.render(now=NOON)

        names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
        assert len(names) == len(set(names)) == len(re.findall(r"^# HELP", text, re.MULTILINE))
        assert all(name.startswith("coderd_") for name in names)

    def test_the_namespace_can_be_another(self, preset, settings):
        settings.PREBUILDS_METRICS_NAMESPACE = "house"

        assert "house_prebuilt_workspaces_desired" in exposition.render(now=NOON)

    def test_a_name_with_quotes_and_line_breaks_is_escaped(self):
        spec = PresetSpec(name='a "b"\\\n', desired_instances=1)
        factories.make_template("shell", presets=(spec,))

        labels = {**LABELS, "preset_name": 'a "b"\\\n'}
        assert value("prebuilt_workspaces_desired", **labels) == 1

    def test_the_number_of_statements_does_not_grow(self, django_assert_num_queries, settings):
        settings.PREBUILDS_SENDS_MAIL = True
        for number in range(5):
            make_pool(f"t{number}")

        with django_assert_num_queries(STATEMENTS, using="default"):
            exposition.render(now=NOON)


class TestKept:
    def test_it_is_read_anew_after_a_few_seconds(self, preset):
        clock = Clock()
        kept = metrics.Exposition(clock)
        first = kept.text()

        clock.now += timedelta(seconds=4)
        assert kept.text() is first
        clock.now += timedelta(seconds=2)
        assert kept.text() is not first

    def test_a_clock_that_went_back_does_not_keep_it_until_it_has_caught_up(self, preset):
        clock = Clock()
        kept = metrics.Exposition(clock)
        first = kept.text()

        clock.now -= HOUR

        assert kept.text() is not first
        assert f"last_updated {clock.now.timestamp()}" in kept.text()


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now
