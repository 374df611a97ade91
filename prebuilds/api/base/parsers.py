"""Read JSON bodies within bounds: their size, their depth, and only text a database can hold."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import exceptions, parsers

DEPTH_LIMIT: Final = 32


class BoundedJSONParser(parsers.JSONParser):
    """Refuse what is too large, too deep, or holds what JSON allows and text does not."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the parsed body; raises RequestDataTooBig or ParseError."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise RequestDataTooBig
        try:
            data = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        except RecursionError as error:
            raise exceptions.ParseError("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise exceptions.ParseError(f"The body is not JSON: {error}.") from error
        for text in _texts(data, DEPTH_LIMIT):
            _check_text(text)
        return data


def _texts(data: Any, depth: int) -> Iterator[str]:
    """Yield every text in the data, names included."""
    if depth == 0:
        raise exceptions.ParseError(f"The JSON is nested deeper than {DEPTH_LIMIT} levels.")
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for name, inner in data.items():
            yield name
            yield from _texts(inner, depth - 1)
    elif isinstance(data, list):
        for inner in data:
            yield from _texts(inner, depth - 1)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise exceptions.ParseError("A text holds half a surrogate pair.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
