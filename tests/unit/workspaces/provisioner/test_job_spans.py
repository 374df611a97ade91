"""What a trace and the log tell of a job: whose, which and how it ended; never its inputs."""

import json
import logging
from uuid import uuid4

import pytest
from opentelemetry.trace import StatusCode

from accounts.system import PREBUILDS_USER_ID
from config.logs import JsonFormatter
from tests.recording import recording
from tests.unit.workspaces.agent.agent_server import wait_for
from tests.unit.workspaces.provisioner.conftest import make_job
from workspaces import tracing
from workspaces.models import ProvisionerJob
from workspaces.protocol import BuildFailed

__all__ = ["recording"]

SECRET = "hunter2-do-not-tell"


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    return lambda: [json.loads(line) for line in caplog.text.splitlines()]


def test_a_job_is_a_span_with_its_ids_and_names(running, recording):
    (job,) = running.transport.add(make_job(parameters={"api_key": SECRET}, startup_script=SECRET))
    running.driver.go_on.set()

    running.start()

    wait_for(lambda: recording.named("provisioner.job"))
    assert recording.facts("provisioner.job") == {
        "job_id": str(job.job_id),
        "build_id": str(job.build_id),
        "build_number": job.build_number,
        "workspace_id": str(job.workspace_id),
        "workspace": job.workspace_name,
        "user_id": str(job.owner_id),
        "template": job.template_name,
        "template_version": job.template_version,
        "transition": job.transition,
        "stage": job.stage,
        "outcome": "job succeeded",
    }
    assert SECRET not in recording.words()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BuildFailed(f"api_key={SECRET}", code="script_failed"), "script_failed"),
        (ZeroDivisionError(f"api_key={SECRET}"), "driver_error"),
    ],
)
def test_a_job_that_fails_is_told_by_its_code(running, recording, lines, error, kind):
    def explode(job, context):
        raise error

    running.driver.script = explode
    running.transport.add(make_job())

    running.start()

    wait_for(lambda: recording.named("provisioner.job"))
    status = recording.one("provisioner.job").status
    assert (status.status_code, status.description) == (StatusCode.ERROR, kind)
    assert recording.facts("provisioner.job")["outcome"] == "job failed"
    assert SECRET not in recording.words()
    assert SECRET not in json.dumps(lines())


def test_every_line_of_a_job_has_its_id_and_no_other_jobs(running, lines):
    def speak(job, context):
        logging.getLogger("prebuilds.tests").info("building", extra={"mine": str(job.job_id)})

    running.driver.script = speak
    running.driver.go_on.set()
    jobs = running.transport.add(*[make_job() for _ in range(3)])

    running.start(concurrency=3)

    wait_for(lambda: sum(line["message"] == "job succeeded" for line in lines()) == 3)
    told = [line for line in lines() if "job_id" in line]
    for job in jobs:
        of_job = [line for line in told if line["job_id"] == str(job.job_id)]
        assert [line["message"] for line in of_job] == ["job started", "building", "job succeeded"]
        assert of_job[1]["mine"] == str(job.job_id)


TRACE, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{STEP}-01"


def span_of(running, recording, **job):
    """Return the span of a job that was done."""
    running.transport.add(make_job(**job))
    running.driver.go_on.set()
    running.start()
    wait_for(lambda: recording.named("provisioner.job"))
    return recording.one("provisioner.job")


def test_a_persons_job_is_a_step_of_what_asked_for_it(running, recording):
    span = span_of(running, recording, traceparent=TRACEPARENT)

    assert format(span.context.trace_id, "032x") == TRACE
    assert format(span.parent.span_id, "016x") == STEP
    assert span.parent.is_remote
    assert span.links == ()


def test_a_prebuilds_job_has_a_trace_of_its_own_linked_to_the_cycle(running, recording):
    span = span_of(running, recording, traceparent=TRACEPARENT, owner_id=PREBUILDS_USER_ID)

    (link,) = span.links
    assert (format(link.context.trace_id, "032x"), format(link.context.span_id, "016x")) == (
        TRACE,
        STEP,
    )
    assert span.parent is None
    assert format(span.context.trace_id, "032x") != TRACE


@pytest.mark.parametrize(
    "text", ["", "nonsense", f"00-{'0' * 32}-{STEP}-01", f"ff-{TRACE}-{STEP}-01"]
)
@pytest.mark.parametrize("owner_id", [PREBUILDS_USER_ID, uuid4()])
def test_a_job_that_no_trace_asked_for_begins_one(running, recording, text, owner_id):
    span = span_of(running, recording, traceparent=text, owner_id=owner_id)

    assert (span.parent, span.links) == (None, ())


def test_a_trace_that_is_not_recorded_is_not_begun_again_by_its_job(running, recording):
    """Whoever decides that one request in a hundred is recorded means its jobs, too."""
    running.transport.add(make_job(traceparent=f"00-{TRACE}-{STEP}-00"))
    running.driver.go_on.set()

    running.start()

    wait_for(lambda: "complete" in running.transport.calls and not running.driver.running)
    running.stop()
    running.join()
    assert recording.named("provisioner.job") == []


def test_without_anybody_to_send_spans_to_nothing_is_kept():
    assert tracing.current_traceparent() == ""
    with tracing.span("anything"):
        assert tracing.current_traceparent() == ""


def test_the_step_under_way_is_told_as_w3c_has_it(recording):
    with tracing.span("anything"):
        told = tracing.current_traceparent()

    step = recording.one("anything").context
    assert told == f"00-{step.trace_id:032x}-{step.span_id:016x}-{step.trace_flags:02x}"
    assert len(told) <= ProvisionerJob._meta.get_field("traceparent").max_length
