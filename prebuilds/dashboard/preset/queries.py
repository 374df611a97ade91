"""What the page of a preset reads: a constant number of statements, twelve for the whole page."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject

from accounts.models import AuditEntry
from accounts.system import PREBUILDS_USER_ID
from prebuilds import observation
from prebuilds.conf import current_policy
from prebuilds.core.actions import CreatePrebuilds, Decision, HoldCreation, Reason
from prebuilds.core.decisions import decide_preset
from prebuilds.dashboard.live.looks import Looks
from prebuilds.models import Claim, Notice, PrebuildsSettings, ReconcileDecision
from prebuilds.notices.reading import count_cold_starts
from templates_app.models import ParameterDefinition, Preset, PresetParameter, PresetSchedule
from workspaces.enums import JobStatus, Transition
from workspaces.models import Agent, AgentLog, JobLog, Workspace, WorkspaceBuild
from workspaces.models.workspace import IS_LIVE, IS_PREBUILD
from workspaces.selectors import usual_build_time

MEMBERS_SHOWN: Final = 100
ATTEMPTS_SHOWN: Final = 5
LOG_TAIL: Final = 20
DECISIONS_SHOWN: Final = 30
MARKS_SHOWN: Final = 200
SHARED: Final = frozenset({Reason.HELD_IN_FLIGHT, Reason.QUOTA})
"""What only a cycle over all pools decides."""
RECENT: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A pool at one instant. No decision: no cycle would look at it.

    `usual` is how long a build of its version takes, once that is known.
    """

    as_of: datetime
    preset: Preset
    schedules: tuple[tuple[str, int], ...]
    decision: Decision | None
    paused: bool
    members: tuple[Workspace, ...]
    recent: tuple[ReconcileDecision, ...]
    usual: timedelta | None


LOOKS: Final = Looks[Look]()
"""By the preset's id; who may see it is asked of each tab."""


def read_preset(preset_id: UUID, now: datetime) -> Preset | None:
    """Return a preset with its rows and whether reconciliation is paused, in one statement."""
    values = PresetParameter.objects.filter(preset=OuterRef("pk")).order_by("name")
    label = ParameterDefinition.objects.filter(
        version=OuterRef("preset__version"), name=OuterRef("name")
    ).values("display_name")[:1]
    rows = PresetSchedule.objects.filter(preset=OuterRef("pk")).order_by("position", "id")
    pauses = PrebuildsSettings.objects.filter(
        Q(paused_until__isnull=True) | Q(paused_until__gt=now), reconciliation_paused=True
    )
    return (
        Preset.objects.select_related("version__template__organization")
        .annotate(
            has_pause=Exists(pauses),
            schedule_rows=ArraySubquery(
                rows.values(row=JSONObject(text="cron_expression", wanted="desired_instances"))
            ),
            parameter_rows=ArraySubquery(
                values.values(row=JSONObject(name="name", value="value", label=label))
            ),
        )
        .filter(pk=preset_id)
        .first()
    )


def look_at(preset: Any, now: datetime) -> Look:
    """Return how a pool is now, from a preset of `read_preset`."""
    policy = current_policy()
    found = observation.take_snapshot(
        policy, now=now, using=DEFAULT_DB_ALIAS, only=preset.pk, poolless=True
    )
    recent = tuple(decisions_of(preset)[:DECISIONS_SHOWN])
    decision = decide_preset(found.presets[0], policy, now) if found.presets else None
    return Look(
        as_of=now,
        preset=preset,
        schedules=tuple((row["text"], row["wanted"]) for row in preset.schedule_rows),
        decision=_as_admitted(decision, recent, now) if decision else None,
        paused=preset.has_pause,
        members=tuple(members_of(preset)[:MEMBERS_SHOWN]),
        recent=recent,
        usual=usual_build_time(preset.version_id),
    )


