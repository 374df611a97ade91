"""Limits hold for all web processes together: each counts, and tells the others now and then."""

from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection

from accounts.models import RequestCount
from accounts.services import request_counts
from prebuilds.api import throttling
from prebuilds.api.throttling import Tally
from tests import factories
from tests.api.conftest import token_of

pytestmark = pytest.mark.django_db


class Processes:
    """Web processes, each with a memory of its own, and one clock."""

    def __init__(self, number):
        self.now = 90.0
        self.tallies = [Tally(throttling._tell, clock=lambda: self.now) for _ in range(number)]

    def allowed(self, *, limit, requests, key="token 1"):
        """Return how many of so many requests, sent round robin, are within the limit."""
        turns = (self.tallies[turn % len(self.tallies)] for turn in range(requests))
        return sum(tally.add(key, limit=limit) <= limit for tally in turns)


@pytest.fixture
def four():
    return Processes(4)


def test_a_small_limit_holds_exactly(four):
    assert four.allowed(limit=60, requests=200) == 60


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_large_one_is_passed_by_a_hundredth_a_process_at_most(processes):
    allowed = Processes(processes).allowed(limit=1000, requests=2000)

    assert 1000 <= allowed <= 1000 + processes * 10


def test_one_process_alone_keeps_a_large_one_exactly():
    assert Processes(1).allowed(limit=1000, requests=2000) == 1000


def test_whoever_comes_late_to_a_process_is_known_there_soon():
    first, second = Processes(2).tallies
    for _ in range(1000):
        first.add("token 1", limit=1000)

    allowed = sum(second.add("token 1", limit=1000) <= 1000 for _ in range(100))

    assert allowed < 10


def test_a_new_minute_is_a_fresh_start_for_all(four):
    four.allowed(limit=60, requests=100)

    four.now += 60

    assert four.allowed(limit=60, requests=200) == 60


def test_others_are_counted_for_themselves(four):
    four.allowed(limit=60, requests=100)

    assert four.allowed(limit=60, requests=100, key="token 2") == 60


def test_a_request_costs_a_statement_now_and_then_and_a_refused_one_none(
    django_assert_num_queries,
):
    (tally,) = Processes(1).tallies

    with django_assert_num_queries(0):
        for _ in range(59):
            tally.add("token 1", limit=6000)
    with django_assert_num_queries(1):
        tally.add("token 1", limit=6000)
    with django_assert_num_queries(99):
        for _ in range(59 + 99 * 60):
            tally.add("token 1", limit=6000)
        for _ in range(1000):
            tally.add("token 1", limit=6000)


def test_neither_token_nor_address_is_kept():
    throttling._tell("failed token 192.0.2.1", 7, 1)

    (row,) = RequestCount.objects.values()
    assert len(row.pop("key")) == 64
    assert row == {"minute": 7, "count": 1}


def test_the_table_costs_no_flush():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relpersistence FROM pg_class WHERE oid = 'accounts_requestcount'::regclass"
        )
        assert cursor.fetchone() == ("u",)


def test_minutes_that_are_over_are_forgotten_but_for_the_last():
    for minute in (7, 8, 9):
        request_counts.add_requests(of="token 1", minute=minute, number=1)

    pruned = request_counts.prune_requests(now=datetime.fromtimestamp(9 * 60 + 1, UTC))

    assert pruned == 1
    assert sorted(RequestCount.objects.values_list("minute", flat=True)) == [8, 9]


def test_a_count_that_cannot_be_told_is_no_mistake_of_ours(settings, monkeypatch):
    settings.PREBUILDS_API_RATE = 1
    client = token_of(factories.make_user(roles=["owner"]))

    def lose(*_):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(throttling.tally, "_tell", lose)
    throttling.tally.clear()
    answer = client.get("/api/v2/users/me")
    throttling.tally.clear()

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
