"""Workspace builds: each start, stop or delete of a workspace, numbered from 1."""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils import timezone

from accounts.system import PREBUILDS_USER_ID
from templates_app.models import Preset, TemplateVersion
from workspaces.enums import BuildReason, Stage, Transition
from workspaces.models.job import ProvisionerJob
from workspaces.models.workspace import Workspace


class WorkspaceBuild(models.Model):
    """One build. Its status is its job's status, stored there and nowhere else."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="builds")
    build_number = models.PositiveIntegerField()
    transition = models.CharField(max_length=8, choices=Transition.choices)
    template_version = models.ForeignKey(TemplateVersion, models.PROTECT, related_name="builds")
    preset = models.ForeignKey(Preset, models.PROTECT, null=True, blank=True, related_name="builds")
    initiator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reason = models.CharField(
        max_length=16, choices=BuildReason.choices, default=BuildReason.INITIATOR
    )
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.NONE)
    action_reason = models.CharField(
        max_length=32, blank=True, help_text="Why the reconciler wanted it: the action's reason."
    )
    job = models.OneToOneField(ProvisionerJob, models.PROTECT, related_name="build")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deadline = models.DateTimeField(null=True, blank=True)
    max_deadline = models.DateTimeField(null=True, blank=True)
    provisioner_state = models.JSONField(default=dict, blank=True)
    daily_cost = models.PositiveIntegerField(default=0)
    replacements = models.JSONField(
        default=list, blank=True, help_text="Resources a claim had to make anew, and why."
    )

    class Meta:
        ordering = ("workspace", "-build_number")
        constraints = (
            models.UniqueConstraint(
                fields=("workspace", "build_number"), name="build_number_unique"
            ),
            models.UniqueConstraint(fields=("id", "workspace"), name="build_of_workspace"),
            models.CheckConstraint(
                name="build_number_from_one", condition=models.Q(build_number__gte=1)
            ),
            models.CheckConstraint(
                name="build_transition_known",
                condition=models.Q(transition__in=Transition.values),
            ),
            models.CheckConstraint(
                name="build_stage_known", condition=models.Q(stage__in=Stage.values)
            ),
            models.CheckConstraint(
                name="build_reason_known", condition=models.Q(reason__in=BuildReason.values)
            ),
            models.CheckConstraint(
                name="build_prebuild_stage_is_a_start_of_a_preset",
                condition=models.Q(stage=Stage.NONE)
                | models.Q(transition=Transition.START, preset__isnull=False),
            ),
        )
        indexes = (
            # What happened since the last time it was counted; written in the order of time.
            BrinIndex(fields=("created_at",), name="build_created"),
            # Attempts: the newest first start builds of a preset (semantics.md 8).
            models.Index(
                fields=("preset", "-created_at"),
                condition=models.Q(
                    build_number=1, transition=Transition.START, initiator_id=PREBUILDS_USER_ID
                ),
                name="build_prebuild_attempts",
            ),
            models.Index(
                fields=("workspace",),
                condition=models.Q(action_reason="never_ready"),
                name="build_never_ready",
            ),
            models.Index(
                fields=("created_at",),
                condition=models.Q(action_reason="never_ready"),
                name="build_never_ready_recently",
            ),
            # Only a latest build has one: the next build takes it away (builds.append_build).
            models.Index(
                fields=("deadline",),
                condition=models.Q(deadline__isnull=False),
                name="build_deadlines",
            ),
            # Claims that were of no use: resources had to be made anew (semantics.md 17).
            models.Index(
                fields=("created_at",),
                condition=models.Q(stage=Stage.PREBUILD_CLAIM) & ~models.Q(replacements=[]),
                name="build_replaced_resources",
            ),
        )

    def __str__(self) -> str:
        return f"build {self.build_number} ({self.transition})"


class BuildParameter(models.Model):
    """A parameter value a build was made with."""

    build = models.ForeignKey(WorkspaceBuild, models.CASCADE, related_name="parameters")
    name = models.CharField(max_length=64)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("build", "name"), name="build_parameter_unique"),
        )

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
