"""What `manage.py doctor` makes of what it reads: well, a warning, or failing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.checks import CheckMessage
from django.core.checks.messages import ERROR, INFO, WARNING

from prebuilds import tasks
from prebuilds.checkup import database, machine, mail, pools, tables, web, worker
from prebuilds.checkup.findings import Finding, Level, say_span
from prebuilds.checkup.statements import Server

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HERE, THERE = UUID(int=1), UUID(int=2)
GIB = 2**30
WELL, WARNS, FAILS = [Level.OK], [Level.WARNING], [Level.FAILING]


def levels(findings):
    """The levels of one finding or many; each that is not well says what to do."""
    found = [findings] if isinstance(findings, Finding) else list(findings)
    assert all(bool(one.advice) == (one.level in {Level.WARNING, Level.FAILING}) for one in found)
    assert all("\n" not in one.text + one.advice for one in found)
    return [one.level for one in found]


def make_server(**fields):
    known = {
        "version": "16.2",
        "version_number": 160_002,
        "connections_allowed": 97,
        "connections_of_others": 0,
        "time_zone": "UTC",
        "is_read_only": False,
        "clock": NOW,
    }
    return Server(**{**known, **fields})


@pytest.mark.parametrize(
    ("number", "expected"), [(130_020, FAILS), (140_000, WELL), (180_004, WELL)]
)
def test_postgresql_14_is_the_oldest(number, expected):
    assert levels(database.judge_version(make_server(version_number=number))) == expected


@pytest.mark.parametrize(
    ("seconds", "trip", "expected"),
    [
        (0, 0, WELL),
        (1.9, 0, WELL),
        (-1.9, 0, WELL),
        (2.1, 0, WARNS),
        (-2.1, 0, WARNS),
        (4, 5, WELL),
        (5, 5, WARNS),
        (86_400, 1, WARNS),
    ],
)
def test_a_clock_may_differ_by_two_seconds_and_by_half_the_way(seconds, trip, expected):
    found = database.judge_clock(timedelta(seconds=seconds), trip=timedelta(seconds=trip))

    assert levels(found) == expected


@pytest.mark.parametrize(("seconds", "words"), [(7.25, "7.2 s ahead of"), (-90, "90.0 s behind")])
def test_a_clock_that_differs_is_said_in_seconds_and_direction(seconds, words):
    found = database.judge_clock(timedelta(seconds=seconds), trip=timedelta(0))

    assert words in found.text


@pytest.mark.parametrize(
    ("allowed", "others", "expected"),
    [(97, 0, WELL), (47, 0, WELL), (46, 0, WARNS), (97, 50, WELL), (97, 51, WARNS)],
)
def test_connections_taken_by_others_do_not_count(allowed, others, expected):
    server = make_server(connections_allowed=allowed, connections_of_others=others)

    assert levels(database.judge_connections(server, needed=47)) == expected


@pytest.mark.parametrize(
    ("pool_size", "concurrency", "needed"),
    [(10, 4, 46), (10, 8, 50), (20, 4, 56), (4, 4, 34), (0, 4, 68)],
)
def test_what_one_of_each_process_wants(pool_size, concurrency, needed):
    assert database.connections_needed(pool_size, concurrency) == needed


@pytest.mark.parametrize(
    ("heard", "has_direct", "expected", "word"),
    [
        (True, False, WELL, ""),
        (True, True, WELL, ""),
        (False, False, FAILS, "set PREBUILDS_DIRECT_DATABASE_URL"),
        (False, True, FAILS, "same database"),
    ],
)
def test_a_bell_that_is_not_heard_is_a_pooler_or_another_database(
    heard, has_direct, expected, word
):
    found = database.judge_bells(heard=heard, has_direct=has_direct)

    assert levels(found) == expected
    assert word in found.advice


@pytest.mark.parametrize(
    ("pending", "expected", "words"),
    [
        ([], WELL, "all are applied"),
        (["prebuilds.0009_mails"], FAILS, "not applied: prebuilds.0009_mails"),
        (["a.1", "a.2", "a.3", "a.4"], FAILS, "not applied: a.1, a.2, a.3, …"),
    ],
)
def test_migrations_that_are_missing_are_named(pending, expected, words):
    found = tables.judge_migrations(pending)

    assert (levels(found), found.text) == (expected, words)


@pytest.mark.parametrize(
    ("lacking", "expected"), [(set(), WELL), ({"job_rings"}, FAILS), (tables.TRIGGERS, FAILS)]
)
def test_a_trigger_that_does_not_fire_is_named(lacking, expected):
    found = tables.judge_triggers((tables.TRIGGERS | {"somebody_elses"}) - lacking)

    assert levels(found) == expected
    assert all(name in found.text for name in lacking)


def make_plans(**fields):
    """The rows that setup_schedules makes; keywords change the one of `reconcile`."""
    made = {
        name: {"func": one["func"], "minutes": one["minutes"], "next_run": NOW, "cluster": None}
        for name, one in tasks.SCHEDULES.items()
    }
    made["reconcile"] |= fields
    return [worker.Plan(name=name, **values) for name, values in made.items()]


@pytest.mark.parametrize(
    ("plans", "expected", "words"),
    [
        (make_plans(), WELL, "5 are installed and on time"),
        (make_plans(next_run=NOW - timedelta(seconds=119)), WELL, "on time"),
        (make_plans(next_run=NOW - timedelta(minutes=9)), FAILS, "not run: reconcile (9 min)"),
        (make_plans(minutes=7), FAILS, "not as they should be: reconcile"),
        (make_plans(cluster="elsewhere"), FAILS, "not as they should be: reconcile"),
        (make_plans(func="prebuilds.tasks.gone"), FAILS, "not as they should be: reconcile"),
        (make_plans()[1:], FAILS, "not as they should be: reconcile"),
        ([*make_plans(), make_plans()[0]], FAILS, "not as they should be: doubles"),
        ([], FAILS, "not as they should be"),
    ],
)
def test_schedules_are_installed_and_move_on(plans, expected, words):
    found = list(worker.judge_schedules(plans, now=NOW))

    assert levels(found) == expected
    assert words in found[0].text


def make_results(**ages):
    """The last run of each task, well; keywords are minutes ago, None never, "!" failed."""
    made = {}
    for name, one in tasks.SCHEDULES.items():
        age = ages.get(name, 0)
        if age is None:
            continue
        minutes = 0 if age == "!" else age
        ended_at = NOW - timedelta(minutes=minutes)
        made[one["func"]] = worker.Ran(ended_at=ended_at, well=age != "!")
    return made


@pytest.mark.parametrize(
    ("ran", "queued", "expected", "words"),
    [
        (make_results(), 0, WELL, "all 5 tasks ended well"),
        (make_results(reconcile=4, roll_up=12), 20, WELL, "all 5 tasks ended well"),
        (make_results(reconcile=5), 0, FAILS, "no result lately: reconcile (5 min)"),
        (make_results(roll_up=13), 0, FAILS, "no result lately: roll_up (13 min)"),
        (make_results(send_mail=None), 0, FAILS, "no result lately: send_mail (never)"),
        (make_results(housekeep="!"), 0, FAILS, "failed the last time: housekeep"),
        (make_results(reconcile=5, housekeep="!"), 0, FAILS * 2, "reconcile (5 min)"),
        (make_results(), 21, WARNS + WELL, "21 tasks wait"),
        ({}, 99, FAILS + WARNS, "reconcile (never)"),
    ],
)
def test_the_worker_is_known_by_what_it_did(ran, queued, expected, words):
    found = list(worker.judge_worker(ran, queued=queued, now=NOW))

    assert levels(found) == expected
    assert words in found[0].text


@pytest.mark.parametrize(
    ("age", "expected"), [(None, FAILS), (0, WELL), (180, WELL), (181, FAILS), (86_400, FAILS)]
)
def test_a_cycle_must_have_been_completed_lately(age, expected):
    at = None if age is None else NOW - timedelta(seconds=age)

    assert levels(pools.judge_cycle(at, limit=timedelta(minutes=3), now=NOW)) == expected


def make_wish(**fields):
    known = {"template": "shell", "organization_id": HERE, "provisioner_type": "local", "tags": {}}
    return pools.Wish(**{**known, **fields})


def make_offer(**fields):
    known = {"organization_id": None, "provisioner_types": ("local",), "tags": {}}
    return pools.Offer(**{**known, **fields})


EU, US = {"zone": "eu"}, {"zone": "us"}


@pytest.mark.parametrize(
    ("offers", "wishes", "expected"),
    [
        ([], [], WARNS),
        ([], [make_wish()], FAILS),
        ([make_offer()], [], WELL),
        ([make_offer()], [make_wish()], WELL),
        ([make_offer(tags=EU)], [make_wish()], WELL),
        ([make_offer()], [make_wish(tags=EU)], FAILS),
        ([make_offer(tags=US)], [make_wish(tags=EU)], FAILS),
        ([make_offer(tags=US), make_offer(tags=EU)], [make_wish(tags=EU)], WELL),
        ([make_offer(organization_id=HERE)], [make_wish()], WELL),
        ([make_offer(organization_id=THERE)], [make_wish()], FAILS),
        ([make_offer(provisioner_types=("other",))], [make_wish()], FAILS),
        ([make_offer(tags=EU)], [make_wish(tags=EU), make_wish(tags=US)], FAILS),
    ],
)
def test_a_daemon_is_online_for_the_tags_and_organization_of_every_pool(offers, wishes, expected):
    assert levels(pools.judge_provisioners(offers, wishes)) == expected


def test_templates_nobody_builds_are_named_once_and_not_all():
    wishes = [make_wish(template=f"t{number}", tags=EU) for number in (3, 1, 1, 2, 4, 5, 6)]

    found = pools.judge_provisioners([make_offer()], wishes)

    assert found.text == "nobody online takes the jobs of: t1, t2, t3, t4, t5, …"


@pytest.mark.parametrize(("lacking", "expected"), [([], WELL), (["acme"], WARNS)])
def test_an_organization_without_the_quota_group_is_named(lacking, expected):
    found = pools.judge_owner(lacking)

    assert levels(found) == expected
    assert all(name in found.text for name in lacking)


@pytest.mark.parametrize(
    ("waiting", "minutes", "given_up", "expected"),
    [
        (0, None, 0, WELL),
        (3, 59, 0, WELL),
        (3, 61, 0, WARNS),
        (0, None, 2, WARNS),
        (3, 61, 2, WARNS * 2),
    ],
)
def test_mails_that_wait_for_an_hour_or_were_given_up_are_told(
    waiting, minutes, given_up, expected
):
    oldest = None if minutes is None else NOW - timedelta(minutes=minutes)

    found = mail.judge_backlog(waiting, oldest=oldest, given_up=given_up, now=NOW)

    assert levels(found) == expected


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], WELL),
        ([CheckMessage(INFO, "so", id="a.I1")], WELL),
        ([CheckMessage(WARNING, "so\nso", hint="do\nit", id="security.W008")], WARNS),
        ([CheckMessage(ERROR, "so", id="a.E1")], FAILS),
        ([CheckMessage(ERROR, "so", id="auth.E003")], WELL),  # silenced in the settings
        (
            [CheckMessage(ERROR, "a", id="a.E1"), CheckMessage(WARNING, "b", id="a.W1")],
            FAILS + WARNS,
        ),
    ],
)
def test_djangos_messages_become_findings(messages, expected):
    assert levels(web.judge_messages(messages)) == expected


@pytest.mark.parametrize(
    ("message", "hint", "text", "advice"),
    [
        ("It is so.", None, "a.W1: It is so.", web.SEE_DJANGO),
        ("It is so. Mend it. Soon.", None, "a.W1: It is so", "Mend it. Soon."),
        ("It is so. Mend it.", "Do that.", "a.W1: It is so", "Do that."),
    ],
)
def test_a_message_is_what_is_so_and_then_what_to_do(message, hint, text, advice):
    (found,) = web.judge_messages([CheckMessage(WARNING, message, hint=hint, id="a.W1")])

    assert (found.text, found.advice) == (text, advice)


@pytest.mark.parametrize(
    ("sources", "collected", "expected"),
    [
        ([], [], FAILS),
        (["css/a.css"], [], FAILS),
        (["css/a.css"], ["css/a.css"], WELL),
        (["css/a.css"], ["css/a.css", "old.css"], WELL),
        (["css/a.css", "js/new.js"], ["css/a.css"], FAILS),
    ],
)
def test_every_file_of_the_sources_is_collected(sources, collected, expected):
    assert levels(web.judge_static_files(sources, collected, Path("/somewhere"))) == expected


@pytest.mark.parametrize(
    ("address", "debug", "expected"),
    [
        ("https://prebuilds.example.com", False, []),
        ("http://prebuilds.example.com", False, WARNS),
        ("https://127.0.0.1:8000", False, WARNS),
        ("http://localhost:8000", False, WARNS * 2),
        ("http://[::1]:8000", False, WARNS * 2),
        ("http://127.0.0.1:8000", True, []),
    ],
)
def test_the_address_is_encrypted_and_not_of_one_machine(address, debug, expected):
    assert levels(web.judge_address(address, debug=debug)) == expected


READY = b'{"status": "ok", "process": "ok", "database": "ok", "migrations": "ok"}'


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (200, READY, WELL, "answers and is ready"),
        (503, READY, WARNS, "is not ready"),
        (200, b"<html>It works</html>", WARNS, "not as we would"),
        (200, b"[]", WARNS, "not as we would"),
        (400, b"", WARNS, "answers 400"),
        (502, b"Bad Gateway \xff", WARNS, "answers 502"),
    ],
)
def test_only_a_web_process_of_ours_answers_like_one(status, body, expected, words):
    found = web.judge_answer(status, body, "https://prebuilds.example.com")

    assert levels(found) == expected
    assert words in found.text


@pytest.mark.parametrize(
    ("free", "expected"),
    [(0, FAILS), (GIB - 1, FAILS), (GIB, WARNS), (5 * GIB - 1, WARNS), (5 * GIB, WELL)],
)
def test_the_disk_has_room(free, expected):
    assert levels(machine.judge_disk(free)) == expected


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_a_span_is_said_as_people_do(seconds, words):
    assert say_span(timedelta(seconds=seconds)) == words
