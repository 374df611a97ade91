"""How people get in: API tokens and how often they come; failed sign-ins of whoever did not."""

from uuid import uuid4

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.enums import TokenScope
from accounts.models.people import User
from accounts.system import PREBUILDS_USER_ID


class Token(models.Model):
    """An API token of a person. Only a digest of it is stored."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scope = models.CharField(max_length=16, choices=TokenScope.choices, default=TokenScope.USE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                "user",
                Lower("name"),
                condition=models.Q(revoked_at__isnull=True),
                name="token_name_unique",
            ),
            models.CheckConstraint(
                name="token_scope_known", condition=models.Q(scope__in=TokenScope.values)
            ),
            models.CheckConstraint(
                name="token_never_of_the_system_user",
                condition=~models.Q(user_id=PREBUILDS_USER_ID),
            ),
        )

    def __str__(self) -> str:
        return self.name


class SignInTries(models.Model):
    """Failed sign-ins of one place, by a keyed digest: neither names nor typing errors are kept."""

    key = models.CharField(primary_key=True, max_length=64, editable=False)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    last_failed_at = models.DateTimeField(null=True, blank=True, db_index=True)
    waits_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "sign-in tries"

    def __str__(self) -> str:
        return f"{self.failures} failed sign-ins"


class RequestCount(models.Model):
    """How often somebody came in one minute, over all web processes, by a digest of both.

    The table is UNLOGGED: it costs no flush, and a crash of the database forgets it.
    """

    key = models.CharField(primary_key=True, max_length=64, editable=False)
    minute = models.PositiveIntegerField()
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.count} requests"
