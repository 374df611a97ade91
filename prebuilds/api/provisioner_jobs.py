"""What remote provisioner daemons say about a job they hold (semantics.md 17).

Every word carries daemon and lease; a lease that moved on is 409 `lease_lost`.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from prebuilds.api import provisioner_input as shapes
from prebuilds.api import provisioner_output as answers
from prebuilds.api.provisioner import ProvisionerView, nothing
from workspaces import selectors
from workspaces.services import jobs

View = TypeVar("View", bound="type[JobView]")


class JobView(ProvisionerView):
    """POST /provisioner/jobs/{job}/…: one word about a job by the daemon that holds it."""

    serializer_class = shapes.Statement
    error_statuses: ClassVar = (409,)

    def post(self, request: Request, job: UUID) -> Response:
        """Check who speaks and that the job is theirs, then do what the verb says."""
        said = self.said(request)
        daemon = self.daemon_of(request, said["daemon_id"])
        selectors.check_holder(daemon=daemon, job_id=job)
        about = {"job_id": job, "lease": said["lease"], "now": timezone.now()}
        answer = self.carry_out(about, said)
        return Response(answer) if answer is not None else nothing()

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> dict[str, Any] | None:
        """Make the one domain call; raises LeaseLost."""
        raise NotImplementedError


def _documented(
    said: type[Serializer[Any]], answer: type[Serializer[Any]] | None = None
) -> Callable[[View], View]:
    """Say of the verb that a class is what it takes and answers, and what it is for."""

    def document(view: View) -> View:
        described = extend_schema(
            description=view.__doc__,
            request=said,
            responses=answer if answer is not None else {204: None},
        )
        return extend_schema_view(post=described)(view)

    return document


@_documented(shapes.Statement, answers.Kept)
class HeartbeatView(JobView):
    """Keep a job; learn whether somebody asked to cancel it."""

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        """Move the heartbeat."""
        return {"cancel": jobs.heartbeat_job(**about)}


@_documented(shapes.Logs)
class LogsView(JobView):
    """Add lines to a job's log."""

    serializer_class = shapes.Logs

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> None:
        """Append them."""
        jobs.append_job_logs(**about, lines=shapes.lines_of(said))


@_documented(shapes.Resources)
class ResourcesView(JobView):
    """Make resources and agents known before the build ends."""

    serializer_class = shapes.Resources

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> None:
        """Store them."""
        jobs.report_resources(**about, resources=shapes.resources_of(said))


@_documented(shapes.Result)
class CompleteView(JobView):
    """End a job well."""

    serializer_class = shapes.Result

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> None:
        """Store what it leaves behind."""
        jobs.complete_job(**about, result=shapes.result_of(said))


@_documented(shapes.Failure)
class FailView(JobView):
    """End a job badly."""

    serializer_class = shapes.Failure

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> None:
        """Store why."""
        jobs.fail_job(**about, error=said["error"], code=said["code"])


@_documented(shapes.Statement)
class FinishCanceledView(JobView):
    """End a job that was asked to stop and has stopped."""

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> None:
        """End it as canceled."""
        jobs.finish_canceled_job(**about)


@_documented(shapes.Statement)
class ReleaseView(JobView):
    """Give a job back to the queue."""

    def carry_out(self, about: dict[str, Any], said: dict[str, Any]) -> None:
        """Let somebody else have it."""
        jobs.release_job(**about)


_JOB = "provisioner/jobs/<uuid:job>"
urlpatterns = [
    path(f"{_JOB}/heartbeat", HeartbeatView.as_view()),
    path(f"{_JOB}/logs", LogsView.as_view()),
    path(f"{_JOB}/resources", ResourcesView.as_view()),
    path(f"{_JOB}/complete", CompleteView.as_view()),
    path(f"{_JOB}/fail", FailView.as_view()),
    path(f"{_JOB}/finish-canceled", FinishCanceledView.as_view()),
    path(f"{_JOB}/release", ReleaseView.as_view()),
]
