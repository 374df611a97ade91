"""What a trace shows of cycles and claims, and what it must never show."""

import json
import logging
from datetime import timedelta

import pytest
from opentelemetry.trace import StatusCode

from config.logs import JsonFormatter
from prebuilds import claims, execution, locks, reconciler
from prebuilds.core.policy import Policy
from prebuilds.models import ReconcileRun, Trigger
from templates_app.models import Preset
from templates_app.parameters import InvalidParameters, ParameterDefinition
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from tests.recording import facts_of, recording
from workspaces import tracing
from workspaces.models import Workspace

__all__ = ["recording"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

SECRET = "hunter2-do-not-tell"
KEY = ParameterDefinition(name="api_key", type="string", default="none")
SIZE = ParameterDefinition(name="size", type="string", default="s", options=("s", "m"))


def cycle(now=NOON):
    return reconciler.run_cycle(trigger=Trigger.COMMAND, policy=Policy(), clock=lambda: now)


def make_preset(**spec):
    spec = PresetSpec(**{"name": "Small", "desired_instances": 2, **spec})
    template = factories.make_template(presets=(spec,), definitions=(KEY, SIZE))
    return factories.preset_of(template)


@pytest.fixture
def lines(caplog):
    """The log as a program reads it: each line as it is written, in the thread that writes it."""
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    return lambda: [json.loads(line) for line in caplog.text.splitlines()]


class TestCycle:
    def test_its_steps_hang_together_down_to_the_effect(self, recording):
        make_preset()

        cycle()

        paths = {"/".join(recording.path(recording.one(name))) for name in names(recording)}
        assert paths == {
            "reconcile.cycle",
            "reconcile.cycle/reconcile.lock",
            "reconcile.cycle/reconcile.snapshot",
            "reconcile.cycle/reconcile.decide",
            "reconcile.cycle/reconcile.preset",
            "reconcile.cycle/reconcile.preset/reconcile.action",
            "reconcile.cycle/reconcile.preset/reconcile.action/prebuild.create",
            "reconcile.cycle/reconcile.notices",
        }

    def test_the_jobs_it_asks_for_say_so(self, recording):
        make_preset()

        cycle()

        step = recording.one("prebuild.create").context
        told = f"00-{step.trace_id:032x}-{step.span_id:016x}-{step.trace_flags:02x}"
        assert [factories.acquire().traceparent for _ in range(2)] == [told, told]

    def test_without_a_trace_its_jobs_say_nothing(self):
        make_preset()

        cycle()

        assert factories.acquire().traceparent == ""

    def test_it_is_found_by_ids_names_and_counts(self, recording):
        preset = make_preset()

        done = cycle()

        counts = {"created": 2, "deleted": 0, "cancelled": 0, "held": 0}
        assert recording.facts("reconcile.cycle") == {
            "run_id": done.run_id,
            "trigger": "command",
            "presets": 1,
            "paused": False,
            "failed": 0,
            **counts,
        }
        assert recording.facts("reconcile.lock") == {"run_id": done.run_id, "lock_acquired": True}
        assert recording.facts("reconcile.preset") == {
            "run_id": done.run_id,
            "preset_id": str(preset.pk),
            "preset": "Small",
            "template": preset.version.template.name,
            "template_version": preset.version.name,
            "organization_id": str(preset.version.template.organization_id),
            **counts,
        }
        assert recording.facts("reconcile.action") == {
            "run_id": done.run_id,
            "action": "create",
            "reason": "missing",
            "count": 2,
        }
        made = recording.facts("prebuild.create")
        assert (made["wanted"], made["created"]) == (2, 2)
        assert set(made["workspace_ids"]) == {str(one.pk) for one in Workspace.objects.all()}

    def test_deletions_and_cancellations_name_their_workspaces(self, recording):
        preset = make_preset(desired_instances=4)
        built = factories.make_ready_prebuilds(preset, 3, now=NOON)
        (pending,) = factories.make_pending_prebuilds(preset, 1, now=NOON)
        recording.exporter.clear()
        Preset.objects.update(desired_instances=0)

        cycle(NOON + timedelta(minutes=1))

        deletion, cancel = recording.facts("prebuild.delete"), recording.facts("prebuild.cancel")
        assert set(deletion["workspace_ids"]) == {str(one.pk) for one in built}
        assert deletion["deleted"] == 3
        assert cancel["workspace_id"] == str(pending.pk)
        assert cancel["canceled"] is True

    def test_presets_in_other_threads_are_part_of_it_and_so_are_their_lines(
        self, recording, lines, monkeypatch
    ):
        for _ in range(4):
            make_preset()
        real = execution.execute_decision

        def execute(decision, **options):
            logging.getLogger("prebuilds.tests").info("in a thread")
            return real(decision, **options)

        monkeypatch.setattr(execution, "execute_decision", execute)

        done = cycle()

        root = recording.one("reconcile.cycle").context.span_id
        assert [one.parent.span_id for one in recording.named("reconcile.preset")] == [root] * 4
        told = [line for line in lines() if line["message"] == "in a thread"]
        assert {line["run_id"] for line in told} == {done.run_id}
        spans = {f"{one.context.span_id:016x}" for one in recording.named("reconcile.preset")}
        assert {line["span_id"] for line in told} == spans

    def test_a_preset_without_anything_to_do_costs_no_span(self, recording):
        make_preset()
        Preset.objects.update(prebuild_status="validation_failed")

        held = cycle()

        assert held.total("held") == 2
        assert recording.named("reconcile.preset") == []

    def test_one_that_fails_says_of_what_type_and_nothing_else(self, recording, monkeypatch):
        make_preset()

        def fail(*_, **__):
            raise RuntimeError(f"password={SECRET} {SECRET}")

        monkeypatch.setattr("prebuilds.execution.creation.create_prebuilds", fail)

        cycle()

        preset, action = recording.one("reconcile.preset"), recording.one("reconcile.action")
        assert preset.status.status_code == action.status.status_code == StatusCode.ERROR
        assert action.status.description == action.attributes["error.type"] == "RuntimeError"
        assert recording.facts("reconcile.cycle")["failed"] == 1
        assert recording.one("reconcile.cycle").status.status_code == StatusCode.UNSET
        assert SECRET not in recording.words()

    def test_one_that_cannot_go_on_is_a_failed_span_and_a_failed_run(self, recording, monkeypatch):
        def fail(*_):
            raise RuntimeError(SECRET)

        monkeypatch.setattr(reconciler, "decide", fail)

        with pytest.raises(RuntimeError):
            cycle()

        failed = recording.one("reconcile.cycle")
        assert failed.status.description == "RuntimeError"
        assert facts_of(failed)["run_id"] == ReconcileRun.objects.get().pk
        assert SECRET not in recording.words()

    def test_beside_another_it_ends_after_the_lock(self, recording):
        with locks.try_reconcile_lock():
            alone = in_thread(cycle)

        assert not alone.lock_acquired
        assert names(recording) == {"reconcile.cycle", "reconcile.lock"}
        assert recording.facts("reconcile.lock")["lock_acquired"] is False


class TestLine:
    def test_a_cycle_that_did_something_is_one_line(self, lines):
        make_preset()
        instants = iter([NOON, NOON + timedelta(seconds=1.5)])

        reconciler.run_cycle(trigger=Trigger.BELL, policy=Policy(), clock=lambda: next(instants))

        (line,) = [one for one in lines() if one["message"] == "cycle done"]
        assert line.pop("time").endswith("Z")
        assert line == {
            "level": "INFO",
            "logger": "prebuilds.cycles",
            "message": "cycle done",
            "run_id": ReconcileRun.objects.get().pk,
            "trigger": "bell",
            "seconds": 1.5,
            "presets": 1,
            "presets_failed": 0,
            "skipped_organizations": 0,
            "prebuilds_created": 2,
            "prebuilds_deleted": 0,
            "prebuilds_cancelled": 0,
            "prebuilds_held": 0,
        }

    def test_a_cycle_that_did_nothing_or_only_withheld_is_none(self, lines):
        make_preset()
        Preset.objects.update(prebuild_status="validation_failed")

        held, paused = cycle(), factories.pause(now=NOON) and cycle()

        assert held.total("held") == 2
        assert paused.paused
        assert [line for line in lines() if line["message"] == "cycle done"] == []

    def test_a_preset_that_failed_is_named_with_the_run_and_without_its_secret(
        self, lines, monkeypatch
    ):
        make_preset()

        def fail(*_, **__):
            raise RuntimeError(f"cannot reach https://bot:{SECRET}@example.com")

        monkeypatch.setattr("prebuilds.execution.creation.create_prebuilds", fail)

        done = cycle()

        told = [line for line in lines() if line["run_id"] == done.run_id]
        assert [line["message"] for line in told] == ["reconcile preset failed", "cycle done"]
        assert "https://bot:(hidden)@example.com" in told[0]["exception"]
        assert told[1]["presets_failed"] == 1
        assert SECRET not in json.dumps(told)


class TestClaim:
    def test_a_warm_one_names_what_was_given_to_whom_and_why(self, recording):
        preset, ana = make_preset(), factories.make_user("ana")
        factories.make_ready_prebuilds(preset, 1)

        with tracing.bind(request_id="abc"):
            result = claim(preset, ana)

        assert recording.facts("prebuild.claim") == {
            "request_id": "abc",
            "template": preset.version.template.name,
            "template_id": str(preset.version.template_id),
            "user_id": str(ana.pk),
            "preset_id": str(preset.pk),
            "claim_id": str(result.claim_id),
            "outcome": "warm",
            "reason": "warm",
            "workspace_id": str(result.workspace.pk),
            "workspace": "mine",
            "repeated": False,
        }

    def test_its_job_says_which_step_asked_for_it(self, recording):
        preset, ana = make_preset(), factories.make_user("ana")
        factories.make_ready_prebuilds(preset, 1)

        workspace = claim(preset, ana).workspace

        step = recording.one("prebuild.claim").context
        told = f"00-{step.trace_id:032x}-{step.span_id:016x}-{step.trace_flags:02x}"
        assert workspace.jobs.get(completed_at=None).traceparent == told
        assert factories.acquire().traceparent == told

    def test_values_are_never_told_of_a_claim_nor_of_one_that_is_refused(self, recording, lines):
        template = make_preset().version.template
        ana = factories.make_user("ana")

        made = claim(None, ana, template=template, parameters={"api_key": SECRET})
        with pytest.raises(InvalidParameters):
            claim(None, ana, template=template, name="other", parameters={"size": SECRET})

        kept, refused = recording.named("prebuild.claim")
        assert facts_of(kept)["workspace_id"] == str(made.workspace.pk)
        assert refused.status.description == "InvalidParameters"
        assert SECRET not in recording.words()
        assert SECRET not in json.dumps(lines())


def test_without_an_exporter_nothing_is_recorded_and_nothing_fails():
    make_preset()

    with tracing.span("outside"):
        done = cycle()
        told = tracing.bound_fields()

    assert done.total("created") == 2
    assert told == {}


def claim(preset, owner, *, template=None, name="mine", parameters=()):
    return claims.claim_or_create_workspace(
        owner=owner,
        template=template or preset.version.template,
        preset_id=preset.pk if preset else None,
        name=name,
        parameters=dict(parameters),
        now=NOON,
    )


def names(recording):
    return {span.name for span in recording.exporter.get_finished_spans()}


def in_thread(call):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    def run():
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=20)
