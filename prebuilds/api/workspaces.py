"""Workspaces: search, get, rename. Creating one, which claims, is in `create_workspace`."""

from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.enums import TokenScope
from accounts.policy import Action, Resource
from prebuilds.api.base.output import OutputSerializer
from prebuilds.api.base.pages import answer_page, list_of
from prebuilds.api.base.serializers import PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.visible import (
    agents_of,
    find_workspace,
    let_go,
    path_text,
    resources_of,
    visible_user,
    visible_workspaces,
    workspaces_with_relations,
)
from prebuilds.api.workspace_agents import ailment
from prebuilds.api.workspace_builds import BuildSerializer
from prebuilds.models import ClaimOutcome, ClaimReason
from workspaces.enums import AutomaticUpdates
from workspaces.models import Workspace
from workspaces.search import read_search, search_workspaces
from workspaces.services.workspaces import NAME_LIMIT, rename_workspace

SEARCH_LIMIT = 1_000


class ClaimSerializer(serializers.Serializer[Any]):
    """Whether somebody got a ready workspace, and why or why not."""

    outcome = serializers.ChoiceField(choices=ClaimOutcome.choices)
    reason = serializers.ChoiceField(choices=ClaimReason.choices)


class HealthSerializer(serializers.Serializer[Any]):
    """Whether all agents of a workspace do what they should."""

    healthy = serializers.BooleanField()
    failing_agents = serializers.ListField(child=serializers.UUIDField())


