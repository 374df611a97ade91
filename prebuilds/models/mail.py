"""Mails as rows: written with the change they tell of, sent later; and who wants which."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from prebuilds.models.notices import Notice


class MailStep(models.TextChoices):
    """What a mail tells of."""

    OPENED = "opened", "A notice opened"
    CLOSED = "closed", "A notice closed"
    DIGEST = "digest", "What is still open"


_IS_DIGEST = models.Q(step=MailStep.DIGEST)
IS_WAITING = models.Q(sent_at__isnull=True, given_up_at__isnull=True)


class Mail(models.Model):
    """One mail to one person: once per notice and step, and one digest a day (semantics.md 21).

    `text` and `html` are what it tells; the frame with the link to unsubscribe comes with sending.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="mails", db_index=False
    )
    # A notice goes with its preset; a mail that waits about it is sent all the same.
    notice = models.ForeignKey(Notice, models.SET_NULL, null=True, blank=True, related_name="mails")
    step = models.CharField(max_length=8, choices=MailStep.choices)
    digest_on = models.DateField(null=True, blank=True)
    subject = models.CharField(max_length=255)
    text = models.TextField()
    html = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    error = models.TextField(blank=True, default="", db_default="")
    given_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("recipient", "notice", "step"), name="mail_once_per_step"
            ),
            models.UniqueConstraint(
                fields=("recipient", "digest_on"), name="mail_digest_once_a_day"
            ),
            models.CheckConstraint(
                name="mail_step_known", condition=models.Q(step__in=MailStep.values)
            ),
            models.CheckConstraint(
                name="mail_digest_has_its_day",
                condition=_IS_DIGEST & models.Q(digest_on__isnull=False, notice__isnull=True)
                | ~_IS_DIGEST & models.Q(digest_on__isnull=True),
            ),
            models.CheckConstraint(
                name="mail_sent_or_given_up",
                condition=models.Q(sent_at__isnull=True) | models.Q(given_up_at__isnull=True),
            ),
            models.CheckConstraint(
                name="mail_given_up_says_why",
                condition=models.Q(given_up_at__isnull=True) | ~models.Q(error=""),
            ),
        )
        indexes = (
            models.Index(fields=("next_try_at",), condition=IS_WAITING, name="mail_due"),
            models.Index(fields=("-created_at",), name="mail_newest"),
        )

    def __str__(self) -> str:
        return self.subject


class MailPreference(models.Model):
    """Which mails a person wants; without a row, all of them."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        primary_key=True,
        related_name="mail_preference",
    )
    incidents = models.BooleanField(default=True, db_default=True)
    digest = models.BooleanField(default=True, db_default=True)

    def __str__(self) -> str:
        return f"mails of {self.user_id}"
