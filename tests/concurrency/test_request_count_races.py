"""Requests at once, in several processes with several threads each: the limit is one."""

import pytest

from prebuilds.api import throttling
from prebuilds.api.throttling import Tally
from tests.concurrency.racing import race

pytestmark = pytest.mark.django_db(transaction=True)


# A large limit is told of in hundredths, here by eight threads at once.
@pytest.mark.parametrize(("limit", "most"), [(60, 60), (1000, 1080)])
def test_two_processes_of_four_threads_let_pass_what_one_would(limit, most):
    first, second = (Tally(throttling._tell, clock=lambda: 90.0) for _ in range(2))

    def ask(tally):
        return sum(tally.add("token 1", limit=limit) <= limit for _ in range(limit // 2))

    allowed = sum(race(*[lambda: ask(first), lambda: ask(second)] * 4))

    assert limit <= allowed <= most
