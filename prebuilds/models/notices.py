"""Incidents that people should know of, from when they began until they ended."""

from uuid import uuid4

from django.db import models

from accounts.models import Organization
from prebuilds.models.claims import Claim
from templates_app.models import Preset


class NoticeKind(models.TextChoices):
    """What is the matter; a closed vocabulary (semantics.md 21)."""

    HARD_LIMITED = "hard_limited", "Stopped after repeated failures"
    VALIDATION_FAILED = "validation_failed", "Parameters do not validate"
    BAD_SCHEDULE = "bad_schedule", "A schedule cannot be read"
    QUOTA = "quota", "Held back by quota"
    QUOTA_WARNING = "quota_warning", "Quota nearly used up"
    STUCK_DELETION = "stuck_deletion", "A deletion failed again and again"
    RESOURCE_REPLACED = "resource_replaced", "A claim had to make resources anew"

    @property
    def harms(self) -> bool:
        """Whether cold starts can be laid at its door."""
        return self not in {NoticeKind.QUOTA_WARNING, NoticeKind.RESOURCE_REPLACED}


_OF_ORGANIZATION = models.Q(kind=NoticeKind.QUOTA_WARNING)
_OF_CLAIM = models.Q(kind=NoticeKind.RESOURCE_REPLACED)
_IS_OPEN = models.Q(closed_at__isnull=True)


class Notice(models.Model):
    """One incident: of a preset, of one claim from it, or of an organization (semantics.md 21).

    At most one is open per preset and kind, or per organization for what concerns all its
    presets. A claim has one ever: what happened to it does not happen again.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=32, choices=NoticeKind.choices)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="notices")
    preset = models.ForeignKey(
        Preset, models.CASCADE, null=True, blank=True, related_name="notices"
    )
    claim = models.ForeignKey(Claim, models.CASCADE, null=True, blank=True, related_name="notices")
    detail = models.TextField(help_text="The error's own words.")
    details = models.JSONField(default=dict, blank=True, help_text="Workspaces, resources, paths.")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    cold_starts = models.PositiveIntegerField(
        null=True, blank=True, help_text="Misses of the preset while it was open."
    )

    class Meta:
        ordering = ("-opened_at", "id")
        constraints = (
            models.CheckConstraint(
                name="notice_kind_known", condition=models.Q(kind__in=NoticeKind.values)
            ),
            models.CheckConstraint(
                name="notice_names_its_subject",
                condition=(_OF_ORGANIZATION & models.Q(preset__isnull=True, claim__isnull=True))
                | (_OF_CLAIM & models.Q(preset__isnull=False, claim__isnull=False))
                | (
                    ~_OF_ORGANIZATION
                    & ~_OF_CLAIM
                    & models.Q(preset__isnull=False, claim__isnull=True)
                ),
            ),
            models.CheckConstraint(name="notice_says_why", condition=~models.Q(detail="")),
            models.CheckConstraint(
                name="notice_closed_with_its_harm",
                condition=models.Q(closed_at__isnull=True, cold_starts__isnull=True)
                | models.Q(
                    closed_at__isnull=False,
                    closed_at__gte=models.F("opened_at"),
                    cold_starts__isnull=False,
                ),
            ),
            models.UniqueConstraint(
                fields=("preset", "kind"),
                condition=_IS_OPEN & models.Q(claim__isnull=True),
                name="notice_open_once_per_preset",
            ),
            models.UniqueConstraint(
                fields=("organization", "kind"),
                condition=_IS_OPEN & models.Q(preset__isnull=True),
                name="notice_open_once_per_organization",
            ),
            models.UniqueConstraint(fields=("claim",), name="notice_once_per_claim"),
        )
        indexes = (
            models.Index(fields=("opened_at",), condition=_IS_OPEN, name="notice_open"),
            models.Index(fields=("-opened_at",), name="notice_newest"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({'open' if self.closed_at is None else 'closed'})"
