"""Give a table away as CSV or JSON: all matching rows, streamed, whatever their number."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, StreamingHttpResponse

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of an export: its name, and the dotted path to it from a row."""

    name: str
    path: str = ""

    def read(self, row: Any) -> Any:
        """Return the row's value; None when something on the way is missing."""
        for part in (self.path or self.name).split("."):
            row = getattr(row, part, None)
        return row() if callable(row) else row


def asked_format(request: HttpRequest) -> str:
    """Return `csv` or `json` when the URL asks for an export, else an empty text."""
    asked = request.GET.get("format", "")
    return asked if asked in ("csv", "json") else ""


def export(
    request: HttpRequest, name: str, fields: Sequence[Field], rows: Iterable[Any]
) -> StreamingHttpResponse:
    """Answer with the rows as a file in the format the URL asks for."""
    kind = asked_format(request)
    stream = _csv(fields, rows) if kind == "csv" else _json(fields, rows)
    response = StreamingHttpResponse(
        stream, content_type="text/csv; charset=utf-8" if kind == "csv" else "application/json"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response


def _csv(fields: Sequence[Field], rows: Iterable[Any]) -> Iterator[str]:
    yield _line([field.name for field in fields])
    for row in rows:
        yield _line([_cell(field.read(row)) for field in fields])


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> str:
    """Return a cell's text; what a spreadsheet would run as a formula is made plain text."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _json(fields: Sequence[Field], rows: Iterable[Any]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        value = {field.name: field.read(row) for field in fields}
        yield ("," if number else "") + "\n" + json.dumps(value, cls=DjangoJSONEncoder)
    yield "\n]\n"
