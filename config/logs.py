"""One line per event: words and key=value for people, or one JSON object for programs.

Besides its own fields a line has the ids of the work it belongs to: request, run, job, trace. What
looks like a secret is hidden, in tracebacks too.
"""

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from prebuilds.masking import HIDDEN, mask_secrets, names_a_secret
from workspaces.tracing import bound_fields

FORMATS: Final = ("CONSOLE", "JSON")

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "request",
    "taskName",
    "color_message",  # uvicorn's
}


class ConsoleFormatter(logging.Formatter):
    """Time, level, logger, fixed words, then key=value fields."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:7} {name}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        return mask_secrets(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name there
        fields = (f" {key}={value}" for key, value in _fields(record).items())
        return super().formatMessage(record) + "".join(fields)


class JsonFormatter(logging.Formatter):
    """One object on one line; the keys that every line has come first."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _rfc_3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": mask_secrets(record.getMessage()),
        }
        line |= {key: value for key, value in _fields(record).items() if key not in line}
        if record.exc_info:
            line["exception"] = mask_secrets(self.formatException(record.exc_info))
        return json.dumps(line, default=_as_text)


def logging_settings(*, level: str, style: str) -> dict[str, Any]:
    """Return Django's LOGGING; every library's lines go the same way.

    uvicorn's access log stays silent however it is started: the proxy in front has one.
    """
    formatter = JsonFormatter if style == "JSON" else ConsoleFormatter
    passed_on: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": passed_on | {"level": "INFO"},
            "django.server": passed_on | {"level": "INFO"},
            "django-q": passed_on | {"level": "WARNING"},
            "uvicorn": passed_on | {"level": "INFO"},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what the line tells besides its words; what it says itself wins."""
    own = {key: value for key, value in vars(record).items() if key not in _OWN_FIELDS}
    return _without_secrets(bound_fields() | own)


def _without_secrets(fields: Mapping[Any, object]) -> dict[str, object]:
    return {
        str(name): HIDDEN if names_a_secret(str(name)) else _shown(value)
        for name, value in fields.items()
    }


def _shown(value: object) -> object:
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, Mapping):
        return _without_secrets(value)
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else value


def _as_text(value: object) -> str:
    return mask_secrets(str(value))


def _rfc_3339(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
