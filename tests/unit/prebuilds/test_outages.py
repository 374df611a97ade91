"""Which errors mean that the database is away."""

import logging

import psycopg
import pytest
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from django.http import HttpResponse
from psycopg import errors
from psycopg_pool import PoolTimeout

from prebuilds import outages


def caused_by(cause, kind=OperationalError):
    """Return an error as Django raises it: its own, from the driver's."""
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("the embedded PostgreSQL cannot start"),
        InterfaceError("connection already closed"),
        caused_by(psycopg.OperationalError("connection refused")),
        caused_by(psycopg.OperationalError("the connection is closed")),
        caused_by(PoolTimeout("couldn't get a connection after 10.00 sec")),
        caused_by(errors.ConnectionFailure("lost")),
        caused_by(errors.AdminShutdown("terminating connection due to administrator command")),
        caused_by(errors.CrashShutdown("crash of another server process")),
        caused_by(errors.CannotConnectNow("the database system is starting up")),
        caused_by(errors.TooManyConnections("sorry, too many clients already")),
    ],
)
def test_a_connection_that_was_lost_or_could_not_be_had_is(error):
    assert outages.means_away(error)


@pytest.mark.parametrize(
    "error",
    [
        None,
        RuntimeError("no"),
        DataError("too long"),
        IntegrityError("twice"),
        caused_by(errors.DeadlockDetected("deadlock detected")),
        caused_by(errors.QueryCanceled("canceling statement due to statement timeout")),
        caused_by(errors.LockNotAvailable("could not obtain lock")),
        caused_by(errors.SerializationFailure("could not serialize access")),
        caused_by(errors.DiskFull("could not extend file")),
        caused_by(errors.InFailedSqlTransaction("aborted"), InternalError),
    ],
)
def test_a_statement_that_was_refused_is_not(error):
    assert not outages.means_away(error)


def test_one_line_says_so_with_the_reason_in_a_field_and_without_a_traceback(caplog):
    answer = HttpResponse(status=503)

    with caplog.at_level(logging.WARNING):
        outages.note(OperationalError("connection\n  refused " + "x" * 1000), answer)

    (line,) = caplog.records
    assert (line.levelname, line.message) == ("WARNING", "database does not answer")
    assert line.reason.startswith("connection refused xxx")
    assert len(line.reason) == outages.LONGEST_REASON
    assert line.exc_info is None
