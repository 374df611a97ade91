"""What spans and log lines tell of the piece of work they belong to.

Spans cost next to nothing until `config.tracing` names somebody to send them to. Ids, names,
counts and reasons are told. Values of parameters, tokens, scripts and the words of errors, which
may quote them, are not.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final
from uuid import UUID

from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue

PREFIX: Final = "prebuilds."
ERROR_TYPE: Final = "error.type"

Field = str | int
Fact = Field | float | UUID | Iterable[UUID] | None

_tracer = trace.get_tracer("prebuilds")
_bound: ContextVar[Mapping[str, Field]] = ContextVar("bound", default=MappingProxyType({}))


@contextmanager
def span(name: str, **facts: Fact) -> Iterator[None]:
    """Make the block one step of a trace; what is bound is told of it, too.

    An error that leaves it is told by its type only.
    """
    with _tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
        add(**{**_bound.get(), **facts})
        try:
            yield
        except Exception as error:
            fail(type(error).__name__)
            raise


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
