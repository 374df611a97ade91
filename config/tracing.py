"""Send spans where the standard OTEL_* variables say; without them the SDK is not even imported.

Sending has a thread of its own and a queue that drops what does not fit: a collector that is away
delays nothing, and the end of a process by SHUTDOWN_SECONDS at most.
"""

import atexit
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from config.env import BadSetting

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

PROCESSES: Final = {
    "reconcile": "reconciler",
    "provisioner": "provisioner",
    "qcluster": "worker",
    "runserver": "web",
}
"""Command → process; other commands are `command`."""
WATCHER: Final = "worker"
"""Only starts qcluster; a thread of ours would be in the way of that."""
DELAY_MILLISECONDS: Final = 1_000
"""How old a span may get before it is sent; a process that is killed loses no more."""
SHUTDOWN_SECONDS: Final = 3.0

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def start_for_command(argv: list[str]) -> None:
    """Start tracing in a process that runs a management command."""
    command = argv[1] if len(argv) > 1 else ""
    if command != WATCHER:
        start(PROCESSES.get(command, "command"))


def start(process: str) -> None:
    """Let this process send its spans, if the environment names somebody. Raises BadSetting."""
    if not (names := wanted_exporters(os.environ)):
        return
    from opentelemetry import trace

    provider = make_provider(process, names, os.environ)
    trace.set_tracer_provider(provider)
    atexit.register(make_ending(provider))


def wanted_exporters(variables: Mapping[str, str]) -> list[str]:
    """Return `otlp`, `console` or both, or nothing. Raises BadSetting."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    endpoint = _first(variables, _ENDPOINTS)
    given = variables.get("OTEL_TRACES_EXPORTER", "").strip() or ("otlp" if endpoint else "none")
    names = [name.strip().lower() for name in given.split(",")]
    if not {"otlp", "console", "none"}.issuperset(names):
        raise _bad("OTEL_TRACES_EXPORTER", given, "use otlp, console or none")
    if "otlp" in names:
        _check_transport(variables, endpoint)
    return [name for name in names if name != "none"]


def make_provider(
    process: str, exporters: list[str], variables: Mapping[str, str]
) -> "TracerProvider":
    """Return a provider that sends in batches; the SDK reads all other OTEL_* variables itself."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = variables.get("OTEL_SERVICE_NAME") or "service.name=" in variables.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {"service.name": f"prebuilds-{process}"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    delay = None if variables.get("OTEL_BSP_SCHEDULE_DELAY") else DELAY_MILLISECONDS
    for name in exporters:
        processor = BatchSpanProcessor(_exporter(name), schedule_delay_millis=delay)
        provider.add_span_processor(processor)
    return provider


def _exporter(name: str) -> "SpanExporter":
    if name == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return ConsoleSpanExporter()


def make_ending(provider: "TracerProvider") -> Callable[[], None]:
    """Return what sends the last spans and waits for that, but not for long.

    The SDK alone would wait for up to half a minute. Its thread is begun here, as a process
    that ends may begin none.
    """
    asked, done = threading.Event(), threading.Event()

    def finish() -> None:
        asked.wait()
        provider.shutdown()
        done.set()

    def end() -> None:
        asked.set()
        done.wait(SHUTDOWN_SECONDS)

    threading.Thread(target=finish, name="last-spans", daemon=True).start()
    return end


def _check_transport(variables: Mapping[str, str], endpoint: str) -> None:
    """Raise BadSetting for what the exporter would stumble over at every batch."""
    protocol = _first(variables, _PROTOCOLS)
    if protocol not in {"", "http/protobuf"}:
        raise _bad(_PROTOCOLS[-1], protocol, "use http/protobuf, on the collector's port 4318")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        # Not shown: it may hold a password.
        raise BadSetting(f"{_ENDPOINTS[-1]} is no address such as http://127.0.0.1:4318")


def _first(variables: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := variables.get(name, "").strip())), "")


def _bad(name: str, value: str, advice: str) -> BadSetting:
    return BadSetting(f"{name}={value!r} is not usable: {advice}")
