"""Tables of what can be built: templates, versions, parameters, presets and their schedules.

A version never changes once it exists (a trigger refuses it); a preset's prebuild settings do.
Where a rule needs two tables, a migration adds it as a composite foreign key or a trigger.
"""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Organization
from templates_app.enums import Monotonic, ParameterType, PrebuildStatus, ProvisionerType

TTL_MIN_SECONDS = 3_600
TTL_MAX_SECONDS = 31_536_000


class Template(models.Model):
    """What workspaces are made from. One of its versions is active (*promoted*)."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="templates")
    name = models.SlugField(max_length=64)
    display_name = models.CharField(max_length=128, blank=True)
    icon = models.CharField(max_length=64, blank=True)
    description = models.TextField(blank=True)
    active_version = models.ForeignKey(
        "TemplateVersion", models.PROTECT, null=True, blank=True, related_name="+"
    )
    deprecation_message = models.TextField(
        blank=True, help_text="Set: no new workspaces, and its pools are drained."
    )
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    default_ttl_seconds = models.PositiveIntegerField(
        default=0, help_text="How long a started workspace runs before autostop; 0 = for ever."
    )
    allow_user_autostart = models.BooleanField(default=True)
    allow_user_autostop = models.BooleanField(default=True)
    time_til_dormant_seconds = models.PositiveIntegerField(
        default=0, help_text="0 = never dormant."
    )
    time_til_dormant_autodelete_seconds = models.PositiveIntegerField(
        default=0, help_text="How long a dormant workspace is kept; 0 = for ever."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                "organization",
                Lower("name"),
                condition=models.Q(deleted_at__isnull=True),
                name="template_name_unique_while_live",
            ),
        )

    def __str__(self) -> str:
        return self.display_name or self.name

    @property
    def is_usable(self) -> bool:
        """Whether new workspaces may be made from it."""
        return (
            self.deleted_at is None
            and not self.deprecation_message
            and self.active_version_id is not None
        )


class TemplateVersion(models.Model):
    """One immutable state of a template."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    template = models.ForeignKey(Template, models.PROTECT, related_name="versions")
    name = models.CharField(max_length=64)
    message = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    provisioner_type = models.CharField(
        max_length=32, choices=ProvisionerType.choices, default=ProvisionerType.LOCAL
    )
    source_files = models.JSONField(
        default=dict,
        blank=True,
        help_text="Relative path → text of each file put into the workspace.",
    )
    startup_script = models.TextField(blank=True, help_text="Run by the agent in the workspace.")
    startup_timeout_seconds = models.PositiveIntegerField(default=600)
    tags = models.JSONField(default=dict, blank=True, help_text="Tags a provisioner must have.")
    daily_cost = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint("template", Lower("name"), name="template_version_name_unique"),
            models.UniqueConstraint(fields=("id", "template"), name="template_version_of_template"),
            models.CheckConstraint(
                name="template_version_provisioner_known",
                condition=models.Q(provisioner_type__in=ProvisionerType.values),
            ),
            models.CheckConstraint(
                name="template_version_startup_timeout_positive",
                condition=models.Q(startup_timeout_seconds__gt=0),
            ),
        )

    def __str__(self) -> str:
        return self.name


class ParameterDefinition(models.Model):
    """A value a version asks for, and which values it accepts."""

    version = models.ForeignKey(
        TemplateVersion, models.CASCADE, related_name="parameter_definitions"
    )
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=64)
    display_name = models.CharField(max_length=128, blank=True)
    description = models.TextField(blank=True)
    type = models.CharField(
        max_length=16, choices=ParameterType.choices, default=ParameterType.STRING
    )
    default = models.TextField(null=True, blank=True)  # noqa: DJ001  null = no default, "" is one
    required = models.BooleanField(default=False)
    mutable = models.BooleanField(default=True)
    ephemeral = models.BooleanField(default=False)
    options = ArrayField(models.TextField(), default=list, blank=True)
    validation_regex = models.TextField(blank=True)
    validation_error = models.TextField(blank=True)
    validation_min = models.BigIntegerField(null=True, blank=True)
    validation_max = models.BigIntegerField(null=True, blank=True)
    validation_monotonic = models.CharField(max_length=16, blank=True, choices=Monotonic.choices)

    class Meta:
        ordering = ("position", "name")
        constraints = (
            models.UniqueConstraint(fields=("version", "name"), name="parameter_name_unique"),
            models.CheckConstraint(
                name="parameter_type_known", condition=models.Q(type__in=ParameterType.values)
            ),
            models.CheckConstraint(
                name="parameter_monotonic_known",
                condition=models.Q(validation_monotonic__in=["", *Monotonic.values]),
            ),
            models.CheckConstraint(
                name="parameter_range_ordered",
                condition=models.Q(validation_min__isnull=True)
                | models.Q(validation_max__isnull=True)
                | models.Q(validation_min__lte=models.F("validation_max")),
            ),
        )

    def __str__(self) -> str:
        return self.name


class Preset(models.Model):
    """Named parameter values of a version and, with desired_instances, a pool of prebuilds."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    version = models.ForeignKey(TemplateVersion, models.PROTECT, related_name="presets")
    name = models.CharField(max_length=64)
    description = models.TextField(blank=True)
    icon = models.CharField(max_length=64, blank=True)
    is_default = models.BooleanField(default=False)
    desired_instances = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: no pool. 0: a pool that wants none."
    )
    ttl_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="How long a prebuild stays claimable; empty or 0 = for ever.",
    )
    scheduling_timezone = models.CharField(max_length=64, default="UTC")
    last_invalidated_at = models.DateTimeField(null=True, blank=True, editable=False)
    prebuild_status = models.CharField(
        max_length=32,
        choices=PrebuildStatus.choices,
        default=PrebuildStatus.HEALTHY,
        editable=False,
    )
    status_reason = models.TextField(blank=True, editable=False)
    status_since = models.DateTimeField(null=True, blank=True, editable=False)
    failures_reset_at = models.DateTimeField(null=True, blank=True, editable=False)
    revision = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint("version", Lower("name"), name="preset_name_unique"),
            models.UniqueConstraint(
                fields=("version",), condition=models.Q(is_default=True), name="preset_one_default"
            ),
            models.CheckConstraint(
                name="preset_ttl_in_range",
                condition=models.Q(ttl_seconds__isnull=True)
                | models.Q(ttl_seconds=0)
                | models.Q(ttl_seconds__range=(TTL_MIN_SECONDS, TTL_MAX_SECONDS)),
            ),
            models.CheckConstraint(
                name="preset_status_known",
                condition=models.Q(prebuild_status__in=PrebuildStatus.values),
            ),
        )
        indexes = (
            models.Index(
                fields=("version",),
                condition=models.Q(desired_instances__isnull=False),
                name="preset_with_pool",
            ),
        )

    def __str__(self) -> str:
        return self.name


class PresetParameter(models.Model):
    """One parameter value a preset sets."""

    preset = models.ForeignKey(Preset, models.CASCADE, related_name="parameters")
    name = models.CharField(max_length=64)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("preset", "name"), name="preset_parameter_unique"),
        )

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class PresetSchedule(models.Model):
    """A continuous range of time with its own desired number (semantics.md 6)."""

    preset = models.ForeignKey(Preset, models.CASCADE, related_name="schedules")
    position = models.PositiveIntegerField(default=0)
    cron_expression = models.CharField(max_length=128)
    desired_instances = models.PositiveIntegerField()

    class Meta:
        ordering = ("position", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("preset", "cron_expression"), name="preset_schedule_expression_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.desired_instances} at {self.cron_expression}"
