"""What a trace and the log tell of a job: whose, which and how it ended; never its inputs."""

import json
import logging

import pytest
from opentelemetry.trace import StatusCode

from config.logs import JsonFormatter
from tests.recording import recording
from tests.unit.workspaces.agent.agent_server import wait_for
from tests.unit.workspaces.provisioner.conftest import make_job
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
