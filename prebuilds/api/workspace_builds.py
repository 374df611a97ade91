"""Builds of workspaces: start, stop, delete, update, cancel; their values and resources."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy
from accounts.enums import TokenScope
from accounts.models import User
from accounts.policy import Action, Resource
from prebuilds import services
from prebuilds.api.base.output import OutputSerializer, instant_as_json
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.serializers import Empty, PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.job_output import JobSerializer
from prebuilds.api.jobs import may_cancel
from prebuilds.api.visible import (
    builds_with_relations,
    find_workspace,
    path_text,
    resources_of,
    visible_builds,
    visible_user,
    visible_workspaces,
)
from prebuilds.api.workspace_agents import ResourceSerializer
from workspaces.enums import BuildReason, Stage, Transition, WorkspaceStatus
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.status import workspace_status

PARAMETERS_LIMIT = 500
PRESET_REFUSED = (
    "A preset is chosen when a workspace is created. For an existing one send the values you "
    "want in rich_parameter_values."
)


class ParameterSerializer(StrictSerializer):
    """One parameter value."""

    name = serializers.CharField(max_length=64)
    value = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=65_536)


class BuildSerializer(OutputSerializer):
    """A build, with Coder's field names; takes the instant as `now` from its context."""

    id = serializers.UUIDField()
    workspace_id = serializers.UUIDField()
    workspace_name = serializers.CharField(source="workspace.name")
    workspace_owner_id = serializers.UUIDField(source="workspace.owner_id")
    workspace_owner_name = serializers.CharField(source="workspace.owner.username")
    build_number = serializers.IntegerField()
    transition = serializers.ChoiceField(choices=Transition.choices)
    status = serializers.SerializerMethodField()
    stage = serializers.ChoiceField(choices=Stage.choices)
    reason = serializers.ChoiceField(choices=BuildReason.choices)
    template_version_id = serializers.UUIDField()
    template_version_name = serializers.CharField(source="template_version.name")
    template_version_preset_id = serializers.UUIDField(source="preset_id", allow_null=True)
    initiator_id = serializers.UUIDField()
    initiator_name = serializers.CharField(source="initiator.username")
    created_at = serializers.DateTimeField()
    updated_at = serializers.SerializerMethodField()
    deadline = serializers.DateTimeField(allow_null=True)
    max_deadline = serializers.DateTimeField(allow_null=True)
    daily_cost = serializers.IntegerField()
    job = JobSerializer()
    resources = serializers.SerializerMethodField()

    @extend_schema(responses=serializers.ChoiceField(choices=WorkspaceStatus.choices))
    def get_status(self, build: WorkspaceBuild) -> str:
        """Return how a workspace is whose latest build this is."""
        return str(workspace_status(build.transition, build.job.status))

    @extend_schema(responses=serializers.DateTimeField())
    def get_updated_at(self, build: WorkspaceBuild) -> Any:
        """Return when it changed last: asked for, taken up, or ended."""
        job = build.job
        last = job.completed_at or job.canceled_at or job.started_at or build.created_at
        return instant_as_json(last)

    @extend_schema(responses=ResourceSerializer(many=True))
    def get_resources(self, build: WorkspaceBuild) -> list[dict[str, Any]]:
        """Return what it made, with the agents in it."""
        return resources_as_json(build, self._resources)

    @cached_property
    def _resources(self) -> ResourceSerializer:
        """One for all rows of a list: to make a serializer costs more than to use it."""
        return ResourceSerializer(context=self.context)


class CreateBuildSerializer(StrictSerializer):
    """What to build: a transition, and for a start perhaps another version and other values."""

    transition = serializers.ChoiceField(choices=Transition.choices)
    template_version_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="Default: the version it has."
    )
    rich_parameter_values = serializers.ListField(
        child=ParameterSerializer(), required=False, max_length=PARAMETERS_LIMIT
    )
    template_version_preset_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="Refused: only a new workspace takes a preset."
    )

    def validate_template_version_preset_id(self, value: UUID | None) -> None:
        """Refuse a preset; Coder's clients send it empty."""
        if value is not None:
            raise serializers.ValidationError(PRESET_REFUSED)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse values and versions for what is no start: nothing would come of them."""
        if attrs["transition"] == Transition.START:
            return attrs
        useless = [
            name for name in ("template_version_id", "rich_parameter_values") if attrs.get(name)
        ]
        if useless:
            raise serializers.ValidationError(
                {name: ["Only a start takes this; leave it out."] for name in useless}
            )
        return attrs


class MessageSerializer(serializers.Serializer[Any]):
    """What was done, in words."""

    message = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)


class WorkspaceBuildsView(ApiView):
    """GET and POST /workspaces/{workspace}/builds"""

    write_scope = TokenScope.USE
    error_statuses: ClassVar = (409, 410)

    @extend_schema(parameters=[PageQuery], responses=BuildSerializer(many=True))
    def get(self, request: Request, workspace: UUID) -> Response:
        """Return the workspace's builds, newest first."""
        page = self.query(PageQuery)
        found = find_workspace(self.user, workspace)
        rows = builds_with_relations().filter(workspace=found).order_by("-build_number")
        shape = BuildSerializer(context={"now": timezone.now()})
        return answer_page(request, rows, page, shape.to_representation)

    @extend_schema(request=CreateBuildSerializer, responses={201: BuildSerializer})
    def post(self, request: Request, workspace: UUID) -> Response:
        """Ask for a start, stop or deletion; a start may update to another version."""
        found = find_workspace(self.user, workspace)
        if not any(may_build(self.user, found, transition) for transition in Transition):
            raise PermissionDenied
        asked = self.body(CreateBuildSerializer)
        transition = Transition(asked["transition"])
        if not may_build(self.user, found, transition):
            raise PermissionDenied
        build = services.request_build(
            workspace=found,
            transition=transition,
            actor=self.actor,
            template_version_id=asked.get("template_version_id"),
            given=values_of(asked),
            now=timezone.now(),
        )
        made = builds_with_relations().get(pk=build.pk)
        return Response(build_as_json(made), status=status.HTTP_201_CREATED)


