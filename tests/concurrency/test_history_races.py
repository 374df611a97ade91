"""Two workers that roll up at once: one does, the other leaves at once (history, metrics)."""

from datetime import timedelta

import pytest

from prebuilds import history, metrics
from prebuilds.models import MetricMark, PoolHour
from tests import factories
from tests.committed import delete_instead_of_truncate
from tests.concurrency.racing import alongside, uncommitted
from tests.factories import NOON

__all__ = ["delete_instead_of_truncate"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def test_a_roll_up_beside_one_that_is_not_committed_does_nothing():
    factories.make_template()

    with uncommitted(lambda: history.roll_up(now=NOON)) as first:
        second = alongside(lambda: history.roll_up(now=NOON))

    assert (first.pools, second) == (1, history.RollUp())
    assert PoolHour.objects.get().samples == 1


def test_totals_are_added_up_by_one_worker_at_a_time():
    later = NOON + timedelta(hours=1)

    with uncommitted(lambda: metrics.accumulate(now=later)):
        assert alongside(lambda: metrics.accumulate(now=later + timedelta(hours=1))) == 0

    assert MetricMark.objects.get().counted_until < later
