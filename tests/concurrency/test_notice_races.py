"""Two reconcilers with the same news: people are told once (semantics.md 21)."""

import logging
from functools import partial

import pytest

from prebuilds import notices, observation
from prebuilds.core.decisions import decide
from prebuilds.core.policy import Policy
from prebuilds.models import Notice
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from tests.concurrency.racing import blocked_by, errors, race
from tests.factories import NOON, hours

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

POLICY = Policy()


def make_broken(number):
    spec = PresetSpec(name="Small", desired_instances=0, schedules=(("* 12 * * *", 1),))
    for _ in range(number):
        factories.make_template(presets=(spec,))
    Preset.objects.update(scheduling_timezone="Mars/Olympus")


def look(now=NOON):
    snapshot = observation.take_snapshot(POLICY, now=now, using="default")
    return partial(
        notices.sync_notices,
        decisions=decide(snapshot, POLICY, now),
        snapshot=snapshot,
        policy=POLICY,
        now=now,
    )


def test_four_at_once_open_each_notice_once_and_log_it_once(caplog):
    make_broken(5)
    sync = look()

    with caplog.at_level(logging.WARNING):
        outcomes = race(sync, sync, sync, sync)

    assert errors(outcomes) == []
    assert Notice.objects.count() == 5
    assert sum(len(one.opened) for one in outcomes) == 5
    assert [one.message for one in caplog.records].count("schedule cannot be read") == 5


def test_one_that_comes_second_finds_it_opened_and_says_so():
    make_broken(1)
    sync = look()

    second = blocked_by(sync, sync)

    assert second.opened == []
    assert Notice.objects.count() == 1


def test_two_that_close_leave_the_first_ones_time_and_harm():
    make_broken(1)
    look()()
    preset = Preset.objects.get()
    factories.claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=NOON + hours(1),
    )
    Preset.objects.update(scheduling_timezone="UTC")

    second = blocked_by(look(NOON + hours(2)), look(NOON + hours(1)))

    notice = Notice.objects.get()
    assert (notice.closed_at, notice.cold_starts) == (NOON + hours(2), 1)
    assert len(second.closed) <= 1
