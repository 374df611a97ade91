"""Requests for workspaces: who got a ready one, and who did not."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from templates_app.models import Preset, Template
from workspaces.models import Workspace


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
    """One request for a new workspace: a hit or a miss. One the quota refused has no workspace."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workspace = models.OneToOneField(
        Workspace, models.PROTECT, null=True, blank=True, related_name="claim"
    )
    template = models.ForeignKey(Template, models.PROTECT, related_name="claims")
    preset = models.ForeignKey(Preset, models.PROTECT, null=True, blank=True, related_name="claims")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="claims")
    outcome = models.CharField(max_length=8, choices=ClaimOutcome.choices)
    reason = models.CharField(max_length=32, choices=ClaimReason.choices)
    created_at = models.DateTimeField(default=timezone.now)
    duration_seconds = models.FloatField(
        default=0, help_text="How long the request took, up to its commit."
    )
    wait_seconds = models.FloatField(
        null=True,
        blank=True,
        help_text="From asking until the workspace was ready as its owner's; filled in later.",
    )
    idempotency_key = models.CharField(max_length=255, blank=True, default="", db_default="")
    request_digest = models.BinaryField(max_length=32, null=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("user", "idempotency_key"),
                condition=~models.Q(idempotency_key=""),
                name="claim_idempotency_key_unique",
            ),
            models.CheckConstraint(
                name="claim_key_has_its_digest",
                condition=models.Q(idempotency_key="") | models.Q(request_digest__isnull=False),
            ),
            models.CheckConstraint(
                name="claim_without_workspace_was_refused",
                condition=models.Q(workspace__isnull=False) | models.Q(reason="quota"),
            ),
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
        indexes = (
            models.Index(fields=("preset", "-created_at"), name="claim_by_preset"),
            models.Index(fields=("-created_at",), name="claim_newest"),
        )

    def __str__(self) -> str:
        return f"{self.outcome} for {self.user_id}"
