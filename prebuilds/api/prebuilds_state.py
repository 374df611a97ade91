"""Pools as they are now, the plan of the next cycle, and a cycle now."""

from dataclasses import asdict
from typing import Any, ClassVar

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds import observation, reconciler, selectors
from prebuilds.api.base.serializers import Empty, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.conf import current_policy
from prebuilds.core.actions import Reason
from prebuilds.core.facts import decision_as_json
from prebuilds.core.health import HealthWord
from prebuilds.core.snapshot import Status
from prebuilds.models import Trigger

HEALTHS = [word.value for word in HealthWord]
REASONS = [reason.value for reason in Reason]
ACTIONS = ["create", "delete", "cancel", "hold", "set_status"]


class PoolSerializer(serializers.Serializer[Any]):
    """One pool: what it should hold, what it holds, and how it is."""

    preset_id = serializers.UUIDField()
    preset_name = serializers.CharField()
    preset_icon = serializers.CharField(allow_blank=True)
    template_id = serializers.UUIDField()
    template_name = serializers.CharField()
    template_display_name = serializers.CharField()
    template_icon = serializers.CharField(allow_blank=True)
    organization_id = serializers.UUIDField()
    organization_name = serializers.CharField()
    template_version_name = serializers.CharField(source="version_name")
    is_active_version = serializers.BooleanField()
    desired = serializers.IntegerField()
    ready = serializers.IntegerField(help_text="Claimable at this instant.")
    unready = serializers.IntegerField(help_text="Running, but not claimable yet.")
    starting = serializers.IntegerField()
    stopping = serializers.IntegerField()
    deleting = serializers.IntegerField()
    expired = serializers.IntegerField()
    health = serializers.ChoiceField(choices=HEALTHS)
    reason = serializers.CharField(help_text="Why, in a sentence.")
    next_at = serializers.DateTimeField(
        allow_null=True, help_text="When that changes next, if it is known."
    )


class StateSerializer(serializers.Serializer[Any]):
    """All pools the caller may read, at one instant."""

    as_of = serializers.DateTimeField()
    reconciliation_paused = serializers.BooleanField()
    last_cycle_at = serializers.DateTimeField(
        allow_null=True, help_text="The reconciler's heartbeat; null before its first cycle."
    )
    count = serializers.IntegerField()
    pools = PoolSerializer(many=True)


class PoolsQuery(StrictSerializer):
    """Which pools; filters that are not given leave out nothing."""

    template = serializers.CharField(required=False, max_length=128, help_text="A name or an id.")
    health = serializers.ChoiceField(choices=HEALTHS, required=False)


class PlanQuery(StrictSerializer):
    """Whose plan."""

    template = serializers.CharField(required=False, max_length=128, help_text="A name or an id.")


class CountsSerializer(serializers.Serializer[Any]):
    """The counts a decision was made from (semantics.md 3)."""

    actual = serializers.IntegerField()
    expired = serializers.IntegerField()
    desired = serializers.IntegerField()
    eligible = serializers.IntegerField()
    extraneous = serializers.IntegerField()
    starting = serializers.IntegerField()
    stopping = serializers.IntegerField()
    deleting = serializers.IntegerField()
    schedule = serializers.CharField(allow_null=True)
    schedule_problem = serializers.CharField(allow_blank=True)


class ActionSerializer(serializers.Serializer[Any]):
    """One action; which fields it has depends on the action."""

    action = serializers.ChoiceField(choices=ACTIONS)
    reason = serializers.ChoiceField(choices=REASONS)
    count = serializers.IntegerField(required=False)
    workspace_id = serializers.UUIDField(required=False)
    workspace_ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    until = serializers.DateTimeField(required=False, allow_null=True)
    status = serializers.ChoiceField(choices=[one.value for one in Status], required=False)


class PlannedSerializer(serializers.Serializer[Any]):
    """What a cycle would do for one preset."""

    preset_id = serializers.UUIDField()
    preset = serializers.CharField()
    template = serializers.CharField()
    version = serializers.CharField()
    organization = serializers.CharField()
    active = serializers.BooleanField()
    state = CountsSerializer()
    actions = ActionSerializer(many=True)


class PlanSerializer(serializers.Serializer[Any]):
    """What a cycle would do at this instant."""

    as_of = serializers.DateTimeField()
    reconciliation_paused = serializers.BooleanField(
        help_text="Nothing of the plan is carried out while this is true."
    )
    presets = PlannedSerializer(many=True)


