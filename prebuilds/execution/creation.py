"""Create what is missing, under the preset's row lock (semantics.md 12)."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import Q

from accounts.system import PREBUILDS_USER_ID
from prebuilds.core.actions import Reason
from prebuilds.core.snapshot import PresetSnapshot, Status
from prebuilds.core.state import find_desired
from templates_app import locks, selectors
from templates_app.models import Preset
from templates_app.parameters import resolve_values
from templates_app.schedules import Schedule
from workspaces import tracing
from workspaces.enums import BuildReason, JobStatus, Stage, Transition
from workspaces.models import Workspace
from workspaces.services import builds


def create_prebuilds(preset: PresetSnapshot, *, count: int, now: datetime) -> int:
    """Create up to `count` prebuilds, but no more than are missing now; return how many.

    One transaction: the preset's row lock, a recount, bulk inserts. Raises InvalidParameters.
    """
    with (
        tracing.span("prebuild.create", preset_id=preset.id, wanted=count),
        transaction.atomic(),
    ):
        row = locks.lock_preset(preset.id)
        count = min(count, _missing_now(_refreshed(preset, row), now))
        if count <= 0:
            return 0
        version = row.version
        definitions = selectors.definitions_of([version.pk])[version.pk]
        values = resolve_values(definitions, selectors.values_of([row.pk])[row.pk])
        workspaces = [_new_prebuild(row, now) for _ in range(count)]
        Workspace.objects.bulk_create(workspaces, batch_size=builds.BATCH_SIZE)
        builds.insert_builds(
            [_first_start(workspace, row, values) for workspace in workspaces], now=now
        )
        tracing.add(created=count, workspace_ids=[one.pk for one in workspaces])
    return count


def _refreshed(preset: PresetSnapshot, row: Preset) -> PresetSnapshot:
    """Return the preset as it is now, under its lock: an edit or promotion in between counts."""
    template = row.version.template
    return replace(
        preset,
        using_active_version=template.active_version_id == row.version_id,
        deleted=template.deleted_at is not None,
        deprecated=bool(template.deprecation_message),
        desired_instances=row.desired_instances or 0,
        ttl=timedelta(seconds=row.ttl_seconds) if row.ttl_seconds else None,
        scheduling_timezone=row.scheduling_timezone,
        schedules=tuple(
            Schedule(expression=expression, desired_instances=number)
            for expression, number in row.schedules.values_list(
                "cron_expression", "desired_instances"
            )
        ),
        last_invalidated_at=row.last_invalidated_at,
        status=Status(row.prebuild_status),
    )


def _missing_now(preset: PresetSnapshot, now: datetime) -> int:
    if not preset.is_active or preset.status == Status.VALIDATION_FAILED:
        return 0
    return find_desired(preset, now).instances - _count_present(preset, now)


def _count_present(preset: PresetSnapshot, now: datetime) -> int:
    """Count the preset's running, unexpired prebuilds and those that are starting."""
    usable = Q(latest_build__job__status=JobStatus.SUCCEEDED)
    if preset.last_invalidated_at is not None:
        usable &= Q(created_at__gte=preset.last_invalidated_at)
    if preset.ttl:
        usable &= Q(created_at__gte=now - preset.ttl)
    starting = Q(latest_build__job__status__in=(JobStatus.PENDING, JobStatus.RUNNING))
    return (
        Workspace.objects.filter(
            owner_id=PREBUILDS_USER_ID,
            deleted_at__isnull=True,
            pool_preset_id=preset.id,
            latest_build__preset_id=preset.id,
            latest_build__transition=Transition.START,
        )
        .filter(usable | starting)
        .count()
    )


def _new_prebuild(preset: Preset, now: datetime) -> Workspace:
    template = preset.version.template
    return Workspace(
        organization_id=template.organization_id,
        owner_id=PREBUILDS_USER_ID,
        template=template,
        name=new_prebuild_name(),
        created_at=now,
        updated_at=now,
        latest_build_id=uuid4(),
        pool_preset=preset,
    )


def _first_start(
    workspace: Workspace, preset: Preset, values: Mapping[str, str]
) -> builds.BuildRequest:
    return builds.BuildRequest(
        workspace=workspace,
        build_id=workspace.latest_build_id,
        build_number=1,
        transition=Transition.START,
        template_version=preset.version,
        initiator_id=PREBUILDS_USER_ID,
        parameters=values,
        preset_id=preset.pk,
        reason=BuildReason.RECONCILE,
        stage=Stage.PREBUILD_CREATE,
        action_reason=Reason.MISSING,
    )


def new_prebuild_name() -> str:
    """Return `prebuild-` and 15 lower-case base32 characters of 9 random bytes."""
    return "prebuild-" + base64.b32encode(secrets.token_bytes(9)).decode().rstrip("=").lower()
