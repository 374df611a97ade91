"""Which errors mean that the database is away, and what is told of it: one place for every face.

A lost connection and one that cannot be had pass by themselves; a statement that the database
refused (a deadlock, a timeout, a mistake of ours) does not, and is not taken for them.
"""

import logging
from typing import Final

from django.db import InterfaceError, OperationalError
from django.http import HttpResponseBase

logger = logging.getLogger(__name__)

WORDS: Final = "The database does not answer. Try again in a moment."
"""What a program is told."""
RETRY_SECONDS: Final = 1
"""And when to come back."""
LOST: Final = ("08", "57P01", "57P02", "57P03", "57P04", "57P05", "53300")
"""How the SQLSTATEs begin by which a server ends a connection, or lets none in: trouble on the
line, shut down, crashed, starting up, database dropped, idle for too long, too many connections."""
LONGEST_REASON: Final = 300


def means_away(error: BaseException | None) -> bool:
    """Return whether the error is that of a connection that was lost or could not be had.

    What the driver finds out by itself has no SQLSTATE: refused, timed out, closed underneath.
    """
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(LOST)


def note(error: BaseException, response: HttpResponseBase | None = None) -> None:
    """Write the one line of a request that met it; Django then writes none about its answer."""
    reason = " ".join(str(error).split())[:LONGEST_REASON]
    logger.warning("database does not answer", extra={"reason": reason})
    if response is not None:
        # What Django's own log_response looks at, which knows no fields.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
