"""What spans and log lines tell of the piece of work they belong to.

Spans cost next to nothing until `config.tracing` names somebody to send them to. Ids, names,
counts and reasons are told. Values of parameters, tokens, scripts and the words of errors, which
may quote them, are not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

PREFIX: Final = "prebuilds."
ERROR_TYPE: Final = "error.type"

Field = str | int
Fact = Field | float | UUID | Iterable[UUID] | None

_W3C: Final = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("prebuilds")
_bound: ContextVar[Mapping[str, Field]] = ContextVar("bound", default=MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What asked for a piece of work, elsewhere and before, by its W3C `traceparent`.

    Work that is one of many is linked to what asked for them all; any other is a step of it.
    """

    traceparent: str
    is_one_of_many: bool


@contextmanager
def span(name: str, *, cause: Cause | None = None, **facts: Fact) -> Iterator[None]:
    """Make the block one step of a trace; what is bound is told of it, too.

    An error that leaves it is told by its type only.
    """
    parent, links = _origin(cause)
    with _tracer.start_as_current_span(
        name, context=parent, links=links, record_exception=False, set_status_on_exception=False
    ):
        add(**{**_bound.get(), **facts})
        try:
            yield
        except Exception as error:
            fail(type(error).__name__)
            raise


def _origin(cause: Cause | None) -> tuple[Context | None, Sequence[trace.Link]]:
    """Return the parent and the links of a span; neither when nothing readable asked for it."""
    if cause is None or not cause.traceparent:
        return None, ()
    context = _W3C.extract({"traceparent": cause.traceparent}, Context())
    asking = trace.get_current_span(context).get_span_context()
    if not asking.is_valid:
        return None, ()
    return (None, [trace.Link(asking)]) if cause.is_one_of_many else (context, ())


def current_traceparent() -> str:
    """Return the step under way as a W3C `traceparent`; nothing when there is no trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    trace_id, span_id = (
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    )
    return f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"


def add(**facts: Fact) -> None:
    """Tell more of the span under way; None tells nothing."""
    current = trace.get_current_span()
    if current.is_recording():
        told = {PREFIX + name: _plain(fact) for name, fact in facts.items() if fact is not None}
        current.set_attributes(told)


def fail(kind: str) -> None:
    """Mark the span under way as failed, by a fixed word."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attribute(ERROR_TYPE, kind)
        current.set_status(StatusCode.ERROR, kind)


@contextmanager
def bind(**fields: Field) -> Iterator[None]:
    """Give every log line and span of the block these fields.

    A thread starts with none: hand it its work by `contextvars.copy_context().run`.
    """
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def bound_fields() -> dict[str, Field]:
    """Return the fields of the work under way, and the ids of its span when it is recorded."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {**_bound.get()}
    return {
        **_bound.get(),
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def _plain(fact: str | float | UUID | Iterable[UUID]) -> AttributeValue:
    if isinstance(fact, bool | int | float):
        return fact
    return str(fact) if isinstance(fact, str | UUID) else [str(one) for one in fact]
