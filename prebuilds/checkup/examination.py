"""All checks, one after the other: each on its own, each bounded in time, no secret in the answer.

A check that breaks is a finding, and the others go on. Whoever needs the database is not asked
when it is away. Statements have a timeout; what waits for the network has a thread to be left in.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings
from django.db import Error, connection, transaction

from prebuilds.checkup import database, machine, mail, pools, tables, web, worker
from prebuilds.checkup.findings import Finding, Look, Visit, bad, skipped
from prebuilds.checkup.statements import limit_statements
from prebuilds.masking import HIDDEN, mask_secrets

STATEMENT_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at. What `waits` for others than the database may be left behind."""

    name: str
    look: Look
    reads_database: bool = True
    waits: bool = False


CHECKS: Final = (
    Check(name="database", look=database.check_database),
    Check(name="connections", look=database.check_connections),
    Check(name="bells", look=database.check_bells, waits=True),
    Check(name="migrations", look=tables.check_migrations),
    Check(name="triggers", look=tables.check_triggers),
    Check(name="schedules", look=worker.check_schedules),
    Check(name="worker", look=worker.check_worker),
    Check(name="cycle", look=pools.check_cycle),
    Check(name="provisioners", look=pools.check_provisioners),
    Check(name="owner", look=pools.check_owner),
    Check(name="mail server", look=mail.check_mail_server, reads_database=False, waits=True),
    Check(name="mail backlog", look=mail.check_mail_backlog),
    Check(name="settings", look=web.check_settings, reads_database=False, waits=True),
    Check(name="static files", look=web.check_static_files, reads_database=False, waits=True),
    Check(name="address", look=web.check_address, reads_database=False, waits=True),
    Check(name="disk", look=machine.check_disk, reads_database=False, waits=True),
)


def examine(
    visit: Visit, checks: Sequence[Check] = CHECKS, *, seconds: float = CHECK_SECONDS
) -> Iterator[tuple[str, Finding]]:
    """Yield the name of each check with what it found, as soon as it is known."""
    absence = _absence_of_database()
    if absence is not None:
        yield "database", without_secrets(absence)
    for check in checks:
        if check.reads_database and absence is not None:
            if check.look is not database.check_database:
                yield check.name, skipped("not looked at: the database does not answer")
            continue
        findings = _wait_for(check, visit, seconds) if check.waits else _look(check, visit)
        yield from ((check.name, without_secrets(one)) for one in findings)


def without_secrets(finding: Finding) -> Finding:
    """Hide the passwords we know, and what looks like one."""
    known = (
        *(str(one.get("PASSWORD") or "") for one in settings.DATABASES.values()),
        settings.EMAIL_HOST_PASSWORD or "",
        settings.SECRET_KEY,
    )
    return replace(
        finding, text=_masked(finding.text, known), advice=_masked(finding.advice, known)
    )


def _masked(text: str, known: Iterable[str]) -> str:
    for secret in filter(None, known):
        text = text.replace(secret, HIDDEN)
    return mask_secrets(text)


def _absence_of_database() -> Finding | None:
    """Say why the database does not answer; None when it does."""
    try:
        connection.ensure_connection()
    except Error as error:
        advice = "check DATABASE_URL, and whether PostgreSQL runs and lets us in"
        return bad(_one_line(error), advice)
    return None


def _wait_for(check: Check, visit: Visit, seconds: float) -> Sequence[Finding]:
    """Look in a thread that is left behind when the time is over."""
    found: list[Finding] = []
    thread = threading.Thread(
        target=lambda: found.extend(_look(check, visit)), daemon=True, name=f"doctor {check.name}"
    )
    thread.start()
    thread.join(seconds)
    return found or [bad(f"no answer within {seconds:g} s", "see whether the network lets us out")]


def _look(check: Check, visit: Visit) -> Sequence[Finding]:
    """Look; whatever goes wrong is the finding."""
    try:
        if check.waits:
            return list(check.look(visit))
        # Of its own, so that a broken statement breaks no other check.
        with transaction.atomic():
            limit_statements(STATEMENT_SECONDS)
            return list(check.look(visit))
    except Exception as error:  # noqa: BLE001
        text = f"could not be looked at: {type(error).__name__}: {_one_line(error)}"
        return [bad(text, f"see docs/operations.md, and what concerns {check.name} in the logs")]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
