"""A pool's hours as curves and as a table: gaps stay gaps, and nothing is counted twice."""

from datetime import UTC, datetime, timedelta

import pytest

from prebuilds.dashboard.preset.timeline import SPANS, Mark, Timeline, draw_timeline
from prebuilds.trends import HourPoint

NOW = datetime(2026, 3, 4, 12, 20, tzinfo=UTC)
HOUR = NOW.replace(minute=0)


def hours_ago(number: int, **fields: float) -> HourPoint:
    return HourPoint(hour=HOUR - timedelta(hours=number), **fields)  # type: ignore[arg-type]


def drawn(*points: HourPoint, key: str = "24h", marks: tuple[Mark, ...] = ()) -> Timeline:
    return draw_timeline(points, marks, span=SPANS[key], now=NOW)


@pytest.mark.parametrize(
    ("key", "hours", "rows"), [("24h", 24, 24), ("7d", 168, 7), ("30d", 720, 30)]
)
def test_a_span_has_all_its_hours_and_the_table_one_row_per_bucket(
    key: str, hours: int, rows: int
) -> None:
    timeline = drawn(key=key)

    assert len(timeline.data["at"]) == hours
    assert timeline.data["at"][-1] == HOUR.timestamp()
    assert len(timeline.buckets) == rows


def test_an_hour_nobody_looked_at_is_a_gap_and_no_zero() -> None:
    data = drawn(hours_ago(0, desired=2.0, ready=0.0)).data

    assert data["desired"][-2:] == [None, 2.0]
    assert data["ready"][-2:] == [None, 0.0]


def test_the_table_adds_up_to_what_the_curves_show() -> None:
    timeline = drawn(
        hours_ago(0, warm=1, cold=2, desired=2.0),
        hours_ago(20, warm=4, desired=4.0),
        hours_ago(30, warm=8),
        key="7d",
    )

    assert sum(bucket.warm for bucket in timeline.buckets) == 13
    assert (timeline.buckets[0].warm, timeline.buckets[0].cold) == (5, 2)
    assert timeline.buckets[0].desired == 3.0
    assert timeline.buckets[1].desired is None


def test_what_lies_before_the_span_is_left_out() -> None:
    old = Mark(at=NOW - timedelta(days=2), icon="edit", tone="busy", text="Edited")
    new = Mark(at=NOW - timedelta(hours=2), icon="edit", tone="busy", text="Edited")

    timeline = drawn(hours_ago(40, warm=9), marks=(old, new))

    assert sum(bucket.warm for bucket in timeline.buckets) == 0
    assert timeline.marks == (new,)
    assert timeline.is_empty


def test_the_summary_says_the_warm_rate() -> None:
    assert "a warm rate of 75 %" in drawn(hours_ago(1, warm=3, cold=1)).summary
    assert "Nobody asked" in drawn(hours_ago(1, desired=1.0)).summary


def test_a_flag_tells_what_its_mark_is_about() -> None:
    older = Mark(at=NOW - timedelta(hours=3), icon="rocket", tone="busy", text="Promoted 2 (Ana)")
    newer = Mark(at=NOW - timedelta(hours=2), icon="edit", tone="busy", text="Edited (Ben)")

    marks = drawn(hours_ago(1, desired=1.0), marks=(older, newer)).data["marks"]

    assert [(one["number"], one["text"]) for one in marks] == [
        (1, "Edited (Ben)"),
        (2, "Promoted 2 (Ana)"),
    ]
    assert marks[0]["at"] == newer.at.timestamp()
