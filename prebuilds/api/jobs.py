"""Provisioner jobs: what waits, what is done, and its end before its time."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy
from accounts.enums import TokenScope
from accounts.models import User
from prebuilds import services
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.serializers import Empty, PageQuery
from prebuilds.api.base.views import ApiView
from prebuilds.api.job_output import Queue, QueuedJobSerializer, queued_job_as_json
from prebuilds.api.visible import visible_jobs, visible_organization
from workspaces.enums import JobStatus, JobType
from workspaces.models import ProvisionerJob, Workspace

IDS_LIMIT = 100


class JobsQuery(PageQuery):
    """Which jobs; filters that are not given leave out nothing."""

    status = serializers.ChoiceField(choices=JobStatus.choices, required=False)
    type = serializers.ChoiceField(choices=JobType.choices, required=False)
    initiator = serializers.CharField(
        required=False, max_length=64, help_text="A username, an id, or `me`."
    )
    template = serializers.CharField(required=False, max_length=64, help_text="A name or an id.")
    ids = serializers.CharField(
        required=False, max_length=IDS_LIMIT * 37, help_text="Ids of jobs, with commas between."
    )

    def validate_ids(self, value: str) -> list[UUID]:
        """Return the ids; say which is none."""
        found = []
        for text in value.split(","):
            try:
                found.append(UUID(text.strip()))
            except ValueError as error:
                raise serializers.ValidationError(f'"{text.strip()}" is no id.') from error
        return found


class OrganizationJobsView(ApiView):
    """GET /organizations/{organization}/provisionerjobs"""

    @extend_schema(parameters=[JobsQuery], responses=QueuedJobSerializer(many=True))
    def get(self, request: Request, organization: UUID) -> Response:
        """Return the organization's jobs that the caller may see, newest first."""
        home = visible_organization(self.user, organization)
        return _answer(self, visible_jobs(self.user).filter(organization=home))


class JobsView(ApiView):
    """GET /provisionerjobs"""

    @extend_schema(parameters=[JobsQuery], responses=QueuedJobSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the jobs of all organizations that the caller may see, newest first."""
        return _answer(self, visible_jobs(self.user))


class OrganizationJobView(ApiView):
    """GET /organizations/{organization}/provisionerjobs/{job}"""

    @extend_schema(responses=QueuedJobSerializer)
    def get(self, request: Request, organization: UUID, job: UUID) -> Response:
        """Return one job."""
        home = visible_organization(self.user, organization)
        found = _shown(visible_jobs(self.user).filter(organization=home))
        return Response(queued_job_as_json(get_object_or_404(found, pk=job)))


class JobView(ApiView):
    """GET /provisionerjobs/{job}"""

    @extend_schema(responses=QueuedJobSerializer)
    def get(self, request: Request, job: UUID) -> Response:
        """Return one job."""
        return Response(
            queued_job_as_json(get_object_or_404(_shown(visible_jobs(self.user)), pk=job))
        )


class CancelJobView(ApiView):
    """PATCH /provisionerjobs/{job}/cancel"""

    write_scope = TokenScope.USE
    error_statuses: ClassVar = (409,)

    @extend_schema(request=Empty, responses=QueuedJobSerializer)
    def patch(self, request: Request, job: UUID) -> Response:
        """Cancel a job: one that waits is over at once, one that runs is asked to stop."""
        shown = _shown(visible_jobs(self.user))
        found = get_object_or_404(shown, pk=job)
        if not may_cancel(self.user, found.workspace):
            raise PermissionDenied
        self.body(Empty)
        services.cancel_job(job=found, actor=self.actor, now=timezone.now())
        return Response(queued_job_as_json(shown.get(pk=job)))


def may_cancel(actor: User, workspace: Workspace) -> bool:
    """Return whether a person may end a job of this workspace."""
    return policy.can_cancel_job(
        actor, organization_id=workspace.organization_id, owner_id=workspace.owner_id
    )


def _answer(view: ApiView, jobs: QuerySet[ProvisionerJob]) -> Response:
    asked = view.query(JobsQuery)
    found = _shown(_filtered(jobs, asked, view.user)).order_by("-created_at", "-id")
    queue = Queue()
    shape = QueuedJobSerializer(context={"queue": queue})
    return answer_page(
        view.request,
        found,
        asked,
        shape.to_representation,
        before=queue.look_at,
    )


def _shown(jobs: QuerySet[ProvisionerJob]) -> QuerySet[ProvisionerJob]:
    return jobs.select_related("workspace__template", "daemon", "build__template_version")


def _filtered(
    jobs: QuerySet[ProvisionerJob], asked: dict[str, Any], caller: User
) -> QuerySet[ProvisionerJob]:
    for name in ("status", "type"):
        if name in asked:
            jobs = jobs.filter(**{name: asked[name]})
    if "ids" in asked:
        jobs = jobs.filter(pk__in=asked["ids"])
    if "template" in asked:
        jobs = jobs.filter(**_named("workspace__template", "name", asked["template"]))
    if asked.get("initiator") == "me":
        return jobs.filter(initiator=caller)
    if "initiator" in asked:
        jobs = jobs.filter(**_named("initiator", "username", asked["initiator"]))
    return jobs


def _named(path: str, name: str, text: str) -> dict[str, Any]:
    """Return the condition for a thing that is named by its id or its name."""
    try:
        return {path: UUID(text)}
    except ValueError:
        return {f"{path}__{name}__iexact": text}


urlpatterns = [
    path("organizations/<uuid:organization>/provisionerjobs", OrganizationJobsView.as_view()),
    path(
        "organizations/<uuid:organization>/provisionerjobs/<uuid:job>",
        OrganizationJobView.as_view(),
    ),
    path("provisionerjobs", JobsView.as_view()),
    path("provisionerjobs/<uuid:job>", JobView.as_view()),
    path("provisionerjobs/<uuid:job>/cancel", CancelJobView.as_view()),
]
