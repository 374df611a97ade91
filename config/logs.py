"""One line per event on the console: time, level, logger, fixed words, then key=value fields."""

import logging
import time

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "request",
    "taskName",
}


class ConsoleFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:7} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name there
        fields = (
            f" {key}={value}" for key, value in vars(record).items() if key not in _OWN_FIELDS
        )
        return super().formatMessage(record) + "".join(fields)
