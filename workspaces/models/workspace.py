"""The workspace row: who owns what. A prebuild is a workspace the prebuilds user owns."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Organization
from accounts.system import PREBUILDS_USER_ID
from templates_app.models import Preset, Template
from workspaces.enums import AutomaticUpdates

IS_PREBUILD = models.Q(owner_id=PREBUILDS_USER_ID)
IS_LIVE = models.Q(deleted_at__isnull=True)
IS_AWAKE = models.Q(dormant_at__isnull=True)


class Workspace(models.Model):
    """One workspace of one owner. Its state is that of its latest build."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="workspaces")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="workspaces")
    template = models.ForeignKey(Template, models.PROTECT, related_name="workspaces")
    name = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    automatic_updates = models.CharField(
        max_length=8, choices=AutomaticUpdates.choices, default=AutomaticUpdates.NEVER
    )
    autostart_schedule = models.CharField(max_length=128, blank=True)
    ttl_seconds = models.PositiveIntegerField(null=True, blank=True)
    next_start_at = models.DateTimeField(null=True, blank=True, editable=False)
    dormant_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleting_at = models.DateTimeField(null=True, blank=True, editable=False)
    latest_build = models.ForeignKey(
        "WorkspaceBuild", models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    # Whose pool a prebuild is in: its first build's preset, which that build's foreign key keeps.
    # None for what is claimed or deleted: triggers see to it, so the planner counts pools right.
    pool_preset = models.ForeignKey(
        Preset,
        models.DO_NOTHING,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )

    class Meta:
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                "owner", Lower("name"), condition=IS_LIVE, name="workspace_name_unique_while_live"
            ),
            models.CheckConstraint(
                name="workspace_automatic_updates_known",
                condition=models.Q(automatic_updates__in=AutomaticUpdates.values),
            ),
            models.CheckConstraint(
                name="workspace_prebuild_has_no_lifecycle",
                condition=~IS_PREBUILD
                | models.Q(
                    automatic_updates=AutomaticUpdates.NEVER,
                    autostart_schedule="",
                    ttl_seconds__isnull=True,
                    next_start_at__isnull=True,
                    dormant_at__isnull=True,
                    deleting_at__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="workspace_start_planned_by_schedule",
                condition=models.Q(next_start_at__isnull=True) | ~models.Q(autostart_schedule=""),
            ),
            models.CheckConstraint(
                name="workspace_undated_while_awake",
                condition=~IS_AWAKE | models.Q(deleting_at__isnull=True),
            ),
        )
        indexes = (
            # The snapshot reads all of these.
            models.Index(
                fields=("template", "created_at", "id"),
                condition=IS_PREBUILD & IS_LIVE,
                name="workspace_live_prebuilds",
            ),
            # The claim takes the oldest of one pool; a recount reads the pool.
            models.Index(
                fields=("pool_preset", "created_at", "id"),
                condition=IS_PREBUILD & IS_LIVE,
                name="workspace_pool",
            ),
            # The list, newest first: a page of it reads a page, however it is searched.
            models.Index(
                fields=("-created_at", "id"), condition=IS_LIVE, name="workspace_live_newest"
            ),
            # What the lifecycle task looks for each minute: one index per rule (semantics.md 16).
            models.Index(
                fields=("next_start_at",),
                condition=IS_LIVE & models.Q(next_start_at__isnull=False),
                name="workspace_next_starts",
            ),
            models.Index(
                fields=("deleting_at",),
                condition=IS_LIVE & models.Q(deleting_at__isnull=False),
                name="workspace_deletions",
            ),
            models.Index(
                fields=("template",),
                condition=IS_LIVE & ~IS_AWAKE & models.Q(deleting_at__isnull=True),
                name="workspace_dormant_undated",
            ),
            models.Index(
                fields=("template", "last_used_at"),
                condition=IS_LIVE & IS_AWAKE & ~IS_PREBUILD,
                name="workspace_last_uses",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_prebuild(self) -> bool:
        """Whether nobody has claimed it."""
        return self.owner_id == PREBUILDS_USER_ID
