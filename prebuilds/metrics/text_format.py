"""Prometheus' text format: help, type, labels and values of one metric after the other.

It knows no pools and no database; every name gets the prefix PREBUILDS_METRICS_NAMESPACE. Labels
come written: a pool's stand in a dozen lines, and are escaped once.
"""

from collections.abc import Iterable, Iterator

from django.conf import settings

from prebuilds.metrics.totals import BOUNDS, Total

Labels = tuple[tuple[str, str], ...]


def write_metric(
    name: str, kind: str, help_text: str, rows: Iterable[tuple[str, float]]
) -> list[str]:
    """Write a counter or a gauge, each row with its written labels; without rows help and type."""
    full = _full(name)
    return [
        f"# HELP {full} {help_text}",
        f"# TYPE {full} {kind}",
        *[f"{full}{labels} {value}" for labels, value in rows],
    ]


def write_histogram(
    name: str, help_text: str, metric: str, rows: Iterable[tuple[Labels, Total]]
) -> Iterator[str]:
    """Write a histogram of a metric of BOUNDS, its series in order."""
    full = _full(name)
    yield f"# HELP {full} {help_text}"
    yield f"# TYPE {full} histogram"
    bounds = [*(f"{bound:g}" for bound in BOUNDS[metric]), "+Inf"]
    for labels, total in sorted(rows, key=lambda row: row[0]):
        below = 0
        for bound, count in zip(bounds, total.buckets or [0] * len(bounds), strict=True):
            below += count
            yield f"{full}_bucket{write_labels((*labels, ('le', bound)))} {below}"
        yield f"{full}_sum{write_labels(labels)} {total.total:.6f}"
        yield f"{full}_count{write_labels(labels)} {total.count}"


def _full(name: str) -> str:
    return f"{settings.PREBUILDS_METRICS_NAMESPACE}_{name}"


def write_labels(labels: Labels) -> str:
    """Write labels with their braces; nothing for none."""
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