def _as_admitted(
    decision: Decision, recent: tuple[ReconcileDecision, ...], now: datetime
) -> Decision:
    """Hold back what the last cycle, which saw all pools, held back for want of a share."""
    wanted = sum(one.count for one in decision.actions if isinstance(one, CreatePrebuilds))
    if not wanted or not recent or now - recent[0].run.started_at > RECENT:
        return decision
    held = [one for one in recent[0].actions if one.get("reason") in SHARED]
    if not held or held[0]["action"] != "hold":
        return decision
    hold = HoldCreation(count=wanted, reason=Reason(held[0]["reason"]))
    others = [one for one in decision.actions if not isinstance(one, CreatePrebuilds)]
    return replace(decision, actions=(*others, hold))


def decisions_of(preset: Preset) -> QuerySet[ReconcileDecision]:
    """Return what cycles did or held for a preset, newest first."""
    return ReconcileDecision.objects.filter(preset=preset).select_related("run").order_by("-run_id")


def members_of(preset: Preset) -> QuerySet[Workspace]:
    """Return the live prebuilds of a preset, oldest first, with the states of their agents."""
    states = Agent.objects.filter(resource__build=OuterRef("latest_build")).order_by("name")
    return (
        Workspace.objects.filter(
            IS_LIVE, IS_PREBUILD, pool_preset=preset, latest_build__preset=preset
        )
        .select_related("latest_build__job", "latest_build__template_version")
        .annotate(agent_states=ArraySubquery(states.values("lifecycle_state")))
        .order_by("created_at", "pk")
    )


def failed_attempts(preset: Preset, *, since: datetime) -> QuerySet[WorkspaceBuild]:
    """Return the newest attempts that failed since then, with the ends of their logs, backwards."""
    lines = JobLog.objects.filter(job=OuterRef("job")).order_by("-id")
    said = AgentLog.objects.filter(agent__resource__build=OuterRef("pk")).order_by("-id")
    never_ready = WorkspaceBuild.objects.filter(
        workspace=OuterRef("workspace"), action_reason=Reason.NEVER_READY
    )
    return (
        WorkspaceBuild.objects.filter(
            preset=preset,
            build_number=1,
            transition=Transition.START,
            initiator_id=PREBUILDS_USER_ID,
            created_at__gte=since,
        )
        .annotate(
            never_ready=Exists(never_ready),
            job_lines=ArraySubquery(lines.values("output")[:LOG_TAIL]),
            agent_lines=ArraySubquery(said.values("output")[:LOG_TAIL]),
        )
        .filter(Q(job__status=JobStatus.FAILED) | Q(never_ready=True))
        .select_related("job", "workspace", "template_version")
        .order_by("-created_at", "-pk")[:ATTEMPTS_SHOWN]
    )


def notices_of(preset: Preset, *, since: datetime, now: datetime) -> QuerySet[Notice]:
    """Return a preset's notices that are open or opened since then, the open ones first."""
    notices = Notice.objects.filter(Q(closed_at__isnull=True) | Q(opened_at__gte=since))
    return (
        notices.filter(preset=preset)
        .select_related("preset__version__template", "claim")
        .annotate(cost=count_cold_starts(until=now))
        .order_by(F("closed_at").desc(nulls_first=True), "-opened_at")[:MARKS_SHOWN]
    )


def marks_of(preset: Preset, *, since: datetime) -> QuerySet[AuditEntry]:
    """Return what people did since then that a pool's curve shows, newest first."""
    of_preset = Q(object_type="preset", object_id=str(preset.pk))
    template_id = str(preset.version.template_id)
    promotions = Q(object_type="template", object_id=template_id, action="promote")
    pauses = Q(object_type="prebuildssettings", action__in=("pause", "resume"))
    entries = AuditEntry.objects.filter(of_preset | promotions | pauses, at__gte=since)
    return entries.select_related("actor").order_by("-at", "-id")[:MARKS_SHOWN]


def is_unused(preset: Preset) -> bool:
    """Return whether nothing was ever built from a preset or asked for by it; two statements."""
    builds = WorkspaceBuild.objects.filter(preset=preset)
    return not (builds.exists() or Claim.objects.filter(preset=preset).exists())
