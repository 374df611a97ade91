"""Who changed what."""

from django.db import models

from accounts.enums import AuditSource
from accounts.models.people import User


class AuditEntry(models.Model):
    """Who changed what, when and from where. Rows are only ever added (a trigger refuses more)."""

    at = models.DateTimeField()
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="audit_entries"
    )
    source = models.CharField(max_length=16, choices=AuditSource.choices)
    address = models.GenericIPAddressField(null=True, blank=True)
    action = models.CharField(max_length=32, help_text="The verb, such as retry or pause.")
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(max_length=255)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name_plural = "audit entries"
        constraints = (
            models.CheckConstraint(
                name="audit_source_known", condition=models.Q(source__in=AuditSource.values)
            ),
        )
        indexes = (
            models.Index(fields=("-at",), name="audit_newest"),
            models.Index(fields=("object_type", "object_id", "-at"), name="audit_of_object"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}"
