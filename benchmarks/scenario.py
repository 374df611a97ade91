"""What a scenario is, and how its result is shown."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connections

WARM_UP = 3


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
    return statistics.median(seconds_once(work) for _ in range(runs))


def paired_ratio(
    ours: Callable[[], object], theirs: Callable[[], object], *, runs: int = 3
) -> tuple[float, float, float]:
    """Run both in turn, A B A B, and return (median ratio, median ours, median theirs).

    The ratio is taken pair by pair, so a machine whose speed drifts does not falsify it.
    """
    ours()
    theirs()
    pairs = [(seconds_once(ours), seconds_once(theirs)) for _ in range(runs)]
    return (
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of the values by nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(percent / 100 * len(ranked)))]


def seconds_once(work: Callable[[], object]) -> float:
    """Return the wall time of one run."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def side_by_side(work: Callable[[], object], *, processes: int, each: int) -> float:
    """Return how often per second so many processes do the work, each so often after WARM_UP."""
    connections.close_all()  # a child must not speak over its parent's
    forks = multiprocessing.get_context("fork")
    ready, times = forks.Barrier(processes), forks.SimpleQueue()

    def run() -> None:
        for _ in range(WARM_UP):
            work()
        ready.wait(60)
        started = time.monotonic()
        for _ in range(each):
            work()
        times.put((started, time.monotonic()))
        connections.close_all()

    children = [forks.Process(target=run) for _ in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    assert [child.exitcode for child in children] == [0] * processes
    spans = [times.get() for _ in children]
    return processes * each / (max(end for _, end in spans) - min(start for start, _ in spans))
