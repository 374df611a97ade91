"""Prometheus metrics, computed from rows: any replica's answer is right, whoever did the work.

`totals` counts what happened, `gauges` how things are, `exposition` makes the text of it in
`text_format`.
"""

from prebuilds.metrics.exposition import CONTENT_TYPE, Exposition
from prebuilds.metrics.totals import accumulate

__all__ = ["CONTENT_TYPE", "Exposition", "accumulate"]
