"""Prometheus' text format: help, type, labels and values of one metric after the other.

It knows no pools and no database; every name gets the prefix PREBUILDS_METRICS_NAMESPACE.
"""

from collections.abc import Iterable, Iterator

from django.conf import settings

from prebuilds.metrics.totals import BOUNDS, Total

Labels = tuple[tuple[str, str], ...]


def write_metric(
    name: str, kind: str, help_text: str, rows: Iterable[tuple[Labels, float]]
) -> Iterator[str]:
    """Write a counter or a gauge; without rows its help and type alone."""
    full = _full(name)
    yield f"# HELP {full} {help_text}"
    yield f"# TYPE {full} {kind}"
    for labels, value in rows:
        yield f"{full}{_braces(labels)} {value}"


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
            yield f"{full}_bucket{_braces((*labels, ('le', bound)))} {below}"
        yield f"{full}_sum{_braces(labels)} {total.total:.6f}"
        yield f"{full}_count{_braces(labels)} {total.count}"


def _full(name: str) -> str:
    return f"{settings.PREBUILDS_METRICS_NAMESPACE}_{name}"


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
