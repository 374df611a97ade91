"""What people change while the system runs: whether it is paused."""

from datetime import datetime

from django.conf import settings
from django.db import models


class PrebuildsSettings(models.Model):
    """The one row of settings people change while the system runs (semantics.md 19)."""

    SINGLETON_ID = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLETON_ID, editable=False)
    reconciliation_paused = models.BooleanField(default=False)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "prebuilds settings"
        constraints = (
            models.CheckConstraint(name="settings_one_row", condition=models.Q(id=1)),
            models.CheckConstraint(
                name="settings_pause_has_its_time",
                condition=models.Q(reconciliation_paused=False) | models.Q(paused_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return "paused" if self.reconciliation_paused else "running"

    def is_paused(self, now: datetime) -> bool:
        """Return whether reconciliation is paused at this instant; an end may have passed."""
        return self.reconciliation_paused and (self.paused_until is None or now < self.paused_until)
