"""What builds leave behind: resources, and the agents that live in them."""

from uuid import uuid4

from django.db import models
from django.utils import timezone

from workspaces.enums import LifecycleState
from workspaces.models.build import WorkspaceBuild


class WorkspaceResource(models.Model):
    """A thing a build made: a process tree, a machine, a volume."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    build = models.ForeignKey(WorkspaceBuild, models.CASCADE, related_name="resources")
    name = models.CharField(max_length=64)
    type = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("build", "type", "name"), name="resource_unique"),
        )

    def __str__(self) -> str:
        return f"{self.type}.{self.name}"


class Agent(models.Model):
    """The program inside a workspace, as it last reported itself.

    A claim build keeps the agent's token, so two rows may hold one digest: the newest counts.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    resource = models.ForeignKey(WorkspaceResource, models.CASCADE, related_name="agents")
    name = models.CharField(max_length=64)
    token_digest = models.BinaryField(max_length=32, editable=False)
    lifecycle_state = models.CharField(
        max_length=20, choices=LifecycleState.choices, default=LifecycleState.CREATED
    )
    lifecycle_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    first_connected_at = models.DateTimeField(null=True, blank=True)
    last_connected_at = models.DateTimeField(null=True, blank=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    log_length = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("resource", "name"), name="agent_name_unique"),
            models.CheckConstraint(
                name="agent_lifecycle_known",
                condition=models.Q(lifecycle_state__in=LifecycleState.values),
            ),
            models.CheckConstraint(
                name="agent_ready_has_its_time",
                condition=~models.Q(lifecycle_state=LifecycleState.READY)
                | models.Q(ready_at__isnull=False),
            ),
        )
        indexes = (models.Index(fields=("token_digest", "-created_at"), name="agent_token"),)

    def __str__(self) -> str:
        return self.name


class AgentLog(models.Model):
    """One line an agent's start-up wrote."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="logs")
    at = models.DateTimeField()
    level = models.CharField(max_length=8, default="info")
    stage = models.CharField(max_length=64, default="startup")
    output = models.TextField(blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.output
