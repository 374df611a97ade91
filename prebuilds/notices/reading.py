"""What people were told already, what happened to claims, what errors said, and the cost.

No writes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    UUIDField,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from accounts.system import PREBUILDS_USER_ID
from prebuilds.masking import mask_secrets
from prebuilds.models import Claim, ClaimOutcome, Notice, NoticeKind
from workspaces.enums import JobStatus, Stage, Transition
from workspaces.models import Workspace, WorkspaceBuild

EVENT_SHOWN_FOR: Final = timedelta(days=7)
"""What happened to one claim is over at once; it is shown this long, or until a new version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An open notice; without an id, a claim that had to replace resources and has none yet."""

    id: UUID | None
    kind: str
    organization_id: UUID
    preset_id: UUID | None
    claim_id: UUID | None
    detail: str
    details: Any
    is_over: bool


def read_rows(now: datetime) -> list[Row]:
    """Read the open notices, and the claims that need one, in one statement."""
    return [
        Row(
            id=row[0],
            kind=row[1],
            organization_id=row[2],
            preset_id=row[3],
            claim_id=row[4],
            detail=row[5],
            details=row[6],
            is_over=row[7],
        )
        for row in _open_notices(now).union(unnoticed_replacements(now), all=True)
    ]


def _open_notices(now: datetime) -> QuerySet[Any, Any]:
    """Return the open notices in the columns of a Row; `is_over` is for events."""
    is_over = Case(
        When(opened_at__lte=now - EVENT_SHOWN_FOR, then=Value(True)),
        When(preset__version__template__active_version=F("preset__version"), then=Value(False)),
        default=Value(True),
        output_field=BooleanField(),
    )
    notices = Notice.objects.filter(closed_at__isnull=True).order_by()
    return notices.values_list(
        "id", "kind", "organization_id", "preset_id", "claim_id", "detail", "details", is_over
    )


def unnoticed_replacements(now: datetime) -> QuerySet[Any, Any]:
    """Return recent claim builds that replaced resources and have no notice, as a Row's columns."""
    builds = WorkspaceBuild.objects.filter(
        ~Exists(Notice.objects.filter(claim=OuterRef("workspace__claim"))),
        stage=Stage.PREBUILD_CLAIM,
        created_at__gt=now - EVENT_SHOWN_FOR,
        template_version=F("workspace__template__active_version"),
        workspace__claim__preset__isnull=False,
    )
    return (
        builds.exclude(replacements=[])
        .order_by()
        .values_list(
            Value(None, output_field=UUIDField()),
            Value(NoticeKind.RESOURCE_REPLACED.value),
            "workspace__organization_id",
            "workspace__claim__preset_id",
            "workspace__claim__id",
            Value(""),
            "replacements",
            Value(False),
        )
    )


def last_failures(preset_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return what the newest finished attempt of each preset said; one never ready said nothing."""
    attempts = WorkspaceBuild.objects.filter(
        preset_id__in=preset_ids,
        build_number=1,
        transition=Transition.START,
        initiator_id=PREBUILDS_USER_ID,
        job__status__in=(JobStatus.SUCCEEDED, JobStatus.FAILED),
    )
    newest = attempts.order_by("preset_id", "-created_at", "-job__completed_at")
    errors = newest.distinct("preset_id").values_list("preset_id", "job__error")
    return {preset_id: mask_secrets(error) for preset_id, error in errors}


def last_errors(workspace_ids: Collection[UUID]) -> Mapping[str, str]:
    """Return what the latest build of each workspace said when it failed."""
    rows = Workspace.objects.filter(pk__in=workspace_ids).exclude(latest_build__job__error="")
    errors = rows.values_list("pk", "latest_build__job__error")
    return {str(workspace_id): mask_secrets(error) for workspace_id, error in errors}


def count_cold_starts(*, until: datetime, since: datetime | None = None) -> Coalesce:
    """Count what a notice costs: workspaces of its preset that had to be built while it was open.

    An expression on notices; with `since`, only from then on. An event, or what concerns a whole
    organization, counts none: no miss can be laid at its door.
    """
    misses = Claim.objects.filter(
        preset=OuterRef("preset"),
        outcome=ClaimOutcome.COLD,
        workspace__isnull=False,
        created_at__gte=OuterRef("opened_at"),
        created_at__lt=until,
    )
    if since is not None:
        misses = misses.filter(created_at__gte=since)
    counted = misses.order_by().values("preset").annotate(number=Count("pk")).values("number")
    of_its_preset = Case(
        When(claim__isnull=True, then=Subquery(counted)), output_field=IntegerField()
    )
    return Coalesce(of_its_preset, 0)
