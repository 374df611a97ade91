"""The demo's invented past: the same days tell the same story, and it is a likely one."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from prebuilds.management.demo_past.story import (
    COLLEAGUES,
    POOLS,
    ZONE,
    Past,
    desired_at,
    exists_at,
    invent_past,
)

WEDNESDAY = datetime(2026, 3, 4, 12, 20, tzinfo=UTC)
DAYS = [WEDNESDAY + timedelta(days=number) for number in range(7)]
NIGHTS = [WEDNESDAY.replace(hour=hour) for hour in (0, 5, 23)]
AFTER_THE_CLOCKS_CHANGED = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)
MOMENTS = [*DAYS, *NIGHTS, AFTER_THE_CLOCKS_CHANGED]


@pytest.fixture(params=MOMENTS, ids=str)
def past(request: pytest.FixtureRequest) -> Past:
    return invent_past(request.param)


def test_the_same_hour_has_the_same_past() -> None:
    assert invent_past(WEDNESDAY) == invent_past(WEDNESDAY + timedelta(minutes=30))


def test_an_hour_later_what_is_remembered_is_still_the_same() -> None:
    later = invent_past(WEDNESDAY + timedelta(hours=1))
    before = [one for one in invent_past(WEDNESDAY).asked if one.at >= later.start]

    assert list(later.asked)[: len(before)] == before


def test_it_ends_where_the_present_hour_begins(past: Past) -> None:
    assert past.end - past.start == timedelta(days=14)
    assert all(past.start <= one.at < past.end for one in past.asked)
    assert [one.at for one in past.asked] == sorted(one.at for one in past.asked)


def test_about_nine_of_ten_got_a_ready_one(past: Past) -> None:
    warm = sum(one.is_warm for one in past.asked)

    assert 250 <= len(past.asked) <= 500
    assert 0.85 <= warm / len(past.asked) <= 0.95


def test_people_ask_in_office_hours_and_seldom_at_weekends(past: Past) -> None:
    local = [one.at.astimezone(ZONE) for one in past.asked]
    weekend = sum(at.weekday() >= 5 for at in local)

    assert {at.hour for at in local} <= set(range(8, 18))
    assert 0 < weekend < len(local) / 10
    assert {one.who for one in past.asked} == set(COLLEAGUES)


def test_one_morning_a_pool_was_stopped_and_its_misses_say_so(past: Past) -> None:
    incident = past.incident
    during = [
        one
        for one in past.asked
        if one.pool is incident.pool and incident.stopped_at <= one.at < incident.mended_at
    ]

    assert incident.broken_at < incident.stopped_at < incident.mended_at <= past.end
    assert incident.stopped_at.astimezone(ZONE).weekday() < 5
    assert timedelta(days=2) < past.end - incident.stopped_at < timedelta(days=7)
    assert {one.reason for one in during} <= {"hard_limited"}
    assert Counter(one.reason for one in past.asked)["hard_limited"] == len(during)


def test_nobody_asks_for_what_is_not_there(past: Past) -> None:
    for one in past.asked:
        assert exists_at(one.pool, one.at, past)
        assert not one.pool.is_new or one.at >= past.promoted_at
        assert not one.pool.is_old or one.at < past.promoted_at


def test_what_people_did_was_on_working_days_and_the_week_shows_the_edit(past: Past) -> None:
    deeds = (past.promoted_at, past.edited_at, past.incident.mended_at)

    assert all(at.weekday() < 5 for at in deeds)
    assert past.promoted_at < past.edited_at < past.incident.broken_at
    assert past.end - past.edited_at < timedelta(days=7)


def test_a_version_ends_when_the_next_one_is_promoted(past: Past) -> None:
    (earlier,) = [pool for pool in POOLS if pool.is_old]
    (small,) = [pool for pool in POOLS if pool.preset == "Small"]
    hour = past.start

    while hour < past.end:
        assert not (exists_at(earlier, hour, past) and exists_at(small, hour, past))
        hour += timedelta(hours=1)
    assert exists_at(earlier, past.start, past)
    assert exists_at(small, past.end - timedelta(hours=1), past)


@pytest.mark.parametrize(
    ("at", "desired"),
    [
        (datetime(2026, 3, 4, 7, tzinfo=UTC), 3),
        (datetime(2026, 3, 4, 6, tzinfo=UTC), 1),
        (datetime(2026, 3, 4, 17, tzinfo=UTC), 3),
        (datetime(2026, 3, 4, 18, tzinfo=UTC), 1),
        (datetime(2026, 3, 7, 12, tzinfo=UTC), 1),
    ],
)
def test_a_pool_with_a_schedule_wanted_more_in_business_hours(at: datetime, desired: int) -> None:
    (large,) = [pool for pool in POOLS if pool.preset == "Large"]

    assert desired_at(large, at) == desired
