"""Read a picture of the database; what its rows mean is said in picture.py."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Max

from prebuilds.models import Claim, Notice
from templates_app.models import Preset, PresetParameter
from tests.machine.picture import (
    BuildRow,
    ClaimRow,
    NoticeRow,
    Picture,
    PresetRow,
    WorkspaceRow,
)
from workspaces.models import Agent, Workspace, WorkspaceBuild


def take_picture():
    """Read all rows that matter; eight statements however many there are."""
    open_notices = Notice.objects.filter(closed_at__isnull=True)
    return Picture(
        presets={row.id: row for row in _presets()},
        workspaces=_workspaces(),
        claims=list(_rows(ClaimRow, Claim.objects.order_by("id"), _CLAIM)),
        notices=list(_rows(NoticeRow, open_notices.order_by("opened_at", "id"), _NOTICE)),
    )


_NOTICE = ("kind", "preset_id", "organization_id", "claim_id")
_CLAIM = ("workspace_id", "user_id", "preset_id", "outcome", "reason")
_PRESET = (
    "id",
    "name",
    "version_id",
    "version__template_id",
    "version__template__organization_id",
    "version__template__active_version_id",
    "version__template__deleted_at",
    "version__template__deprecation_message",
    "desired_instances",
    "ttl_seconds",
    "last_invalidated_at",
    "prebuild_status",
    "in_office",
)
_WORKSPACE = (
    "id",
    "owner_id",
    "name",
    "template_id",
    "created_at",
    "deleted_at",
    "latest_build_id",
    "ttl_seconds",
    "autostart_schedule",
    "next_start_at",
    "last_used_at",
    "dormant_at",
    "deleting_at",
)
_BUILD = (
    "id",
    "workspace_id",
    "build_number",
    "transition",
    "stage",
    "template_version_id",
    "preset_id",
    "initiator_id",
    "job_id",
    "job__status",
    "job__priority",
    "job__created_at",
    "job__started_at",
    "job__heartbeat_at",
    "job__canceled_at",
    "job__completed_at",
    "job__lease",
    "deadline",
)


def _presets() -> Iterable[PresetRow]:
    presets = Preset.objects.annotate(in_office=Max("schedules__desired_instances"))
    found = {
        row.id: row for row in _rows(PresetRow, presets.order_by("created_at", "name"), _PRESET)
    }
    for preset, name, value in PresetParameter.objects.values_list("preset_id", "name", "value"):
        found[preset].parameters[name] = value
    return found.values()


def _workspaces() -> dict[UUID, WorkspaceRow]:
    workspaces = Workspace.objects.order_by("created_at", "id")
    found = {row.id: row for row in _rows(WorkspaceRow, workspaces, _WORKSPACE)}
    agents: dict[UUID, list[tuple[UUID, str]]] = defaultdict(list)
    for build, agent, state in Agent.objects.order_by("created_at", "id").values_list(
        "resource__build_id", "id", "lifecycle_state"
    ):
        agents[build].append((agent, state))
    for build in _rows(BuildRow, WorkspaceBuild.objects.order_by("build_number"), _BUILD):
        build.agents = agents[build.id]
        found[build.workspace].builds.append(build)
    return found


def _rows(kind: Any, queryset: Any, columns: tuple[str, ...]) -> Iterable[Any]:
    names = kind.__dataclass_fields__
    for values in queryset.values_list(*columns):
        yield kind(**dict(zip(names, values, strict=False)))
