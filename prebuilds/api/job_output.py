"""Provisioner jobs as JSON, with Coder's field names, and where each stands in the queue."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from prebuilds.api.base.output import OutputSerializer
from workspaces.enums import JobErrorCode, JobStatus, JobType
from workspaces.machines import Machine, awaited_machines
from workspaces.models import ProvisionerJob, WorkspaceBuild
from workspaces.queue import NOWHERE, Place, places_of


class JobSerializer(OutputSerializer):
    """A provisioner job, with Coder's field names."""

    id = serializers.UUIDField()
    organization_id = serializers.UUIDField()
    initiator_id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=JobType.choices)
    status = serializers.ChoiceField(choices=JobStatus.choices)
    tags = serializers.DictField(child=serializers.CharField())
    worker_id = serializers.UUIDField(source="daemon_id", allow_null=True)
    worker_name = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    canceled_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    error_code = serializers.ChoiceField(choices=JobErrorCode.choices, allow_blank=True)

    def get_worker_name(self, job: ProvisionerJob) -> str:
        """Return the daemon's name; empty while none has the job."""
        return job.daemon.name if job.daemon else ""


class Queue:
    """What is known of the jobs of a page together: their places, and what machines they await."""

    def __init__(self) -> None:
        self.places: dict[UUID, Place] = {}
        self.awaited: dict[UUID, Machine] = {}

    def look_at(self, jobs: Collection[ProvisionerJob]) -> None:
        """Read it; two statements at most."""
        self.places.update(places_of(jobs))
        self.awaited.update(awaited_machines(jobs, now=timezone.now()))


class JobInputSerializer(serializers.Serializer[Any]):
    """What a job works on."""

    workspace_build_id = serializers.UUIDField(allow_null=True)
    template_version_id = serializers.UUIDField(allow_null=True)


class JobMetadataSerializer(serializers.Serializer[Any]):
    """The names of what a job works on."""

    workspace_id = serializers.UUIDField()
    workspace_name = serializers.CharField()
    template_id = serializers.UUIDField()
    template_name = serializers.CharField()
    template_display_name = serializers.CharField(allow_blank=True)
    template_icon = serializers.CharField(allow_blank=True)
    template_version_name = serializers.CharField(allow_blank=True)


class AwaitedMachineSerializer(serializers.Serializer[Any]):
    """The machine a job waits for, by the daemon of it that was seen last."""

    machine = serializers.CharField()
    daemon_id = serializers.UUIDField()
    daemon_name = serializers.CharField(source="name")
    hostname = serializers.CharField(allow_blank=True)
    last_seen_at = serializers.DateTimeField()


class QueuedJobSerializer(JobSerializer):
    """A job with its place; takes a `Queue` as `queue` from its context."""

    machine = serializers.CharField(
        allow_blank=True, help_text="Where the workspace's files are; empty: any machine will do."
    )
    waits_for = serializers.SerializerMethodField()
    queue_position = serializers.SerializerMethodField()
    queue_size = serializers.SerializerMethodField()
    input = serializers.SerializerMethodField()
    metadata = serializers.SerializerMethodField()

    def get_queue_position(self, job: ProvisionerJob) -> int:
        """Return its place, from 1; 0 when it does not wait."""
        return self._place(job).position

    def get_queue_size(self, job: ProvisionerJob) -> int:
        """Return how many wait with it; 0 when it does not wait."""
        return self._place(job).size

    @extend_schema(responses=AwaitedMachineSerializer(allow_null=True))
    def get_waits_for(self, job: ProvisionerJob) -> dict[str, Any] | None:
        """Return the machine it waits for while no daemon of it is online; else null."""
        queue: Queue = self.context["queue"]
        machine = queue.awaited.get(job.pk)
        return dict(AwaitedMachineSerializer(machine).data) if machine else None

    @extend_schema(responses=JobInputSerializer)
    def get_input(self, job: ProvisionerJob) -> dict[str, str | None]:
        """Return the ids of what it works on."""
        build = _build_of(job)
        return {
            "workspace_build_id": str(build.pk) if build else None,
            "template_version_id": str(build.template_version_id) if build else None,
        }

    @extend_schema(responses=JobMetadataSerializer)
    def get_metadata(self, job: ProvisionerJob) -> dict[str, str]:
        """Return the names of what it works on."""
        template, build = job.workspace.template, _build_of(job)
        return {
            "workspace_id": str(job.workspace_id),
            "workspace_name": job.workspace.name,
            "template_id": str(template.pk),
            "template_name": template.name,
            "template_display_name": template.display_name,
            "template_icon": template.icon,
            "template_version_name": build.template_version.name if build else "",
        }

    def _place(self, job: ProvisionerJob) -> Place:
        queue: Queue = self.context["queue"]
        return queue.places.get(job.pk, NOWHERE)


def queued_job_as_json(job: ProvisionerJob) -> dict[str, Any]:
    """Return one job with its place."""
    queue = Queue()
    queue.look_at([job])
    return dict(QueuedJobSerializer(job, context={"queue": queue}).data)


def _build_of(job: ProvisionerJob) -> WorkspaceBuild | None:
    """Return the build a job is for; the tables do not force it to have one."""
    return getattr(job, "build", None)
