"""Where spans go: nowhere by itself, where OTEL_* says, and never in the way of the work."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from config import tracing
from config.env import BadSetting

ROOT = Path(__file__).resolve().parents[3]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
OTLP = {"OTEL_TRACES_EXPORTER": "otlp"}


@pytest.mark.parametrize(
    ("variables", "exporters"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "x"}, []),
        (ENDPOINT, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example.com/v1/traces"}, ["otlp"]),
        (OTLP, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "console"}, ["console"]),
        ({"OTEL_TRACES_EXPORTER": "OTLP, console"}, ["otlp", "console"]),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, []),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, []),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, ["otlp"]),
    ],
)
def test_the_standard_variables_say_who_is_sent_to(variables, exporters):
    assert tracing.wanted_exporters(variables) == exporters


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER='zipkin'"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "grpc://u:sekret@c:4317"}, "http://127.0.0.1:4318"),
    ],
)
def test_what_cannot_be_used_is_said_at_once_and_without_a_password(variables, words):
    with pytest.raises(BadSetting, match=words) as caught:
        tracing.wanted_exporters(variables)

    assert "sekret" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "prebuilds-web"),
        ({"OTEL_SERVICE_NAME": "shop"}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=mall,zone=eu"}, "mall"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "zone=eu"}, "prebuilds-web"),
    ],
)
def test_a_process_has_its_name_unless_it_was_given_one(variables, name, monkeypatch):
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)

    provider = tracing.make_provider("web", [], variables)

    assert provider.resource.attributes["service.name"] == name


@pytest.mark.parametrize(
    ("words", "process"),
    [
        (["manage.py", "reconcile", "--loop"], "reconciler"),
        (["manage.py", "provisioner"], "provisioner"),
        (["manage.py", "qcluster"], "worker"),
        (["manage.py", "prebuilds", "status"], "command"),
        (["manage.py"], "command"),
        (["manage.py", "worker"], None),
    ],
)
def test_each_command_is_the_process_it_runs(words, process, monkeypatch):
    started = []
    monkeypatch.setattr(tracing, "start", started.append)

    tracing.start_for_command(words)

    assert started == ([process] if process else [])


def test_without_an_exporter_not_even_the_sdk_is_imported(clean_environment):
    code = (
        "import sys; from config import tracing; from workspaces.tracing import span\n"
        "tracing.start('web')\n"
        "with span('work', count=1): pass\n"
        "print(sorted(name for name in sys.modules if name.startswith("
        "('opentelemetry.sdk', 'opentelemetry.exporter', 'requests'))))"
    )
    quiet = {name: value for name, value in clean_environment.items() if "OTEL" not in name}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=quiet,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


class Stuck(SpanExporter):
    """A collector that takes a batch and never answers."""

    def __init__(self):
        self.taken, self.answers = threading.Event(), threading.Event()

    def export(self, spans):
        self.taken.set()
        self.answers.wait(30)
        return SpanExportResult.FAILURE


@pytest.fixture
def stuck():
    exporter = Stuck()
    yield exporter
    exporter.answers.set()


def test_a_collector_that_hangs_delays_neither_the_work_nor_the_end(stuck, monkeypatch):
    monkeypatch.setattr(tracing, "SHUTDOWN_SECONDS", 0.2)
    provider = tracing.make_provider("web", [], {})
    provider.add_span_processor(BatchSpanProcessor(stuck, schedule_delay_millis=1))
    end = tracing.make_ending(provider)
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("first"):
        pass
    assert stuck.taken.wait(10)

    begun = time.monotonic()
    for _ in range(5_000):  # more than its queue holds
        with tracer.start_as_current_span("more"):
            pass
    worked = time.monotonic()
    end()

    assert worked - begun < 5
    assert 0.2 <= time.monotonic() - worked < 5


def test_the_last_spans_are_sent_when_a_process_ends():
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = tracing.make_provider("web", [], {})
    provider.add_span_processor(BatchSpanProcessor(kept, schedule_delay_millis=60_000))
    end = tracing.make_ending(provider)

    with provider.get_tracer("tests").start_as_current_span("last"):
        pass
    end()

    assert [span.name for span in kept.get_finished_spans()] == ["last"]
