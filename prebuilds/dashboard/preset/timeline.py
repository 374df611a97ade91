"""A pool's hours as curves, and the same as a table for those who do not see curves. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.models import AuditEntry
from prebuilds.dashboard.base.wording import say_list
from prebuilds.dashboard.preset.words import name_of
from prebuilds.models import Notice, hour_of
from prebuilds.trends import AN_HOUR, HourPoint

LONGEST: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How far back one looks. `bucket` is what a row of the table covers."""

    key: str
    label: str
    length: timedelta
    bucket: timedelta


SPANS: Final = {
    span.key: span
    for span in (
        Span(key="24h", label="24 hours", length=timedelta(days=1), bucket=AN_HOUR),
        Span(key="7d", label="7 days", length=timedelta(days=7), bucket=timedelta(days=1)),
        Span(key="30d", label="30 days", length=LONGEST, bucket=timedelta(days=1)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened to the pool."""

    at: datetime
    icon: str
    tone: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A row of the table: from `start` until before `end`."""

    start: datetime
    end: datetime
    desired: float | None
    ready: float | None
    warm: int
    cold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Everything the chart and its table show; `data` goes to the browser as JSON."""

    span: Span
    since: datetime
    data: dict[str, Any]
    buckets: tuple[Bucket, ...]
    marks: tuple[Mark, ...]
    is_empty: bool
    summary: str


def draw_timeline(
    points: Sequence[HourPoint], marks: Iterable[Mark], *, span: Span, now: datetime
) -> Timeline:
    """Return the last hours of a pool; hours nobody looked at are gaps, not zeros."""
    since = hour_of(now) - span.length + AN_HOUR
    shown = _every_hour(points, since, now)
    events = tuple(
        sorted((mark for mark in marks if mark.at >= since), key=lambda mark: mark.at, reverse=True)
    )
    return Timeline(
        span=span,
        since=since,
        data=_data(shown, events),
        buckets=tuple(reversed(list(_buckets(shown, span.bucket)))),
        marks=events,
        is_empty=not any(point.warm or point.cold or point.desired is not None for point in shown),
        summary=_summary(shown, span),
    )


def marks_from(entries: Iterable[AuditEntry], notices: Iterable[Notice]) -> Iterator[Mark]:
    """Return what people did and what went wrong, as marks on the axis."""
    for entry in entries:
        yield _mark(entry)
    for notice in notices:
        text = notice.get_kind_display()
        yield Mark(at=notice.opened_at, icon="alert-triangle", tone="bad", text=text)


def _mark(entry: AuditEntry) -> Mark:
    icon, word = _ACTIONS.get(entry.action, ("info-circle", entry.action.capitalize()))
    what = [name_of(field).lower() for field in entry.after] if entry.action == "edit" else []
    of = f": {say_list(what)}" if what else ""
    who = entry.actor.display_name if entry.actor else entry.get_source_display()
    version = entry.after.get("active_version") if entry.action == "promote" else ""
    to = f" {version}" if version else ""
    return Mark(at=entry.at, icon=icon, tone="busy", text=f"{word}{to}{of} ({who})")


_ACTIONS: Final = {
    "edit": ("edit", "Edited"),
    "promote": ("rocket", "Promoted"),
    "invalidate": ("rotate", "Invalidated"),
    "retry": ("refresh", "Retried"),
    "pause": ("player-pause", "All pools paused"),
    "resume": ("player-play", "All pools resumed"),
}


def _every_hour(points: Sequence[HourPoint], since: datetime, now: datetime) -> list[HourPoint]:
    known = {point.hour: point for point in points}
    number = int((now - since) / AN_HOUR) + 1
    hours = [since + index * AN_HOUR for index in range(number)]
    return [known.get(hour, HourPoint(hour=hour)) for hour in hours]


def _data(points: Sequence[HourPoint], marks: Sequence[Mark]) -> dict[str, Any]:
    return {
        "at": [int(point.hour.timestamp()) for point in points],
        "desired": [_rounded(point.desired) for point in points],
        "ready": [_rounded(point.ready) for point in points],
        "claims": [point.warm or None for point in points],
        "misses": [point.cold or None for point in points],
        "marks": [
            {"at": int(mark.at.timestamp()), "number": number, "text": mark.text}
            for number, mark in enumerate(marks, start=1)
        ],
    }


def _buckets(points: Sequence[HourPoint], length: timedelta) -> Iterator[Bucket]:
    size = int(length / AN_HOUR)
    first = len(points) % size
    starts = ([0] if first else []) + list(range(first, len(points), size))
    for start in starts:
        end = first if start < first else start + size
        yield _bucket(points[start:end])


def _bucket(points: Sequence[HourPoint]) -> Bucket:
    return Bucket(
        start=points[0].hour,
        end=points[-1].hour + AN_HOUR,
        desired=_mean([point.desired for point in points]),
        ready=_mean([point.ready for point in points]),
        warm=sum(point.warm for point in points),
        cold=sum(point.cold for point in points),
    )


def _summary(points: Sequence[HourPoint], span: Span) -> str:
    warm, cold = sum(point.warm for point in points), sum(point.cold for point in points)
    if not warm + cold:
        return f"Nobody asked for a workspace of this preset in the last {span.label}."
    share = round(100 * warm / (warm + cold))
    return (
        f"{warm} of {warm + cold} requests in the last {span.label} got a ready workspace at once: "
        f"a warm rate of {share} %."
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _rounded(value: float | None) -> float | None:
    return round(value, 2) if value is not None else None