class CycleSerializer(serializers.Serializer[Any]):
    """What a cycle did."""

    run_id = serializers.IntegerField()
    message = serializers.CharField()
    lock_acquired = serializers.BooleanField(help_text="False: another cycle is on.")
    reconciliation_paused = serializers.BooleanField()
    presets_total = serializers.IntegerField()
    presets_failed = serializers.IntegerField()
    created = serializers.IntegerField()
    deleted = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    held = serializers.IntegerField()


class StateView(ApiView):
    """GET /prebuilds/state"""

    @extend_schema(parameters=[PoolsQuery], responses=StateSerializer)
    def get(self, request: Request) -> Response:
        """Return the pools of the organizations whose templates the caller may read."""
        asked = self.query(PoolsQuery)
        overview = selectors.list_pools(now=timezone.now())
        pools = [
            asdict(pool)
            for pool in overview.pools
            if may_read(self.user, pool.organization_id, Resource.TEMPLATE)
            and asked.get("health") in (None, pool.health)
            and is_named(asked.get("template"), str(pool.template_id), pool.template_name)
        ]
        answer = {
            "as_of": overview.as_of,
            "reconciliation_paused": overview.paused,
            "last_cycle_at": selectors.last_cycle_at(),
            "count": len(pools),
            "pools": pools,
        }
        return Response(StateSerializer(answer).data)


class PlanView(ApiView):
    """GET /prebuilds/plan"""

    @extend_schema(parameters=[PlanQuery], responses=PlanSerializer)
    def get(self, request: Request) -> Response:
        """Return what a cycle would do now, for the pools the caller may read; changes nothing."""
        require_anywhere(self.user, Action.READ)
        template = self.query(PlanQuery).get("template")
        now = timezone.now()
        decisions = reconciler.plan_cycle(
            policy=current_policy(),
            now=now,
            selected=lambda preset: (
                may_read(self.user, preset.organization_id, Resource.RECONCILE_RUN)
                and is_named(template, str(preset.template_id), preset.template_name)
            ),
        )
        answer = {
            "as_of": now,
            "reconciliation_paused": observation.is_paused(now),
            "presets": [decision_as_json(one) for one in decisions],
        }
        return Response(answer)


class ReconcileView(ApiView):
    """POST /prebuilds/reconcile"""

    error_statuses: ClassVar = (409,)

    @extend_schema(request=Empty, responses=CycleSerializer)
    def post(self, request: Request) -> Response:
        """Run a cycle now, and answer when it is done."""
        require_anywhere(self.user, Action.CREATE)
        self.body(Empty)
        cycle = reconciler.run_cycle(
            trigger=Trigger.PERSON, policy=current_policy(), clock=timezone.now
        )
        return Response(
            {
                "run_id": cycle.run_id,
                "message": say_cycle(cycle),
                "lock_acquired": cycle.lock_acquired,
                "reconciliation_paused": cycle.paused,
                "presets_total": cycle.presets_total,
                "presets_failed": len(cycle.failed),
                **{name: cycle.total(name) for name in COUNTS},
            }
        )


COUNTS = ("created", "deleted", "cancelled", "held")


def say_cycle(cycle: reconciler.Cycle) -> str:
    """Return in a sentence what came of a cycle."""
    if not cycle.lock_acquired:
        return "Another cycle is running at this moment: nothing was done twice."
    if cycle.paused:
        return "Reconciliation is paused: nothing was done. Resume it first."
    counts = ", ".join(f"{name} {cycle.total(name)}" for name in COUNTS)
    return f"{cycle.presets_total} presets looked at: {counts}, failed {len(cycle.failed)}."


def require_anywhere(user: User, action: Action) -> None:
    """Let in who may do this with cycles somewhere; 404 for who may not even see them, else 403."""
    subject = subject_of(user)
    if subject.can_anywhere(action, Resource.RECONCILE_RUN):
        return
    if subject.can_anywhere(Action.READ, Resource.RECONCILE_RUN):
        raise PermissionDenied
    raise Http404


def may_read(user: User, organization_id: Any, resource: Resource) -> bool:
    """Return whether a person may read the resource in an organization."""
    return subject_of(user).can(Action.READ, resource, organization_id=organization_id)


def is_named(asked: str | None, identifier: str, name: str) -> bool:
    """Return whether a filter by id or name, if there is one, means this template."""
    return asked is None or asked.lower() in (identifier, name.lower())


urlpatterns = [
    path("prebuilds/state", StateView.as_view()),
    path("prebuilds/plan", PlanView.as_view()),
    path("prebuilds/reconcile", ReconcileView.as_view()),
]
