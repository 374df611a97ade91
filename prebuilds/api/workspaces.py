"""Workspaces: create (which claims), list, get; and the builds of a workspace."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import policy
from accounts.models import Organization, User
from accounts.policy import Action, Resource
from prebuilds import claims, services
from prebuilds.models import Claim
from templates_app.models import Template
from workspaces.enums import Transition
from workspaces.models import Workspace, WorkspaceBuild

LIST_LIMIT = 100


class ParameterSerializer(serializers.Serializer[Any]):
    """One parameter value."""

    name = serializers.CharField(max_length=64)
    value = serializers.CharField(allow_blank=True, trim_whitespace=False)


class CreateWorkspaceSerializer(serializers.Serializer[Any]):
    """What somebody asks for; the field names are Coder's."""

    template_id = serializers.UUIDField()
    template_version_preset_id = serializers.UUIDField(required=False, allow_null=True)
    name = serializers.CharField(max_length=64)
    rich_parameter_values = ParameterSerializer(many=True, required=False)


class CreateBuildSerializer(serializers.Serializer[Any]):
    """Which transition to build."""

    transition = serializers.ChoiceField(choices=Transition.choices)


class CreateWorkspaceView(APIView):
    """POST /organizations/{organization}/members/{user}/workspaces"""

    def post(self, request: Request, organization: UUID, user: str) -> Response:
        """Hand over a ready workspace, or build one; 201 either way, `claim` says which."""
        actor = _actor(request)
        owner = actor if user == "me" else _visible_user(actor, user)
        home = get_object_or_404(Organization, pk=organization)
        where = {"organization_id": home.pk, "owner_id": owner.pk}
        if not policy.can(actor, Action.READ, Resource.TEMPLATE, organization_id=home.pk):
            raise Http404
        if not policy.can(actor, Action.CREATE, Resource.WORKSPACE, **where):
            raise PermissionDenied
        asked = CreateWorkspaceSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        template = get_object_or_404(
            Template, pk=asked.validated_data["template_id"], organization=home
        )
        result = claims.claim_or_create_workspace(
            owner=owner,
            template=template,
            preset_id=asked.validated_data.get("template_version_preset_id"),
            name=asked.validated_data["name"],
            parameters={
                each["name"]: each["value"]
                for each in asked.validated_data.get("rich_parameter_values", [])
            },
            now=timezone.now(),
        )
        made = _with_relations().get(pk=result.workspace.pk)
        return Response(workspace_as_json(made), status=status.HTTP_201_CREATED)


class WorkspaceListView(APIView):
    """GET /workspaces"""

    def get(self, request: Request) -> Response:
        """Return the workspaces the caller may see, newest first, at most LIST_LIMIT."""
        rows = visible_workspaces(_actor(request))
        return Response(
            {
                "workspaces": [workspace_as_json(one) for one in rows[:LIST_LIMIT]],
                "count": rows.count(),
            }
        )


class WorkspaceView(APIView):
    """GET /workspaces/{id}"""

    def get(self, request: Request, workspace: UUID) -> Response:
        """Return one workspace."""
        found = get_object_or_404(visible_workspaces(_actor(request)), pk=workspace)
        return Response(workspace_as_json(found))


class WorkspaceBuildsView(APIView):
    """GET and POST /workspaces/{id}/builds"""

    def get(self, request: Request, workspace: UUID) -> Response:
        """Return the workspace's builds, newest first."""
        found = get_object_or_404(visible_workspaces(_actor(request)), pk=workspace)
        rows = found.builds.select_related("job", "template_version").order_by("-build_number")
        return Response([build_as_json(one) for one in rows[:LIST_LIMIT]])

    def post(self, request: Request, workspace: UUID) -> Response:
        """Ask for a start, stop or deletion."""
        actor = _actor(request)
        found = get_object_or_404(visible_workspaces(actor), pk=workspace)
        asked = CreateBuildSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        transition = Transition(asked.validated_data["transition"])
        if not may_build(actor, found, transition):
            raise PermissionDenied
        build = services.request_build(
            workspace=found, transition=transition, actor=actor, now=timezone.now()
        )
        return Response(build_as_json(build), status=status.HTTP_201_CREATED)


def visible_workspaces(actor: User) -> QuerySet[Workspace]:
    """Return the live workspaces a person may see, with what their JSON needs."""
    rows = _with_relations().filter(deleted_at__isnull=True)
    organizations = policy.subject_of(actor).readable_organizations(Resource.WORKSPACE)
    if organizations is None:
        return rows
    return rows.filter(owner=actor) | rows.filter(organization_id__in=organizations)


def may_build(actor: User, workspace: Workspace, transition: Transition) -> bool:
    """Return whether a person may ask for this build of this workspace."""
    where = {"organization_id": workspace.organization_id, "owner_id": workspace.owner_id}
    if transition == Transition.DELETE:
        return policy.can_delete_workspace(actor, **where)
    return policy.can(actor, Action.UPDATE, Resource.WORKSPACE, **where)


def workspace_as_json(workspace: Workspace) -> dict[str, Any]:
    """Return a workspace with Coder's field names, and what became of its claim."""
    claim: Claim | None = getattr(workspace, "claim", None)
    latest = workspace.latest_build
    return {
        "id": str(workspace.pk),
        "name": workspace.name,
        "owner_id": str(workspace.owner_id),
        "owner_name": workspace.owner.username,
        "organization_id": str(workspace.organization_id),
        "organization_name": workspace.organization.name,
        "template_id": str(workspace.template_id),
        "template_name": workspace.template.name,
        "created_at": workspace.created_at,
        "updated_at": workspace.updated_at,
        "last_used_at": workspace.last_used_at,
        "is_prebuild": workspace.is_prebuild,
        "ttl_ms": workspace.ttl_seconds * 1000 if workspace.ttl_seconds else None,
        "latest_build": build_as_json(latest) if latest else None,
        "claim": {"outcome": claim.outcome, "reason": claim.reason} if claim else None,
    }


def build_as_json(build: WorkspaceBuild) -> dict[str, Any]:
    """Return a build with Coder's field names."""
    job = build.job
    return {
        "id": str(build.pk),
        "workspace_id": str(build.workspace_id),
        "build_number": build.build_number,
        "transition": build.transition,
        "stage": build.stage,
        "reason": build.reason,
        "template_version_id": str(build.template_version_id),
        "template_version_name": build.template_version.name,
        "template_version_preset_id": str(build.preset_id) if build.preset_id else None,
        "initiator_id": str(build.initiator_id),
        "created_at": build.created_at,
        "deadline": build.deadline,
        "job": {
            "id": str(job.pk),
            "status": job.status,
            "error": job.error,
            "error_code": job.error_code,
            "created_at": job.created_at,
            "started_at": job.started_at,
            "completed_at": job.completed_at,
        },
    }


def _with_relations() -> QuerySet[Workspace]:
    """Return workspaces with everything their JSON needs, in one statement."""
    return Workspace.objects.select_related(
        "owner",
        "organization",
        "template",
        "claim",
        "latest_build__job",
        "latest_build__template_version",
    )


def _actor(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _visible_user(actor: User, name: str) -> User:
    found = get_object_or_404(User.objects, username__iexact=name)
    if found != actor and not policy.can(actor, Action.READ, Resource.USER):
        raise Http404
    return found