class WorkspaceSerializer(OutputSerializer):
    """A workspace, with Coder's field names and what became of its claim.

    Takes the instant as `now` from its context.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    owner_id = serializers.UUIDField()
    owner_name = serializers.CharField(source="owner.username")
    organization_id = serializers.UUIDField()
    organization_name = serializers.CharField(source="organization.name")
    template_id = serializers.UUIDField()
    template_name = serializers.CharField(source="template.name")
    template_display_name = serializers.CharField(source="template.display_name", allow_blank=True)
    template_icon = serializers.CharField(source="template.icon", allow_blank=True)
    template_active_version_id = serializers.UUIDField(
        source="template.active_version_id", allow_null=True
    )
    outdated = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    is_prebuild = serializers.BooleanField()
    ttl_ms = serializers.SerializerMethodField()
    autostart_schedule = serializers.SerializerMethodField()
    next_start_at = serializers.DateTimeField(allow_null=True)
    dormant_at = serializers.DateTimeField(allow_null=True)
    deleting_at = serializers.DateTimeField(allow_null=True)
    automatic_updates = serializers.ChoiceField(choices=AutomaticUpdates.choices)
    health = serializers.SerializerMethodField()
    latest_build = serializers.SerializerMethodField()
    claim = serializers.SerializerMethodField()

    def get_outdated(self, workspace: Workspace) -> bool:
        """Return whether the template has another active version by now."""
        build = workspace.latest_build
        active = workspace.template.active_version_id
        return build is not None and build.template_version_id != active

    def get_ttl_ms(self, workspace: Workspace) -> int | None:
        """Return milliseconds, as Coder does."""
        return workspace.ttl_seconds * 1000 if workspace.ttl_seconds else None

    def get_autostart_schedule(self, workspace: Workspace) -> str | None:
        """Return nothing, as Coder does, for a workspace that does not start by itself."""
        return workspace.autostart_schedule or None

    @extend_schema(responses=HealthSerializer)
    def get_health(self, workspace: Workspace) -> dict[str, Any]:
        """Return which agents of the latest build fail."""
        build = workspace.latest_build
        resources = resources_of(build) if build else ()
        agents = (agent for resource in resources for agent in agents_of(resource))
        failing = [str(agent.pk) for agent in agents if ailment(agent, self.context)]
        return {"healthy": not failing, "failing_agents": failing}

    @extend_schema(responses=BuildSerializer(allow_null=True))
    def get_latest_build(self, workspace: Workspace) -> dict[str, Any] | None:
        """Return the build that says how the workspace is."""
        build = workspace.latest_build
        if build is None:
            return None
        build.workspace = workspace
        return self._builds.to_representation(build)

    @cached_property
    def _builds(self) -> BuildSerializer:
        """One for all rows of a list: to make a serializer costs more than to use it."""
        return BuildSerializer(context=self.context)

    @extend_schema(responses=ClaimSerializer(allow_null=True))
    def get_claim(self, workspace: Workspace) -> dict[str, Any] | None:
        """Return nothing for what was never asked for: a prebuild."""
        claim = getattr(workspace, "claim", None)
        return {"outcome": claim.outcome, "reason": claim.reason} if claim else None


class SearchQuery(PageQuery):
    """Which workspaces, and which part of the list."""

    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=SEARCH_LIMIT,
        help_text=(
            "Terms that must all hold: `owner:me`, `owner:prebuilds`, `template:`, `preset:`, "
            "`version:` (a name, `active` or `old`), `organization:`, `status:`, `outdated:true`, "
            "`dormant:true`, `name:`; a free word is a part of the name. A minus before a term "
            "finds the others: `-owner:prebuilds` is what people have."
        ),
    )


class RenameSerializer(StrictSerializer):
    """What may be changed of a workspace itself."""

    name = serializers.CharField(max_length=NAME_LIMIT)


class WorkspaceListView(ApiView):
    """GET /workspaces"""

    @extend_schema(parameters=[SearchQuery], responses=list_of("workspaces", WorkspaceSerializer))
    def get(self, request: Request) -> Response:
        """Return the workspaces the caller may see and asked for, newest first."""
        asked = self.query(SearchQuery)
        search = read_search(asked["q"], self.user)
        if search.problems:
            raise serializers.ValidationError({"q": list(search.problems)})
        shape = WorkspaceSerializer(context={"now": timezone.now()})

        def as_json(workspace: Workspace) -> dict[str, Any]:
            shown = shape.to_representation(workspace)
            let_go(workspace)
            return shown

        return answer_page(
            request,
            search_workspaces(self.user, search),
            asked,
            as_json,
            wrap="workspaces",
            shown=workspaces_with_relations(),
        )


class WorkspaceView(ApiView):
    """GET and PATCH /workspaces/{workspace}"""

    write_scope = TokenScope.USE
    error_statuses: ClassVar = (409, 410)

    @extend_schema(responses=WorkspaceSerializer)
    def get(self, request: Request, workspace: UUID) -> Response:
        """Return one workspace."""
        found = get_object_or_404(visible_workspaces(self.user), pk=workspace)
        return Response(workspace_as_json(found))

    @extend_schema(request=RenameSerializer, responses={204: None})
    def patch(self, request: Request, workspace: UUID) -> Response:
        """Rename a workspace; a prebuild keeps its name (409)."""
        found = find_workspace(self.user, workspace)
        self.require(
            Action.UPDATE,
            Resource.WORKSPACE,
            organization_id=found.organization_id,
            owner_id=found.owner_id,
        )
        name = self.body(RenameSerializer)["name"]
        rename_workspace(workspace_id=found.pk, name=name, actor=self.actor, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class WorkspaceByNameView(ApiView):
    """GET /users/{user}/workspace/{name}"""

    @extend_schema(responses=WorkspaceSerializer)
    def get(self, request: Request, user: str, name: str) -> Response:
        """Return somebody's live workspace by its name."""
        owner = visible_user(self.user, user)
        named = visible_workspaces(self.user).filter(owner=owner, name__iexact=path_text(name))
        return Response(workspace_as_json(get_object_or_404(named)))


def workspace_as_json(workspace: Workspace) -> dict[str, Any]:
    """Return one workspace, as it is now."""
    return dict(WorkspaceSerializer(workspace, context={"now": timezone.now()}).data)


urlpatterns = [
    path("workspaces", WorkspaceListView.as_view()),
    path("workspaces/<uuid:workspace>", WorkspaceView.as_view()),
    path("users/<str:user>/workspace/<str:name>", WorkspaceByNameView.as_view()),
]
