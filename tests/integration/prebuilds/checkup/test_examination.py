"""The checks together: each on its own, bounded in time, and without a secret in what is said."""

import threading
import time

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from prebuilds.checkup import database, examination
from prebuilds.checkup.examination import CHECKS, Check, examine
from prebuilds.checkup.findings import Level, Visit, bad, well

pytestmark = pytest.mark.django_db

VISIT = Visit(clock=timezone.now)


def fine(visit):
    yield well("fine")


def breaks(visit):
    yield well("half of it")
    raise ValueError("two\nlines")


def breaks_a_statement(visit):
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    yield well("never")


def found(*checks, **kwargs):
    return [(name, one.level, one.text) for name, one in examine(VISIT, checks, **kwargs)]


@pytest.mark.parametrize("waits", [False, True])
def test_a_check_that_breaks_is_one_line_and_the_others_go_on(waits):
    assert found(Check(name="one", look=breaks, waits=waits), Check(name="two", look=fine)) == [
        ("one", Level.FAILING, "could not be looked at: ValueError: two lines"),
        ("two", Level.OK, "fine"),
    ]


def test_a_statement_that_breaks_breaks_no_other_check():
    one, two = found(
        Check(name="one", look=breaks_a_statement), Check(name="two", look=database.check_database)
    )[:2]

    assert one[:2] == ("one", Level.FAILING)
    assert "division by zero" in one[2]
    assert two[:2] == ("two", Level.OK)


def test_a_check_that_hangs_is_left_behind():
    release = threading.Event()

    def hangs(visit):
        release.wait(60)
        yield well("at last")

    began = time.monotonic()
    answers = found(
        Check(name="one", look=hangs, waits=True), Check(name="two", look=fine), seconds=0.2
    )
    took = time.monotonic() - began
    release.set()

    assert answers == [
        ("one", Level.FAILING, "no answer within 0.2 s"),
        ("two", Level.OK, "fine"),
    ]
    assert took < 10


def test_a_statement_that_waits_for_a_lock_is_cut_off(monkeypatch):
    monkeypatch.setattr(examination, "STATEMENT_SECONDS", 0.2)

    def waits_for_long(visit):
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
        yield well("never")

    ((_, level, text),) = found(Check(name="one", look=waits_for_long))

    assert level is Level.FAILING
    assert "statement timeout" in text


def test_without_a_database_what_needs_none_is_looked_at_all_the_same(monkeypatch):
    def refuse(self):
        raise OperationalError("password authentication failed for hunter2\nat line 1")

    monkeypatch.setattr(type(connections["default"]), "ensure_connection", refuse)
    answers = found(
        Check(name="database", look=database.check_database),
        Check(name="cycle", look=fine),
        Check(name="disk", look=fine, reads_database=False, waits=True),
    )

    assert answers == [
        ("database", Level.FAILING, "password authentication failed for hunter2 at line 1"),
        ("cycle", Level.SKIPPED, "not looked at: the database does not answer"),
        ("disk", Level.OK, "fine"),
    ]


def test_passwords_are_not_said(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "tr0ub4dor")
    settings.EMAIL_HOST_PASSWORD = "c0rrect-horse"

    def tells(visit):
        yield bad("tr0ub4dor c0rrect-horse postgresql://me:s3cret@db/x", "ask tr0ub4dor")

    ((_, finding),) = examine(VISIT, [Check(name="one", look=tells)])

    said = finding.text + finding.advice
    assert not any(word in said for word in ("tr0ub4dor", "c0rrect-horse", "s3cret"))


def test_each_check_has_a_name_of_its_own():
    names = [check.name for check in CHECKS]

    assert len(names) == len(set(names))
    assert names[0] == "database"
