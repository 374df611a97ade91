"""Hypothesis plays all the parts against the real database; every promise holds at every step.

`Alone` does one thing after another, so its examples repeat exactly. `Together` also does two or
three things at once, in threads: what they do depends on who is faster, so an error brings the
story that was played. `make test-long` plays thousands of stories instead of a few.
"""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.alone import Alone
from tests.machine.together import Together

IS_LONG = settings.get_current_profile_name() == "long"
LONG = settings(  # and what the profile says
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=set(Phase) - {Phase.explain},  # it plays a found story hundreds of times more
)
UNSHRUNK = (Phase.generate,)
FAST = settings(LONG, derandomize=True, database=None, max_examples=16, stateful_step_count=30)

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "snapshot"]),
    pytest.mark.slow,
    pytest.mark.timeout(6 * 3600 if IS_LONG else 300),
]


def test_every_promise_holds_whatever_happens():
    run_state_machine_as_test(Alone, settings=LONG if IS_LONG else FAST)


def test_every_promise_holds_whatever_happens_at_once():
    chosen = LONG if IS_LONG else settings(FAST, max_examples=14)
    # Threads do not repeat exactly, so there is nothing to shrink.
    run_state_machine_as_test(Together, settings=settings(chosen, phases=UNSHRUNK))
