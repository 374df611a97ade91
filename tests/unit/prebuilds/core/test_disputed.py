"""Where the core and semantics.md (or style.md) disagree; every test here shows one dispute."""

from dataclasses import replace
from itertools import permutations

import pytest

from prebuilds.core.attempts import Backoff, find_backoff, is_hard_limited, is_probing
from prebuilds.core.health import describe_health
from prebuilds.core.policy import Policy
from prebuilds.core.state import is_expired
from tests.unit.prebuilds.core.builders import (
    DAY,
    HOUR,
    MINUTE,
    NONE,
    NOW,
    POLICY,
    SECOND,
    actions_for,
    attempt,
    decision_for,
    failed,
    failed_deletion,
    history,
    make_preset,
    prebuild,
)

NO_LIMIT = Policy(failure_hard_limit=0)


def test_a_ttl_of_zero_is_off():
    """Sections 1 and 5: 0 = off, expired only when ttl > 0."""
    assert is_expired(prebuild(1, age=DAY), make_preset(ttl=NONE), NOW) is False


@pytest.mark.parametrize("failures", [2, 3, 5])
def test_failures_outside_the_window_but_within_the_lookback_add_to_the_wait(failures):
    """Section 8: the window opens a backoff; num_failed counts the lookback, not the window."""
    preset = make_preset(1, attempts=history("F" * failures, newest=10 * SECOND))

    backoff = find_backoff(preset, NO_LIMIT, NOW)

    assert backoff == Backoff(until=NOW - 10 * SECOND + failures * MINUTE, failures=failures)


def test_the_backoff_sentence_counts_only_the_failures_that_made_it():
    """Section 8: a failure before the lookback is no part of the wait."""
    preset = make_preset(2, attempts=(attempt("F", ago=SECOND), attempt("F", ago=2 * HOUR)))

    health = describe_health(decision_for(preset), paused=False)

    assert health.reason == "Waiting after 1 failed build before trying again."


# style.md: input order does not matter


@pytest.mark.parametrize("outcomes", ["SF", "SFFF", "SSFFF"])
def test_of_attempts_made_at_the_same_instant_the_order_of_rows_decides_nothing(outcomes):
    """A pool is created in bulk with one `now`, so ties are the usual case, not the odd one."""
    together = [
        replace(attempt(outcome, ago=HOUR + rank * SECOND), created_at=NOW - 2 * HOUR)
        for rank, outcome in enumerate(outcomes)
    ]

    answers = {
        (
            is_probing(preset),
            is_hard_limited(preset, POLICY),
            find_backoff(preset, Policy(backoff_interval=DAY, backoff_lookback=DAY), NOW),
        )
        for order in permutations(together)
        for preset in [make_preset(1, attempts=order)]
    }

    assert len(answers) == 1


@pytest.mark.parametrize(
    "rows",
    [
        {"failed": (failed(1, canceled=True), failed(2, ago=MINUTE, canceled=True))},
        {
            "failed_deletions": (
                failed_deletion(1, tries=1, ago=HOUR),
                failed_deletion(2, tries=1, ago=DAY),
            )
        },
    ],
)
def test_leftovers_are_cleared_in_the_same_order_whatever_the_order_of_rows(rows):
    """Two replicas that lock in different orders can deadlock; decisions are compared in tests."""
    preset = make_preset(0, **rows)
    reversed_rows = {name: tuple(reversed(found)) for name, found in rows.items()}

    assert actions_for(preset) == actions_for(replace(preset, **reversed_rows))
