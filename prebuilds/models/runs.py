"""The reconciler's history: its cycles, and what they decided."""

from django.db import models

from templates_app.models import Preset


class Trigger(models.TextChoices):
    """What started a cycle."""

    SCHEDULE = "schedule", "Schedule"
    COMMAND = "command", "Command"
    INTERVAL = "interval", "Interval"
    BELL = "bell", "Bell"
    PERSON = "person", "Person"


class ReconcileRun(models.Model):
    """One cycle: the heartbeat of the reconciler and what it did (semantics.md 11)."""

    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    lock_acquired = models.BooleanField(default=True)
    paused = models.BooleanField(default=False)
    presets_total = models.PositiveIntegerField(default=0)
    presets_reconciled = models.PositiveIntegerField(default=0)
    presets_failed = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = (
            models.CheckConstraint(
                name="run_trigger_known", condition=models.Q(trigger__in=Trigger.values)
            ),
        )
        indexes = (
            models.Index(fields=("-started_at",), name="run_newest"),
            models.Index(fields=("-completed_at",), name="run_heartbeat"),
        )

    def __str__(self) -> str:
        return f"run {self.pk} ({self.trigger})"


class ReconcileDecision(models.Model):
    """What one cycle decided for one preset, kept when something was done or withheld."""

    run = models.ForeignKey(ReconcileRun, models.CASCADE, related_name="decisions")
    # No constraint: a preset deleted while the cycle runs must not cost the whole run's record.
    preset = models.ForeignKey(
        Preset, models.CASCADE, related_name="decisions", db_constraint=False
    )
    state = models.JSONField(help_text="The counts the decision was made from.")
    actions = models.JSONField(help_text="What was done or withheld, each with its reason.")
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-run_id", "id")
        constraints = (models.UniqueConstraint(fields=("run", "preset"), name="decision_unique"),)

    def __str__(self) -> str:
        return f"{self.preset_id} in run {self.run_id}"
