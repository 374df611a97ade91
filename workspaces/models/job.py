"""The queue: provisioner jobs, their logs, the daemons that do them and the keys daemons hold."""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Organization
from templates_app.enums import ProvisionerType
from workspaces.enums import JobErrorCode, JobStatus, JobType
from workspaces.models.workspace import Workspace

IS_UNFINISHED = models.Q(completed_at__isnull=True)
IS_PENDING = models.Q(completed_at__isnull=True, started_at__isnull=True, canceled_at__isnull=True)

STATUS_EXPRESSION = models.Case(
    models.When(
        completed_at__isnull=False,
        then=models.Case(
            models.When(~models.Q(error=""), then=models.Value(JobStatus.FAILED)),
            models.When(canceled_at__isnull=False, then=models.Value(JobStatus.CANCELED)),
            default=models.Value(JobStatus.SUCCEEDED),
        ),
    ),
    models.When(canceled_at__isnull=False, then=models.Value(JobStatus.CANCELING)),
    models.When(started_at__isnull=False, then=models.Value(JobStatus.RUNNING)),
    default=models.Value(JobStatus.PENDING),
)


class JobPriority(models.IntegerChoices):
    """Who is served first: people, then clearing away, then making more (semantics.md 17)."""

    PEOPLE = 0, "People"
    PREBUILD_DELETE = 1, "Prebuild deletion"
    PREBUILD_CREATE = 2, "Prebuild creation"


class ProvisionerKey(models.Model):
    """What daemons of one organization authenticate with. Only a digest is stored."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="provisioner_keys")
    name = models.SlugField(max_length=64)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                "organization",
                Lower("name"),
                condition=models.Q(revoked_at__isnull=True),
                name="provisioner_key_name_unique",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ProvisionerDaemon(models.Model):
    """A running daemon, as it last introduced itself. No organization: it serves all of them."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="provisioner_daemons"
    )
    key = models.ForeignKey(
        ProvisionerKey, models.SET_NULL, null=True, blank=True, related_name="daemons"
    )
    name = models.CharField(max_length=128)
    hostname = models.CharField(max_length=255, blank=True)
    version = models.CharField(max_length=32, blank=True)
    provisioner_types = models.JSONField(default=list)
    tags = models.JSONField(default=dict, blank=True)
    concurrency = models.PositiveIntegerField(default=1)
    machine = models.CharField(max_length=64, blank=True, default="", db_default="")
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name", "-started_at")
        indexes = (models.Index(fields=("last_seen_at",), name="daemon_last_seen"),)

    def __str__(self) -> str:
        return self.name


class ProvisionerJob(models.Model):
    """One piece of work for a daemon. `status` is computed and stored by the database.

    `machine` is where the workspace's files are, as far as it is known; empty: any will do.
    `traceparent` is the step of a trace that asked for it; empty when there was none.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    initiator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="jobs")
    type = models.CharField(max_length=32, choices=JobType.choices, default=JobType.WORKSPACE_BUILD)
    provisioner_type = models.CharField(max_length=32, choices=ProvisionerType.choices)
    priority = models.PositiveSmallIntegerField(
        choices=JobPriority.choices, default=JobPriority.PEOPLE
    )
    tags = models.JSONField(default=dict, blank=True)
    machine = models.CharField(max_length=64, blank=True, default="", db_default="")
    input = models.JSONField(default=dict, blank=True)
    traceparent = models.CharField(
        max_length=55, blank=True, default="", db_default="", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    daemon = models.ForeignKey(
        ProvisionerDaemon, models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    lease = models.UUIDField(null=True, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=32, blank=True, choices=JobErrorCode.choices)
    log_length = models.PositiveIntegerField(default=0, editable=False)
    status = models.GeneratedField(
        expression=STATUS_EXPRESSION,
        output_field=models.CharField(max_length=16, choices=JobStatus.choices),
        db_persist=True,
    )

    class Meta:
        ordering = ("priority", "created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("workspace",),
                condition=IS_UNFINISHED,
                name="job_one_unfinished_per_workspace",
            ),
            models.CheckConstraint(
                name="job_provisioner_known",
                condition=models.Q(provisioner_type__in=ProvisionerType.values),
            ),
            models.CheckConstraint(
                name="job_type_known", condition=models.Q(type__in=JobType.values)
            ),
            models.CheckConstraint(
                name="job_priority_known", condition=models.Q(priority__in=JobPriority.values)
            ),
            models.CheckConstraint(
                name="job_error_code_known",
                condition=models.Q(error_code__in=["", *JobErrorCode.values]),
            ),
            models.CheckConstraint(
                name="job_error_only_when_completed",
                condition=models.Q(error="", error_code="") | models.Q(completed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="job_leased_while_started",
                condition=models.Q(started_at__isnull=True, lease__isnull=True)
                | models.Q(
                    started_at__isnull=False, lease__isnull=False, heartbeat_at__isnull=False
                ),
            ),
        )
        indexes = (
            BrinIndex(fields=("completed_at",), name="job_completed"),
            models.Index(
                fields=("priority", "created_at", "id"), condition=IS_PENDING, name="job_pending"
            ),
            models.Index(
                fields=("heartbeat_at",),
                condition=IS_UNFINISHED & models.Q(started_at__isnull=False),
                name="job_running",
            ),
            # Recent failures: what a backoff begins with.
            models.Index(
                fields=("completed_at",),
                condition=models.Q(status=JobStatus.FAILED),
                name="job_failed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class JobLog(models.Model):
    """One line a build wrote."""

    job = models.ForeignKey(ProvisionerJob, models.CASCADE, related_name="logs")
    at = models.DateTimeField()
    level = models.CharField(max_length=8, default="info")
    stage = models.CharField(max_length=64)
    output = models.TextField(blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.output
