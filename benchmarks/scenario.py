"""What a scenario is, and how its result is shown."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table: a bar, what was measured, and whether the bar holds."""

    scenario: str
    bar: str
    measured: str
    holds: bool
    figures: dict[str, float]


def seconds_of(work: Callable[[], object], *, runs: int = 3) -> float:
    """Return the median wall time of a few runs, after one that does not count."""
    work()
    return statistics.median(_once(work) for _ in range(runs))


def paired_ratio(
    ours: Callable[[], object], theirs: Callable[[], object], *, runs: int = 3
) -> tuple[float, float, float]:
    """Run both in turn, A B A B, and return (median ratio, median ours, median theirs).

    The ratio is taken pair by pair, so a machine whose speed drifts does not falsify it.
    """
    ours()
    theirs()
    pairs = [(_once(ours), _once(theirs)) for _ in range(runs)]
    return (
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of the values by nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(percent / 100 * len(ranked)))]


def _once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
