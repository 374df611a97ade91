"""Pause and resume reconciliation (semantics.md 19)."""

from datetime import datetime
from typing import Any, ClassVar

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy
from accounts.policy import Action, Resource
from prebuilds import services
from prebuilds.api.base.preconditions import check_if_match, etag
from prebuilds.api.base.serializers import StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.models import PrebuildsSettings

REASON_LIMIT = 500
UNCHANGED = OpenApiResponse(description="It is so already.")


class SettingsSerializer(serializers.Serializer[Any]):
    """Whether reconciliation is paused; by whom, why and until when, if it is."""

    reconciliation_paused = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    until = serializers.DateTimeField(allow_null=True, help_text="null: until somebody resumes.")
    paused_at = serializers.DateTimeField(allow_null=True)
    paused_by = serializers.CharField(allow_null=True, help_text="A username.")


class ChangeSettingsSerializer(StrictSerializer):
    """Pause, with a reason and perhaps an end, or resume."""

    reconciliation_paused = serializers.BooleanField()
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=REASON_LIMIT, help_text="Shown to everybody."
    )
    until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When it goes on by itself."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what belongs to a pause for a resume, and an end that has passed."""
        if not attrs["reconciliation_paused"]:
            useless = [name for name in ("reason", "until") if attrs.get(name)]
            if useless:
                raise serializers.ValidationError(
                    {name: ["Only a pause takes this; leave it out."] for name in useless}
                )
        until, now = attrs.get("until"), self.context["now"]
        if until is not None and until <= now:
            raise serializers.ValidationError(
                {"until": [f"{until.isoformat()} has passed. Choose a time to come."]}
            )
        return attrs


class SettingsView(ApiView):
    """GET and PUT /prebuilds/settings"""

    error_statuses: ClassVar = (412,)

    @extend_schema(responses=SettingsSerializer)
    def get(self, request: Request) -> Response:
        """Return whether reconciliation is paused; everybody who is signed in is told."""
        return _answer(_pause_at(timezone.now()))

    @extend_schema(
        request=ChangeSettingsSerializer, responses={200: SettingsSerializer, 304: UNCHANGED}
    )
    def put(self, request: Request) -> Response:
        """Pause or resume; 304 when it is so already."""
        if not policy.can(self.user, Action.UPDATE, Resource.PREBUILDS_SETTINGS):
            raise PermissionDenied
        now = timezone.now()
        asked = _read(request, now)
        before = _pause_at(now)
        check_if_match(request, _etag(before))
        if _is_so(asked, before):
            return Response(status=status.HTTP_304_NOT_MODIFIED)
        if asked["reconciliation_paused"]:
            services.pause_reconciliation(
                actor=self.actor,
                reason=asked.get("reason", before["reason"]),
                until=asked.get("until", before["until"]),
                now=now,
            )
        else:
            services.resume_reconciliation(actor=self.actor, now=now)
        return _answer(_pause_at(now))


def _read(request: Request, now: datetime) -> dict[str, Any]:
    shape = ChangeSettingsSerializer(data=request.data, context={"now": now})
    shape.is_valid(raise_exception=True)
    return dict(shape.validated_data)


def _is_so(asked: dict[str, Any], before: dict[str, Any]) -> bool:
    """Return whether the wish changes nothing; a wish about what it does not name is none."""
    return all(before[name] == value for name, value in asked.items() if name in _WISHES)


def _pause_at(now: datetime) -> dict[str, Any]:
    """Return the pause at this instant; one that has ended is none."""
    row = PrebuildsSettings.objects.select_related("paused_by").first()
    if row is None or not row.is_paused(now):
        return dict(_NO_PAUSE)
    return {
        "reconciliation_paused": True,
        "reason": row.pause_reason,
        "until": row.paused_until,
        "paused_at": row.paused_at,
        "paused_by": row.paused_by.username if row.paused_by else None,
    }


def _answer(pause: dict[str, Any]) -> Response:
    response = Response(SettingsSerializer(pause).data)
    response["ETag"] = _etag(pause)
    return response


def _etag(pause: dict[str, Any]) -> str:
    at = pause["paused_at"]
    return etag(at.isoformat() if at else "running")


_WISHES = ("reconciliation_paused", "reason", "until")
_NO_PAUSE: dict[str, Any] = {
    "reconciliation_paused": False,
    "reason": "",
    "until": None,
    "paused_at": None,
    "paused_by": None,
}

urlpatterns = [path("prebuilds/settings", SettingsView.as_view())]
