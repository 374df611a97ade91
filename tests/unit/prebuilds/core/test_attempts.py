"""Window, backoff, probe and hard limit (semantics.md 8 and 9)."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from prebuilds.core.attempts import (
    Backoff,
    find_backoff,
    is_hard_limited,
    is_probing,
    newest_first,
    window_size,
)
from prebuilds.core.policy import Policy
from templates_app.schedules import Schedule
from tests.unit.prebuilds.core.builders import (
    HOUR,
    LONG_AGO,
    MINUTE,
    NOW,
    POLICY,
    SECOND,
    TICK,
    attempt,
    history,
    make_preset,
)

EVERY_HOUR = [Schedule(expression=f"* {hour} * * *", desired_instances=hour) for hour in range(9)]


# Window


@pytest.mark.parametrize(
    ("desired", "schedules", "size"),
    [
        (0, (), 1),
        (1, (), 1),
        (2, (), 2),
        (5, (), 5),
        (0, EVERY_HOUR[:1], 1),
        (2, EVERY_HOUR[3:4], 3),
        (2, EVERY_HOUR[1:8], 7),
        (9, EVERY_HOUR[1:8], 9),
    ],
)
def test_the_window_is_the_largest_configured_count_and_at_least_one(desired, schedules, size):
    assert window_size(make_preset(desired, schedules=tuple(schedules))) == size


def test_schedules_widen_the_window_even_when_they_do_not_parse():
    bad = Schedule(expression="whenever", desired_instances=4)

    assert window_size(make_preset(1, schedules=(bad,))) == 4


def test_attempts_are_ordered_by_when_they_were_made_not_by_when_they_ended():
    slow = attempt("S", ago=MINUTE, took=HOUR)
    quick = attempt("F", ago=2 * MINUTE, took=SECOND)

    assert newest_first((slow, quick)) == [quick, slow]
    assert newest_first((quick, slow)) == [quick, slow]


@pytest.mark.parametrize(
    ("desired", "outcomes", "backs_off"),
    [
        (1, "", False),
        (1, "S", False),
        (1, "F", True),
        (1, "SF", False),
        (2, "SF", True),
        (2, "SSF", False),
        (3, "SSF", True),
        (0, "F", True),
        (0, "SF", False),
    ],
)
def test_only_failures_among_the_newest_of_the_window_matter(desired, outcomes, backs_off):
    preset = make_preset(desired, attempts=history(outcomes, newest=SECOND, apart=SECOND))

    assert (find_backoff(preset, POLICY, NOW) is not None) is backs_off


# Backoff


@pytest.mark.parametrize(
    ("ago", "backs_off"),
    [
        (SECOND, True),
        (MINUTE - TICK, True),
        (MINUTE, True),  # now == until
        (MINUTE + TICK, False),
    ],
)
def test_backoff_lasts_until_and_including_its_last_instant(ago, backs_off):
    preset = make_preset(attempts=(attempt("F", ago=ago),))

    assert (find_backoff(preset, POLICY, NOW) is not None) is backs_off


@pytest.mark.parametrize("failures", [1, 2, 3, 5])
def test_every_failure_adds_one_interval_after_the_newest(failures):
    preset = make_preset(5, attempts=history("F" * failures, newest=10 * SECOND))

    backoff = find_backoff(preset, POLICY, NOW)

    assert backoff == Backoff(
        until=NOW - 10 * SECOND + failures * POLICY.backoff_interval, failures=failures
    )


def test_successes_in_between_neither_add_nor_end_it():
    preset = make_preset(5, attempts=history("SFSFS", newest=SECOND, apart=SECOND))

    backoff = find_backoff(preset, POLICY, NOW)

    assert backoff == Backoff(until=NOW - 2 * SECOND + 2 * MINUTE, failures=2)


@pytest.mark.parametrize(
    ("ago", "backs_off"),
    [
        (HOUR - TICK, True),
        (HOUR, True),
        (HOUR + TICK, False),
    ],
)
def test_a_failure_counts_up_to_the_edge_of_the_lookback(ago, backs_off):
    patient = Policy(backoff_interval=2 * HOUR, backoff_lookback=HOUR)
    preset = make_preset(attempts=(attempt("F", ago=ago),))

    assert (find_backoff(preset, patient, NOW) is not None) is backs_off


@pytest.mark.parametrize(("older", "failures"), [(HOUR, 2), (HOUR + TICK, 1)])
def test_older_failures_than_the_lookback_do_not_add(older, failures):
    preset = make_preset(2, attempts=(attempt("F", ago=SECOND), attempt("F", ago=older)))

    backoff = find_backoff(preset, POLICY, NOW)

    assert backoff == Backoff(until=NOW - SECOND + failures * MINUTE, failures=failures)


def test_the_lookback_looks_at_when_an_attempt_finished_not_at_when_it_began():
    slow = attempt("F", ago=SECOND, took=5 * HOUR)

    assert find_backoff(make_preset(attempts=(slow,)), POLICY, NOW) is not None


def test_the_wait_counts_from_the_failure_that_was_found_last():
    never_ready = attempt("F", ago=10 * SECOND, took=35 * MINUTE)
    broken_since = attempt("F", ago=20 * MINUTE)

    backoff = find_backoff(make_preset(2, attempts=(never_ready, broken_since)), POLICY, NOW)

    assert backoff == Backoff(until=NOW - 10 * SECOND + 2 * MINUTE, failures=2)


def test_a_backoff_longer_than_the_lookback_ends_with_the_lookback():
    forgetful = Policy(backoff_interval=HOUR, backoff_lookback=MINUTE)
    preset = make_preset(attempts=(attempt("F", ago=2 * MINUTE),))

    assert find_backoff(preset, forgetful, NOW) is None


def test_the_same_failures_hold_back_now_and_let_go_later():
    preset = make_preset(3, attempts=history("FFF", newest=SECOND))
    until = NOW - SECOND + 3 * MINUTE

    assert find_backoff(preset, POLICY, until) == Backoff(until=until, failures=3)
    assert find_backoff(preset, POLICY, until + TICK) is None


@pytest.mark.parametrize("failures", [2, 3, 5])
def test_failures_within_the_lookback_add_to_the_wait_though_they_left_the_window(failures):
    preset = make_preset(1, attempts=history("F" * failures, newest=10 * SECOND))

    backoff = find_backoff(preset, POLICY, NOW)

    assert backoff == Backoff(until=NOW - 10 * SECOND + failures * MINUTE, failures=failures)


def test_a_failure_that_left_the_window_does_not_move_the_end():
    slow = attempt("F", ago=SECOND, took=HOUR)
    quick = attempt("F", ago=30 * SECOND)

    backoff = find_backoff(make_preset(1, attempts=(slow, quick)), POLICY, NOW)

    assert backoff == Backoff(until=NOW - 30 * SECOND + 2 * MINUTE, failures=2)


# Probe


@pytest.mark.parametrize(
    ("outcomes", "probing"),
    [("", False), ("S", False), ("F", True), ("SF", False), ("FS", True), ("FFF", True)],
)
def test_a_preset_probes_while_its_newest_attempt_failed(outcomes, probing):
    preset = make_preset(attempts=history(outcomes, newest=LONG_AGO))

    assert is_probing(preset) is probing


# Hard limit


@pytest.mark.parametrize(
    ("limit", "outcomes", "limited"),
    [
        (3, "", False),
        (3, "FF", False),
        (3, "FFF", True),
        (3, "FFFF", True),
        (3, "FFFS", True),
        (3, "FFSF", False),
        (3, "SFFF", False),
        (3, "FSFF", False),
        (1, "F", True),
        (1, "", False),
        (1, "SF", False),
        (4, "FFF", False),
        (0, "", False),
        (0, "FFFFFFFF", False),
    ],
)
def test_the_hard_limit_needs_exactly_the_newest_attempts_to_have_failed(limit, outcomes, limited):
    preset = make_preset(attempts=history(outcomes, newest=LONG_AGO))

    assert is_hard_limited(preset, Policy(failure_hard_limit=limit)) is limited


@pytest.mark.parametrize("desired", [0, 1, 2, 50])
@pytest.mark.parametrize("newest", [SECOND, timedelta(days=400)])
def test_the_hard_limit_minds_neither_window_nor_lookback(desired, newest):
    preset = make_preset(desired, attempts=history("FFFS", newest=newest))

    assert is_hard_limited(preset, POLICY) is True


# Attempts made together


@pytest.mark.parametrize("outcomes", ["SF", "FS", "SFFF", "SSFFF", "FFFSS"])
def test_of_attempts_made_together_the_last_to_finish_is_the_newest_whatever_the_order(outcomes):
    together = [
        replace(attempt(outcome, ago=HOUR + rank * SECOND), created_at=NOW - 2 * HOUR)
        for rank, outcome in enumerate(outcomes)
    ]

    for order in permutations(together):
        preset = make_preset(1, attempts=order)

        assert newest_first(order) == together
        assert is_probing(preset) is outcomes.startswith("F")
        assert is_hard_limited(preset, POLICY) is outcomes.startswith("FFF")


def test_of_attempts_that_began_and_ended_together_the_failed_one_is_the_newest():
    good, bad = attempt("S", ago=HOUR), attempt("F", ago=HOUR)

    assert newest_first((good, bad)) == newest_first((bad, good)) == [bad, good]
