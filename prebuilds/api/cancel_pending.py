"""Empty a flooded queue: cancel the starts of prebuilds that no daemon has taken."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.policy import Action, Resource, subject_of
from accounts.system import PREBUILDS_USER_ID
from prebuilds import services
from prebuilds.api.base.serializers import StrictSerializer
from prebuilds.api.base.views import ApiView
from templates_app.models import Template
from workspaces.models import Workspace
from workspaces.models.job import IS_PENDING, ProvisionerJob


class CancelPendingSerializer(StrictSerializer):
    """Whose starts: a template's, or those of all templates of an organization."""

    template_id = serializers.UUIDField(required=False)
    organization_id = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a wish for everything: it is too easily made by leaving something out."""
        if not attrs:
            raise serializers.ValidationError(
                {"template_id": ["Name a template here, or an organization in organization_id."]}
            )
        return attrs


class CanceledSerializer(serializers.Serializer[Any]):
    """What became of the starts that waited."""

    templates = serializers.IntegerField(help_text="How many templates had any.")
    canceled = serializers.IntegerField()
    busy = serializers.IntegerField(help_text="A daemon was faster: these are built.")
    failed = serializers.IntegerField()


class CancelPendingView(ApiView):
    """POST /provisionerjobs/cancel-pending"""

    error_statuses: ClassVar = (404,)

    @extend_schema(request=CancelPendingSerializer, responses=CanceledSerializer)
    def post(self, request: Request) -> Response:
        """Cancel the starts that wait; unless it is paused, the next cycle makes them anew."""
        asked = self.body(CancelPendingSerializer)
        templates = self._templates(asked)
        now = timezone.now()
        outcomes = [
            services.cancel_pending_prebuilds(template=template, actor=self.actor, now=now)
            for template in templates.filter(pk__in=_with_pending_prebuilds())
        ]
        return Response(
            {
                "templates": len(outcomes),
                "canceled": sum(one.canceled for one in outcomes),
                "busy": sum(one.busy for one in outcomes),
                "failed": sum(one.failed for one in outcomes),
            }
        )

    def _templates(self, asked: dict[str, UUID]) -> QuerySet[Template]:
        """Return the templates that are meant; 404 for none to be seen, 403 for one too many."""
        subject = subject_of(self.user)
        readable = subject.readable_organizations(Resource.TEMPLATE)
        seen = Q() if readable is None else Q(organization__in=readable)
        named = {"pk" if name == "template_id" else name: asked[name] for name in asked}
        templates = Template.objects.filter(seen, **named).order_by("organization", "name", "pk")
        organizations = set(templates.values_list("organization", flat=True))
        if not organizations:
            raise Http404
        for organization in organizations:
            if not subject.can(
                Action.DELETE, Resource.PREBUILT_WORKSPACE, organization_id=organization
            ):
                raise PermissionDenied
        return templates


def _with_pending_prebuilds() -> QuerySet[Any, UUID]:
    pending = ProvisionerJob.objects.filter(IS_PENDING, initiator=PREBUILDS_USER_ID)
    prebuilds = Workspace.objects.filter(
        owner=PREBUILDS_USER_ID, pk__in=pending.values("workspace")
    )
    return prebuilds.order_by().values_list("template", flat=True)


urlpatterns = [path("provisionerjobs/cancel-pending", CancelPendingView.as_view())]
