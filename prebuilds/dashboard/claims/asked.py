"""What the address of the claims page asks for, and the addresses other pages make of it.

A number links to the rows it counted: `from` and `until` are instants, `last` counts from now.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.dateparse import parse_date, parse_datetime

from prebuilds.models import ClaimOutcome, ClaimReason
from prebuilds.selectors import ClaimFilter

A_DAY: Final = timedelta(days=1)
SPANS: Final = {
    "24h": ("24 hours", A_DAY),
    "7d": ("7 days", 7 * A_DAY),
    "14d": ("14 days", 14 * A_DAY),
    "30d": ("30 days", 30 * A_DAY),
}


def claims_url(**asked: object) -> str:
    """Return the address of the page for what is asked; `since` is written as `from`."""
    words = {("from" if name == "since" else name): _written(it) for name, it in asked.items()}
    query = urlencode({name: word for name, word in words.items() if word})
    page = reverse("dashboard:claims")
    return f"{page}?{query}" if query else page


def read_filter(given: Mapping[str, str], *, now: datetime) -> ClaimFilter:
    """Return which claims are asked for; a value that is none counts as not given."""
    preset = _text(given, "preset")
    preset_id = _id(preset)
    starts = [read_instant(_text(given, "from")), _last(_text(given, "last"), now)]
    return ClaimFilter(
        outcome=_one_of(given, "outcome", ClaimOutcome.values),
        reason=_one_of(given, "reason", ClaimReason.values),
        template_id=_id(_text(given, "template")),
        preset_id=preset_id,
        preset="" if preset_id else preset,
        user=_text(given, "user"),
        text=_text(given, "q"),
        since=max((start for start in starts if start), default=None),
        before=read_instant(_text(given, "until"), end_of_day=True),
    )


def read_instant(text: str, *, end_of_day: bool = False) -> datetime | None:
    """Return an instant from a day or a time as people and forms write them; UTC unless said."""
    try:
        if day := parse_date(text):
            return datetime.combine(day, time.min, UTC) + (A_DAY if end_of_day else timedelta())
        at = parse_datetime(text)
    except (ValueError, OverflowError):  # well written, but no such day, or none after it
        return None
    if at is None or not 1900 <= at.year <= 9000:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
    return "" if value is None else str(value)


def _last(text: str, now: datetime) -> datetime | None:
    return now - SPANS[text][1] if text in SPANS else None


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").replace("\0", "").strip()


def _one_of(given: Mapping[str, str], name: str, known: list[str]) -> str:
    return value if (value := _text(given, name)) in known else ""


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
