"""The reconciler's history: its cycles, and what they decided about presets one may read."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds.api.base.pages import answer_page
from prebuilds.api.base.serializers import PageQuery
from prebuilds.api.base.views import ApiView
from prebuilds.api.prebuilds_state import CountsSerializer, require_anywhere
from prebuilds.models import ReconcileDecision, ReconcileRun, Trigger

BIGGEST_ID = 9_223_372_036_854_775_807


class RunSerializer(serializers.Serializer[Any]):
    """One cycle; takes `may_read_all` from its context."""

    id = serializers.IntegerField()
    trigger = serializers.ChoiceField(choices=Trigger.choices)
    started_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    lock_acquired = serializers.BooleanField()
    paused = serializers.BooleanField()
    presets_total = serializers.IntegerField()
    presets_reconciled = serializers.IntegerField()
    presets_failed = serializers.IntegerField()
    created = serializers.IntegerField()
    deleted = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    held = serializers.IntegerField()
    error = serializers.SerializerMethodField()

    def get_error(self, run: ReconcileRun) -> str:
        """Return what went wrong; it names organizations, so not everybody is told."""
        if run.error and not self.context["may_read_all"]:
            return "This cycle met an error. Ask an owner of the site for its words."
        return run.error


class DecisionSerializer(serializers.Serializer[Any]):
    """What a cycle did about one preset, or withheld."""

    preset_id = serializers.UUIDField()
    preset_name = serializers.CharField(source="preset.name")
    template_id = serializers.UUIDField(source="preset.version.template_id")
    template_name = serializers.CharField(source="preset.version.template.name")
    template_version_name = serializers.CharField(source="preset.version.name")
    state = CountsSerializer()
    actions = serializers.ListField(
        child=serializers.DictField(),
        help_text="What really happened: `action`, `reason`, and how it went.",
    )
    error = serializers.CharField(allow_blank=True)


class RunWithDecisionsSerializer(RunSerializer):
    """One cycle with its decisions."""

    decisions = DecisionSerializer(many=True, source="shown_decisions")


class RunsQuery(PageQuery):
    """Which cycles; filters that are not given leave out nothing."""

    trigger = serializers.ChoiceField(choices=Trigger.choices, required=False)


class RunsView(ApiView):
    """GET /prebuilds/runs"""

    @extend_schema(parameters=[RunsQuery], responses=RunSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return cycles, newest first."""
        require_anywhere(self.user, Action.READ)
        asked = self.query(RunsQuery)
        runs = ReconcileRun.objects.order_by("-started_at", "-id")
        if "trigger" in asked:
            runs = runs.filter(trigger=asked["trigger"])
        shape = RunSerializer(context=context_of(self.user))
        return answer_page(request, runs, asked, shape.to_representation)


class RunView(ApiView):
    """GET /prebuilds/runs/{run}"""

    @extend_schema(responses=RunWithDecisionsSerializer)
    def get(self, request: Request, run: int) -> Response:
        """Return one cycle with its decisions, by template and preset."""
        require_anywhere(self.user, Action.READ)
        found: Any = get_object_or_404(ReconcileRun, pk=min(run, BIGGEST_ID))
        found.shown_decisions = decisions_of(found, self.user)
        return Response(RunWithDecisionsSerializer(found, context=context_of(self.user)).data)


def decisions_of(run: ReconcileRun, user: User) -> list[ReconcileDecision]:
    """Return the cycle's decisions about presets of organizations whose cycles one may read."""
    rows = ReconcileDecision.objects.filter(run=run, preset__isnull=False)
    organizations = subject_of(user).readable_organizations(Resource.RECONCILE_RUN)
    if organizations is not None:
        rows = rows.filter(preset__version__template__organization__in=organizations)
    ordered = rows.order_by("preset__version__template__name", "preset__name", "pk")
    return list(ordered.select_related("preset__version__template"))


def context_of(user: User) -> dict[str, bool]:
    """Return what a run's JSON needs to know of its reader."""
    organizations = subject_of(user).readable_organizations(Resource.RECONCILE_RUN)
    return {"may_read_all": organizations is None}


urlpatterns = [
    path("prebuilds/runs", RunsView.as_view()),
    path("prebuilds/runs/<int:run>", RunView.as_view()),
]
