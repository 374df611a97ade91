"""What metrics have counted so far, so that a counter never goes back and a scrape stays cheap.

Counters are the totals here, up to the mark, and what the rows say since the mark.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from templates_app.models import Preset, Template


class MetricMark(models.Model):
    """The one row that says up to when everything is in the totals."""

    SINGLETON_ID = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLETON_ID, editable=False)
    counted_until = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(name="metric_mark_one_row", condition=models.Q(id=1)),
        )

    def __str__(self) -> str:
        return f"{self.counted_until:%Y-%m-%d %H:%M}"


class MetricTotal(models.Model):
    """One series up to the mark: a count, and for histograms the sum and the buckets.

    `buckets` are not cumulative; the last one is beyond the largest bound.
    """

    metric = models.CharField(max_length=32)
    template = models.ForeignKey(Template, models.CASCADE, null=True, related_name="+")
    preset = models.ForeignKey(Preset, models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=64, blank=True)
    count = models.PositiveBigIntegerField(default=0)
    total = models.FloatField(default=0)
    buckets = ArrayField(models.PositiveBigIntegerField(), default=list, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("metric", "template", "preset", "kind"),
                nulls_distinct=False,
                name="metric_total_unique",
            ),
        )

    def __str__(self) -> str:
        return f"{self.metric} {self.kind}".strip()