class BuildView(ApiView):
    """GET /workspacebuilds/{build}"""

    @extend_schema(responses=BuildSerializer)
    def get(self, request: Request, build: UUID) -> Response:
        """Return one build."""
        return Response(build_as_json(get_object_or_404(visible_builds(self.user), pk=build)))


class BuildByNumberView(ApiView):
    """GET /users/{user}/workspace/{name}/builds/{number}"""

    @extend_schema(responses=BuildSerializer)
    def get(self, request: Request, user: str, name: str, number: int) -> Response:
        """Return a build of somebody's live workspace by its number."""
        owner = visible_user(self.user, user)
        workspaces = visible_workspaces(self.user).filter(owner=owner, name__iexact=path_text(name))
        found = get_object_or_404(
            builds_with_relations(),
            workspace=get_object_or_404(workspaces),
            build_number=min(number, 2_147_483_647),
        )
        return Response(build_as_json(found))


class CancelBuildView(ApiView):
    """PATCH /workspacebuilds/{build}/cancel"""

    write_scope = TokenScope.USE
    error_statuses: ClassVar = (409,)

    @extend_schema(request=Empty, responses=MessageSerializer)
    def patch(self, request: Request, build: UUID) -> Response:
        """Cancel a build: one that waits is over at once, one that runs is asked to stop."""
        found = get_object_or_404(visible_builds(self.user), pk=build)
        if not may_cancel(self.user, found.workspace):
            raise PermissionDenied
        self.body(Empty)
        job_status = services.cancel_job(job=found.job, actor=self.actor, now=timezone.now())
        return Response({"message": f"The build is {job_status}.", "detail": ""})


class BuildParametersView(ApiView):
    """GET /workspacebuilds/{build}/parameters"""

    @extend_schema(responses=ParameterSerializer(many=True))
    def get(self, request: Request, build: UUID) -> Response:
        """Return the values the build was made with, by name."""
        found = get_object_or_404(visible_builds(self.user), pk=build)
        values = found.parameters.order_by("name")
        return Response([{"name": one.name, "value": one.value} for one in values])


class BuildResourcesView(ApiView):
    """GET /workspacebuilds/{build}/resources"""

    @extend_schema(responses=ResourceSerializer(many=True))
    def get(self, request: Request, build: UUID) -> Response:
        """Return what the build made, with the agents in it."""
        found = get_object_or_404(visible_builds(self.user), pk=build)
        shape = ResourceSerializer(context={"now": timezone.now()})
        return Response(resources_as_json(found, shape))


def build_as_json(build: WorkspaceBuild) -> dict[str, Any]:
    """Return one build, as it is now."""
    return dict(BuildSerializer(build, context={"now": timezone.now()}).data)


def resources_as_json(build: WorkspaceBuild, shape: ResourceSerializer) -> list[dict[str, Any]]:
    """Return what a build made; the resources are told their build, which was loaded anyway."""
    resources = resources_of(build)
    for resource in resources:
        resource.build = build
    return [shape.to_representation(resource) for resource in resources]


def values_of(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return parameter values by their names; a name that comes twice is refused."""
    given = asked.get("rich_parameter_values") or ()
    values = {one["name"]: one["value"] for one in given}
    if len(values) < len(given):
        raise serializers.ValidationError(
            {"rich_parameter_values": ["Each name may come once; one comes twice."]}
        )
    return values


def may_build(actor: User, workspace: Workspace, transition: Transition) -> bool:
    """Return whether a person may ask for this build of this workspace."""
    where = {"organization_id": workspace.organization_id, "owner_id": workspace.owner_id}
    if transition == Transition.DELETE:
        return policy.can_delete_workspace(actor, **where)
    return policy.can(actor, Action.UPDATE, Resource.WORKSPACE, **where)


urlpatterns = [
    path("workspaces/<uuid:workspace>/builds", WorkspaceBuildsView.as_view()),
    path("users/<str:user>/workspace/<str:name>/builds/<int:number>", BuildByNumberView.as_view()),
    path("workspacebuilds/<uuid:build>", BuildView.as_view()),
    path("workspacebuilds/<uuid:build>/cancel", CancelBuildView.as_view()),
    path("workspacebuilds/<uuid:build>/parameters", BuildParametersView.as_view()),
    path("workspacebuilds/<uuid:build>/resources", BuildResourcesView.as_view()),
]
