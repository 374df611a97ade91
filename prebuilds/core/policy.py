"""The knobs of the reconciler that are the same for every preset (semantics.md 22)."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient and how greedy the reconciler is.

    `failure_hard_limit` 0 switches the hard limit off; `max_in_flight` 0 means no limit.
    """

    backoff_interval: timedelta = timedelta(seconds=60)
    backoff_lookback: timedelta = timedelta(hours=1)
    failure_hard_limit: int = 3
    max_in_flight: int = 50
    ready_timeout: timedelta = timedelta(minutes=30)
    failed_retention: timedelta = timedelta(hours=24)
