"""The pure halves of the dashboard: trends, waits, the next step, sparklines. No database."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from prebuilds.dashboard.pools.attention import Trouble
from prebuilds.dashboard.pools.bar import draw_bar
from prebuilds.dashboard.pools.queries import Engine, LastCycle
from prebuilds.dashboard.pools.spark import draw_spark
from prebuilds.dashboard.pools.steps import find_step
from prebuilds.dashboard.pools.tiles import Lists, Numbers, Tile, make_tiles, say_rate, say_trend
from prebuilds.selectors import Pause
from prebuilds.trends import HourPoint, Idle, PoolDay, Served, Trends, Waits
from templates_app.schedules import Schedule

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""
COUNTED = ("rate", "served", "waits")
"""The tiles that count claims."""


def tiles(**changed: Any) -> dict[str, Tile]:
    trends = Trends(
        day=changed.pop("day", Served()),
        week=Served(),
        week_before=Served(),
        waits=changed.pop(
            "waits", Waits(warm_p50=None, warm_p95=None, cold_p50=None, cold_p95=None)
        ),
        idle=changed.pop("idle", Idle(hours=0, cost=None)),
    )
    engine = Engine(
        people_waiting=changed.pop("people", 0),
        prebuilds_waiting=0,
        provisioners_online=changed.pop("online", 1),
        last_cycle=changed.pop("cycle", None),
    )
    numbers = Numbers(
        pools=(),
        trends=trends,
        engine=engine,
        pause=changed.pop("pause", None),
        interval=timedelta(minutes=1),
        now=NOON,
    )
    return {tile.key: tile for tile in make_tiles(numbers, Lists(**changed))}


def words(tile: Tile) -> str:
    return " · ".join(fact.text for fact in (tile.main, *tile.more))


def test_each_number_of_claims_leads_to_the_claims_it_counts() -> None:
    linked, unlinked = tiles(claims="/claims/"), tiles()

    urls = [fact.url for key in COUNTED for fact in (linked[key].main, *linked[key].more)]
    assert [url.removeprefix("/claims/?") for url in urls if url] == [
        "last=24h",
        "last=7d",
        "last=24h&outcome=warm",
        "last=24h&outcome=cold",
        "last=24h&outcome=warm&sort=-waited",
        "last=24h&outcome=cold&sort=-waited",
    ]
    assert not any(unlinked[key].main.url for key in COUNTED)


def cycle(*, ago: float) -> LastCycle:
    ended = NOON - timedelta(seconds=ago)
    return LastCycle(
        run_id=1, started_at=ended - timedelta(seconds=2), completed_at=ended, trigger="bell"
    )


@pytest.mark.parametrize(
    ("week", "before", "said"),
    [
        ((96, 4), (92, 8), "up 4 points"),
        ((90, 10), (91, 9), "down 1 point"),
        ((9, 1), (90, 10), "as in the week before"),
        ((1, 0), (0, 0), "no trend yet"),
        ((0, 0), (1, 0), "no trend yet"),
    ],
)
def test_a_trend_is_said_in_points(
    week: tuple[int, int], before: tuple[int, int], said: str
) -> None:
    now, then = (Served(warm=warm, cold=cold) for warm, cold in (week, before))

    assert say_trend(now, then).text == said


@pytest.mark.parametrize(
    ("warm", "cold", "said"),
    [(0, 0, "–"), (3, 1, "75 %"), (1999, 1, "99 %"), (1, 1999, "1 %"), (5, 0, "100 %")],
)
def test_a_rate_is_all_or_nothing_only_when_it_is(warm: int, cold: int, said: str) -> None:
    assert say_rate(Served(warm=warm, cold=cold)) == said


def test_waits_and_idle_time_have_their_units() -> None:
    waits = Waits(
        warm_p50=None,
        warm_p95=timedelta(seconds=0.42),
        cold_p50=None,
        cold_p95=timedelta(seconds=130),
    )

    shown = tiles(waits=waits, idle=Idle(hours=1234.4, cost=12.34))

    assert words(shown["waits"]) == "0.4 s warm · 2 min 10 s cold"
    assert words(shown["idle"]) == "1,234 hours · of ready instances, cost 12.3"


@pytest.mark.parametrize(
    ("ago", "said"),
    [(10, "next"), (80, "next"), (91, "overdue: does the worker run?")],
)
def test_a_tick_is_overdue_only_when_it_is_late(ago: float, said: str) -> None:
    assert tiles(cycle=cycle(ago=ago))["cycle"].more[-1].text == said


def test_while_paused_no_tick_is_due() -> None:
    pause = Pause(by="", since=NOON, reason="", until=None)

    assert tiles(cycle=cycle(ago=900), pause=pause)["cycle"].more[-1].text == "paused"


def test_a_number_whose_list_one_may_not_open_is_no_link() -> None:
    closed, opened = tiles(), tiles(workspaces="/workspaces/")

    assert closed["fill"].main.url == ""
    assert opened["fill"].main.url == "/workspaces/?q=owner%3Aprebuilds+status%3Aready"


def step(*rows: tuple[str, int], base: int = 1, zone: str = "UTC", now: datetime = NOON) -> Any:
    schedules = tuple(Schedule(expression=text, desired_instances=many) for text, many in rows)
    pool: Any = SimpleNamespace(schedules=schedules, base=base, zone=zone, is_active_version=True)
    return find_step(pool, now)


def test_the_next_step_is_said_by_the_zones_clock() -> None:
    found = step(("* 8-18 * * 1-5", 3), zone="Europe/Berlin")

    assert (found.instances, found.clock) == (1, "19:00 CET")
    assert found.at == NOON + timedelta(hours=6)
    assert found.exact == "Wed 04 Mar 2026 19:00 CET (Europe/Berlin), 18:00 UTC"


def test_a_step_on_another_day_names_the_day() -> None:
    friday_evening = NOON + timedelta(days=2, hours=8)

    assert step(("* 8-18 * * 1-5", 3), now=friday_evening).clock == "Mon 08:00 UTC"


@pytest.mark.parametrize(
    "rows", [(), (("* * * * *", 3),), (("* 8-18 * * 1-5", 1),), (("nonsense", 1),)]
)
def test_where_the_number_never_changes_there_is_no_step(rows: tuple[tuple[str, int], ...]) -> None:
    assert step(*rows) is None


def test_a_step_that_is_past_is_not_shown_again() -> None:
    just_after = NOON.replace(hour=19, minute=0, second=1)

    assert step(("* 8-18 * * *", 3), now=just_after).clock == "Thu 08:00 UTC"


def test_a_sparkline_draws_misses_on_top_of_claims() -> None:
    hours = (
        HourPoint(hour=NOON, warm=1, cold=1, ready=2.0),
        HourPoint(hour=NOON + timedelta(hours=1)),
    )

    spark = draw_spark(PoolDay(served=Served(warm=1, cold=1), hours=hours))

    assert spark is not None
    assert spark.ready == "M0 24h4v-24h-4z"
    assert spark.warm == "M1 24h2v-12h-2z"
    assert spark.cold == "M1 12h2v-12h-2z"
    assert draw_spark(PoolDay()) is None


def test_a_bars_rectangles_of_one_state_share_a_path() -> None:
    pool: Any = SimpleNamespace(desired=3, ready=2, unready=0, starting=0, expired=0, deleting=0)

    paths = dict(draw_bar(pool).paths)

    assert list(paths) == ["ready", "missing"]
    assert paths["ready"].count("M") == 2


@pytest.mark.parametrize(
    ("cause", "gist"),
    [
        ("first\nsecond\n\nlast\n", "first … last"),
        ("word " * 60, None),
        ("short", "short"),
    ],
)
def test_the_gist_of_a_cause_is_where_it_begins_and_ends(cause: str, gist: str | None) -> None:
    trouble = Trouble(
        key="",
        preset_id=None,
        subject="",
        subject_url="",
        word="",
        icon="",
        tone="",
        cause=cause,
        since=None,
        harm="",
        next="",
        next_at=None,
        remedy=None,
        order=(0, 0, NOON),
    )

    assert len(trouble.gist) <= 180
    assert trouble.is_long is (cause != "short")
    assert gist is None or trouble.gist == gist
