"""How long somebody waits who keeps failing to sign in, as tables and as properties."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.tries import (
    FORGOTTEN_AFTER,
    LONGEST_WAIT,
    Count,
    Limits,
    Place,
    count_failure,
    crossed,
    is_under_attack,
    places_of,
    wait_after,
    wait_of,
)

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LIMITS = Limits(tries=5, tries_per_address=30)
STRANGER = places_of(known_browser=False)


def minutes(number):
    return timedelta(minutes=number)


def fail(counts, times, *, now=NOON, limits=LIMITS):
    for _ in range(times):
        counts = count_failure(counts, limits, now)
    return counts


@pytest.mark.parametrize(
    ("failures", "waits"),
    [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 15), (10, 15), (1_000_000, 15)],
)
def test_the_wait_doubles_with_each_failure_up_to_a_quarter_of_an_hour(failures, waits):
    assert wait_after(failures, 5) == minutes(waits)


@pytest.mark.parametrize("failures", [0, 1, 1_000])
def test_no_limit_means_no_wait(failures):
    assert wait_after(failures, 0) == timedelta(0)


def test_five_failures_at_one_place_wait_for_a_minute():
    counts = fail({place: Count() for place in STRANGER}, 4)
    before = wait_of(counts, NOON)

    counts = fail(counts, 1)

    assert before == timedelta(0)
    assert wait_of(counts, NOON) == minutes(1)
    assert wait_of(counts, NOON + minutes(1)) == timedelta(0)


def test_an_hour_without_a_failure_is_a_fresh_start():
    counts = fail({Place.NAME_AT_ADDRESS: Count()}, 9)

    (count,) = counts.values()

    assert count.at(NOON + FORGOTTEN_AFTER - timedelta(seconds=1)) == count
    assert count.at(NOON + FORGOTTEN_AFTER) == Count()


def test_a_name_under_attack_leaves_a_strange_place_one_try():
    attacked = {Place.NAME: Count(failures=50, last_failed_at=NOON)}
    fresh = {Place.ADDRESS: Count(), Place.NAME_AT_ADDRESS: Count()}

    after = count_failure(fresh | attacked, LIMITS, NOON)

    assert wait_of(fresh | attacked, NOON) == timedelta(0)
    assert wait_of(after, NOON) == minutes(1)


def test_a_known_browser_has_a_count_of_its_own_and_no_other():
    assert places_of(known_browser=True) == (Place.NAME_IN_BROWSER,)


@pytest.mark.parametrize("failures", [0, 4, 49, 50, 1_000_000])
@pytest.mark.parametrize("limits", [LIMITS, Limits(tries=1, tries_per_address=1)])
def test_a_name_alone_never_makes_anybody_wait(failures, limits):
    count = Count(failures=failures, last_failed_at=NOON)

    after = count_failure({Place.NAME: count}, limits, NOON)

    assert wait_of(after, NOON) == timedelta(0)


@pytest.mark.parametrize("free", [1, 5, 30])
def test_nobody_waits_longer_than_the_longest_wait_nor_less_for_failing_more(free):
    waits = [wait_after(failures, free) for failures in range(60)]

    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


@pytest.mark.parametrize(
    ("place", "failures", "expected"),
    [
        (Place.NAME_AT_ADDRESS, 3, False),
        (Place.NAME_AT_ADDRESS, 4, True),
        (Place.NAME_AT_ADDRESS, 5, False),
        (Place.NAME_IN_BROWSER, 4, True),
        (Place.ADDRESS, 29, True),
        (Place.ADDRESS, 30, False),
        (Place.NAME, 49, True),
        (Place.NAME, 50, False),
    ],
)
def test_a_limit_is_reached_once(place, failures, expected):
    before = {place: Count(failures=failures, last_failed_at=NOON)}

    after = count_failure(before, LIMITS, NOON)

    assert (crossed(before, after, LIMITS) == [place]) is expected


def test_without_a_limit_nothing_is_ever_reached_or_under_attack():
    limits = Limits(tries=0, tries_per_address=0)
    before = {place: Count(failures=10**6, last_failed_at=NOON) for place in STRANGER}

    after = count_failure(before, limits, NOON)

    assert not is_under_attack(before, limits)
    assert crossed(before, after, limits) == []
    assert wait_of(after, NOON) == timedelta(0)


def test_a_success_takes_back_what_it_counted_and_lifts_only_its_own_wait():
    before = Count(failures=29, last_failed_at=NOON - minutes(5))
    after = before.failed(free=30, now=NOON)
    meanwhile = after.failed(free=30, now=NOON)

    assert after.waits_until is not None
    assert after.taken_back(before, after) == before
    assert meanwhile.taken_back(before, after).failures == 30
    assert meanwhile.taken_back(before, after).waits_until == meanwhile.waits_until
