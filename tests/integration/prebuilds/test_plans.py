"""What the next cycle would do if an edit were saved or a version promoted; and then it does."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import THE_SYSTEM
from prebuilds import plans
from templates_app import services
from templates_app.models import Preset
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetChanges, PresetSpec, VersionSpec
from tests.factories import (
    NOON,
    decide_for,
    finish_all_jobs,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    pause,
    preset_of,
    promote_new_version,
)

pytestmark = pytest.mark.django_db

SIZE = ParameterDefinition(name="size", type="string", options=("s", "m"), default="s")
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def preset():
    small = PresetSpec(name="Small", desired_instances=2, parameters={"size": "s"})
    return preset_of(make_template("web", definitions=[SIZE], presets=[small]))


def preview(preset, *, now=LATER, **changes):
    return plans.preview_edit(preset=preset, changes=PresetChanges(**changes), now=now)


def save(preset, *, now=LATER, **changes):
    services.edit_preset(
        preset_id=preset.pk,
        revision=None,
        changes=PresetChanges(**changes),
        actor=THE_SYSTEM,
        now=now,
    )


def deeds(plan):
    return plan.create, plan.delete, plan.cancel


class TestAnEdit:
    def test_more_are_created(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)

        plan = preview(preset, desired_instances=5).plan

        assert deeds(plan) == (3, 0, 0)
        assert (plan.desired, plan.running) == (5, 2)

    def test_fewer_are_deleted(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)

        assert deeds(preview(preset, desired_instances=0).plan) == (0, 2, 0)

    def test_pending_ones_are_cancelled(self, preset):
        make_pending_prebuilds(preset, 2, now=NOON)

        assert deeds(preview(preset, desired_instances=1).plan) == (0, 0, 1)

    def test_a_changed_value_replaces_the_pool(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)

        assert deeds(preview(preset, parameters={"size": "m"}).plan) == (2, 2, 0)

    def test_a_shorter_ttl_expires_the_old(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)

        plan = preview(preset, now=NOON + timedelta(hours=2), ttl_seconds=3_600).plan

        assert deeds(plan) == (2, 2, 0)

    def test_a_schedule_that_holds_now_counts(self, preset):
        found = preview(preset, schedules=[("* 13 * * *", 7)])

        assert deeds(found.plan) == (7, 0, 0)
        assert [step.instances for step in found.forecast.steps[:3]] == [7, 2, 7]

    def test_a_pool_that_is_given_back_counts_what_still_runs(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)
        Preset.objects.update(desired_instances=None)
        preset.refresh_from_db()

        assert deeds(preview(preset, desired_instances=3).plan) == (1, 0, 0)

    def test_a_pool_for_the_first_time_is_filled(self):
        preset = preset_of(make_template(presets=[PresetSpec(name="Small")]))

        assert deeds(preview(preset, desired_instances=3).plan) == (3, 0, 0)

    def test_an_old_version_s_preset_creates_nothing(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)
        promote_new_version(preset.version.template)

        assert deeds(preview(preset, desired_instances=9).plan) == (0, 2, 0)

    def test_without_a_pool_there_is_nothing_to_foresee(self, preset):
        found = preview(preset, desired_instances=None)

        assert (found.plan, found.forecast, found.problems) == (None, None, ())

    def test_with_problems_there_is_nothing_to_foresee(self, preset):
        found = preview(preset, ttl_seconds=60)

        assert [field for field, _ in found.problems] == ["ttl_seconds"]
        assert (found.plan, found.forecast) == (None, None)

    def test_a_failed_validation_would_be_tried_again(self, preset):
        services.mark_validation_failed(preset_id=preset.pk, reason="gone", now=NOON)
        preset.refresh_from_db()

        unchanged, edited = preview(preset).plan, preview(preset, description="mended").plan

        assert (deeds(unchanged), unchanged.hold_reason) == ((0, 0, 0), "validation_failed")
        assert (deeds(edited), edited.hold_reason) == ((2, 0, 0), None)

    def test_failures_hold_creations_back(self, preset):
        make_pending_prebuilds(preset, 1, now=NOON)
        finish_all_jobs(now=NOON, fail="broken")

        plan = preview(preset, now=NOON + timedelta(seconds=10), desired_instances=4).plan

        assert (plan.create, plan.hold, plan.hold_reason) == (0, 4, "backing_off")

    def test_it_says_what_would_change_and_writes_nothing(self, preset):
        before = Preset.objects.values().get(pk=preset.pk)

        found = preview(preset, desired_instances=5)

        assert (found.difference.before, found.difference.after) == (
            {"desired_instances": 2},
            {"desired_instances": 5},
        )
        assert Preset.objects.values().get(pk=preset.pk) == before

    def test_a_pause_is_told(self, preset):
        pause(now=NOON)

        assert preview(preset).paused

    @pytest.mark.parametrize(
        "changes",
        [
            {"desired_instances": 5},
            {"desired_instances": 0},
            {"parameters": {"size": "m"}},
            {"schedules": [("* 13 * * *", 1)]},
            {"ttl_seconds": 3_600},
        ],
    )
    def test_what_is_promised_is_what_the_cycle_then_decides(self, preset, changes):
        make_ready_prebuilds(preset, 2, now=NOON)
        promised = preview(preset, now=LATER, **changes).plan

        save(preset, **changes)

        kept = plans.decision_in_short(decide_for(preset, now=LATER))
        assert kept == promised


class TestAPromotion:
    def version_of(self, template, *presets, **fields):
        return services.create_version(
            template=template,
            created_by=make_user(),
            spec=VersionSpec(**{"name": "2.0.0", "presets": presets, **fields}),
            check_presets=False,
        )

    def test_the_old_pool_goes_and_the_new_one_comes(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)
        new = self.version_of(
            preset.version.template, PresetSpec(name="Small", desired_instances=3)
        )

        plan = plans.plan_promotion(version=new, now=LATER)

        assert (plan.create, plan.delete, plan.cancel) == (3, 2, 0)
        assert [(one.preset_name, one.pool.create) for one in plan.presets] == [("Small", 3)]

    def test_starts_of_the_old_version_are_cancelled(self, preset):
        make_pending_prebuilds(preset, 2, now=NOON)
        new = self.version_of(preset.version.template)

        plan = plans.plan_promotion(version=new, now=LATER)

        assert (plan.create, plan.delete, plan.cancel) == (0, 0, 2)

    def test_pools_of_other_templates_do_not_matter(self, preset):
        make_ready_prebuilds(preset_of(make_template()), 2, now=NOON)
        new = self.version_of(preset.version.template)

        assert plans.plan_promotion(version=new, now=LATER).delete == 0

    def test_a_preset_that_would_fail_is_named_and_creates_nothing(self, preset):
        region = ParameterDefinition(name="region", type="string", required=True)
        new = self.version_of(
            preset.version.template,
            PresetSpec(name="Bad", desired_instances=3),
            PresetSpec(name="Good", desired_instances=1, parameters={"region": "eu"}),
            definitions=[region],
        )

        bad, good = plans.plan_promotion(version=new, now=LATER).presets

        assert [field for field, _ in bad.problems] == ["parameters.region"]
        assert (bad.pool.create, bad.pool.hold, bad.pool.hold_reason) == (0, 3, "validation_failed")
        assert (good.problems, good.pool.create) == ((), 1)

    def test_a_preset_without_a_pool_has_none_to_plan(self, preset):
        new = self.version_of(preset.version.template, PresetSpec(name="Small"))

        (verdict,) = plans.plan_promotion(version=new, now=LATER).presets

        assert verdict.pool is None

    def test_going_back_keeps_what_is_left_of_the_old_pool(self, preset):
        make_ready_prebuilds(preset, 2, now=NOON)
        promote_new_version(preset.version.template)

        plan = plans.plan_promotion(version=preset.version, now=LATER)

        assert (plan.create, plan.delete) == (0, 0)

    def test_it_takes_as_many_statements_however_many_presets(self, preset):
        taken = []
        for number in (1, 5):
            presets = [PresetSpec(name=f"P{n}", desired_instances=1) for n in range(number)]
            new = self.version_of(preset.version.template, *presets, name=f"{number + 1}.0.0")
            with CaptureQueriesContext(connection) as statements:
                plans.plan_promotion(version=new, now=LATER)
            taken.append(len(statements))

        assert taken[0] == taken[1]
