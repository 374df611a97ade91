"""Spans kept in memory, so that a test can look at them as a backend for traces would."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from workspaces import tracing


class Recording:
    """What was told so far, in the order the spans ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def facts(self, name: str) -> dict[str, Any]:
        """Return the only span's attributes, without the prefix that ours have."""
        return facts_of(self.one(name))

    def path(self, span: ReadableSpan) -> list[str]:
        """Return the names from the root down to the span."""
        known = {each.context.span_id: each for each in self.exporter.get_finished_spans()}
        above = self.path(known[span.parent.span_id]) if span.parent else []
        return [*above, span.name]

    def words(self) -> str:
        """Return everything that would leave the house."""
        return "\n".join(span.to_json() for span in self.exporter.get_finished_spans())


def facts_of(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix(tracing.PREFIX): value for name, value in span.attributes.items()}


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """Record all spans of the test; the process itself has nobody to send them to."""
    recording = Recording()
    monkeypatch.setattr(tracing, "_tracer", recording.provider.get_tracer("tests"))
    yield recording
    recording.provider.shutdown()
