"""Tables of the pool itself: settings, cycles and their decisions, claims and misses."""

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from templates_app.models import Preset, Template
from workspaces.models import Workspace


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


class ClaimOutcome(models.TextChoices):
    """Whether somebody got a ready workspace."""

    WARM = "warm", "Warm"
    COLD = "cold", "Cold"


class ClaimReason(models.TextChoices):
    """Why a request was served the way it was; a closed vocabulary (semantics.md 14)."""

    WARM = "warm", "A ready workspace was handed over"
    NO_PRESET_MATCH = "no_preset_match", "No preset matches these parameters"
    NO_POOL = "no_pool", "The preset keeps no pool"
    POOL_EMPTY = "pool_empty", "The pool was empty"
    NOT_READY = "not_ready", "The prebuilt workspaces were still starting up"
    EXPIRED = "expired", "The prebuilt workspaces had expired"
    LOST_RACE = "lost_race", "Somebody else took the last one in the same moment"
    QUOTA = "quota", "The owner's quota is used up"
    PAUSED_AND_EMPTY = "paused_and_empty", "Reconciliation is paused and the pool ran empty"
    HARD_LIMITED = "hard_limited", "The pool stopped after repeated failures"
    VALIDATION_FAILED = "validation_failed", "The preset's parameters do not validate"
    BACKING_OFF = "backing_off", "The pool waits after a failed build"


class Claim(models.Model):
    """One request for a workspace that named or matched a preset: a hit or a miss."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workspace = models.OneToOneField(Workspace, models.PROTECT, related_name="claim")
    template = models.ForeignKey(Template, models.PROTECT, related_name="claims")
    preset = models.ForeignKey(Preset, models.PROTECT, null=True, blank=True, related_name="claims")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="claims")
    outcome = models.CharField(max_length=8, choices=ClaimOutcome.choices)
    reason = models.CharField(max_length=32, choices=ClaimReason.choices)
    created_at = models.DateTimeField(default=timezone.now)
    duration_seconds = models.FloatField(
        default=0, help_text="How long the request took, up to its commit."
    )

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(
                name="claim_outcome_known", condition=models.Q(outcome__in=ClaimOutcome.values)
            ),
            models.CheckConstraint(
                name="claim_reason_known", condition=models.Q(reason__in=ClaimReason.values)
            ),
            models.CheckConstraint(
                name="claim_warm_has_its_reason",
                condition=models.Q(outcome="warm", reason="warm")
                | (models.Q(outcome="cold") & ~models.Q(reason="warm")),
            ),
        )
        indexes = (models.Index(fields=("preset", "-created_at"), name="claim_by_preset"),)

    def __str__(self) -> str:
        return f"{self.outcome} for {self.user_id}"
