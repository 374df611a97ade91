"""What pools were like: one row per preset and hour, rolled up by housekeeping."""

from datetime import datetime

from django.db import models

from templates_app.models import Preset


class PoolHour(models.Model):
    """One hour of one pool: what was asked of it, and how full it was.

    `warm` and `cold` count claims and misses. The sums are over `samples` looks at the pool;
    `idle_seconds` is the time ready prebuilds waited for somebody, all of them together.
    """

    preset = models.ForeignKey(Preset, models.CASCADE, related_name="hours")
    hour = models.DateTimeField(help_text="When the hour began.")
    warm = models.PositiveIntegerField(default=0)
    cold = models.PositiveIntegerField(default=0)
    samples = models.PositiveIntegerField(default=0)
    desired_sum = models.PositiveBigIntegerField(default=0)
    ready_sum = models.PositiveBigIntegerField(default=0)
    ready_min = models.PositiveIntegerField(null=True, blank=True)
    idle_seconds = models.PositiveBigIntegerField(default=0)
    sampled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("preset", "hour")
        constraints = (models.UniqueConstraint(fields=("preset", "hour"), name="pool_hour_unique"),)
        indexes = (models.Index(fields=("hour",), name="pool_hour_newest"),)

    def __str__(self) -> str:
        return f"{self.preset_id} at {self.hour:%Y-%m-%d %H:%M}"


def hour_of(at: datetime) -> datetime:
    """Return when the hour of an instant began: the hour its row of a pool bears."""
    return at.replace(minute=0, second=0, microsecond=0)
