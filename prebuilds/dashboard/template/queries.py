"""What the pages of one template read."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from prebuilds.dashboard.template.counts import (
    CountRow,
    Counts,
    Pool,
    active_pools,
    count_workspaces,
    total,
    wanted_by,
)
from prebuilds.dashboard.template.search import workspaces_query
from prebuilds.dashboard.template.status import Status, status_of
from templates_app.models import Template, TemplateVersion
from workspaces.models import Workspace
from workspaces.models.workspace import IS_AWAKE, IS_LIVE, IS_PREBUILD

VERSIONS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version, what it has, and what is made from it."""

    version: TemplateVersion
    is_active: bool
    presets: int
    counts: Counts

    @property
    def prebuilds_query(self) -> str:
        """The query of the workspaces page that finds its prebuilds."""
        return workspaces_query(
            self.version.template, "owner:prebuilds", f'version:"{self.version.name}"'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """One preset of the active version; `desired` is None without a pool."""

    pool: Pool
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """How far a deleted template's pools are emptied."""

    gone: int
    left: int

    @property
    def total(self) -> int:
        """How many prebuilds there were when it was deleted."""
        return self.gone + self.left


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One template with all that changes by itself. `more` when there are older versions."""

    template: Template
    status: Status
    versions: tuple[VersionRow, ...]
    more: bool
    pools: tuple[PoolRow, ...]
    counts: Counts
    draining: Draining | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DormancyPlan:
    """What a policy of dormancy does to the workspaces there are, within a minute."""

    fall_asleep: int
    get_a_date: int


def load_overview(template: Template, *, every_version: bool, now: datetime) -> Overview:
    """Return what the template's page shows; three statements, four once it is deleted."""
    itself = Template.objects.filter(pk=template.pk)
    counted = count_workspaces(itself, now=now)
    there = total(counted)
    versions = _versions(template, counted, every_version=every_version)
    return Overview(
        template=template,
        status=status_of(template, prebuilds=there.prebuilds),
        versions=tuple(versions if every_version else versions[:VERSIONS_SHOWN]),
        more=not every_version and len(versions) > VERSIONS_SHOWN,
        pools=tuple(_pools(active_pools(itself, now=now), counted, template)),
        counts=there,
        draining=_draining(template, there.prebuilds),
    )


def _versions(
    template: Template, counted: list[CountRow], *, every_version: bool
) -> list[VersionRow]:
    counts: dict[UUID | None, list[CountRow]] = defaultdict(list)
    for row in counted:
        counts[row.version_id].append(row)
    found = (
        TemplateVersion.objects.filter(template=template)
        .select_related("created_by")
        .defer("source_files", "startup_script")
        .annotate(presets_there=Count("presets"))
        .order_by("-created_at", "-pk")
    )
    return [
        VersionRow(
            version=_placed(version, template),
            is_active=version.pk == template.active_version_id,
            presets=version.presets_there,
            counts=total(counts[version.pk]),
        )
        for version in (found if every_version else found[: VERSIONS_SHOWN + 1])
    ]


def _placed(version: TemplateVersion, template: Template) -> TemplateVersion:
    version.template = template
    return version


def _pools(pools: list[Pool], counted: list[CountRow], template: Template) -> list[PoolRow]:
    counts: dict[UUID | None, list[CountRow]] = defaultdict(list)
    for row in counted:
        counts[row.preset_id].append(row)
    return [PoolRow(pool=pool, counts=total(counts[pool.preset.pk])) for pool in pools]


def _draining(template: Template, left: int) -> Draining | None:
    if template.deleted_at is None:
        return None
    gone = Workspace.objects.filter(
        IS_PREBUILD, template=template, deleted_at__gte=template.deleted_at
    )
    return Draining(gone=gone.count(), left=left)


def foresee_dormancy(
    template: Template, *, dormant_seconds: int, autodelete_seconds: int, now: datetime
) -> DormancyPlan:
    """Return what these spans do to the workspaces there are; one statement."""
    before = now - timedelta(seconds=dormant_seconds)
    unused = IS_AWAKE & Q(last_used_at__lt=before) if dormant_seconds else Q(pk__in=())
    undated = Q(dormant_at__isnull=False, deleting_at__isnull=True)
    found = Workspace.objects.filter(IS_LIVE, ~IS_PREBUILD, template=template).aggregate(
        fall_asleep=Count("pk", filter=unused),
        get_a_date=Count("pk", filter=undated if autodelete_seconds else Q(pk__in=())),
    )
    return DormancyPlan(**found)


def wanted_when_revived(template: Template, *, now: datetime) -> dict[UUID, int]:
    """Return what each pool of the active version wants once the template is in use."""
    pools = active_pools(Template.objects.filter(pk=template.pk), now=now)
    wanted = {pool.preset.pk: wanted_by(pool.preset, now) for pool in pools}
    return {key: number for key, number in wanted.items() if number is not None}


def people_have(template: Template) -> int:
    """Return how many workspaces of people are made from the template."""
    return Workspace.objects.filter(IS_LIVE, ~IS_PREBUILD, template=template).count()


def whole_version(version_id: UUID) -> TemplateVersion:
    """Return a version with its parameters and presets, to be shown or compared."""
    return (
        TemplateVersion.objects.select_related("created_by")
        .prefetch_related("parameter_definitions", "presets__parameters", "presets__schedules")
        .get(pk=version_id)
    )


def version_names(template: Template) -> list[str]:
    """Return the names that are taken."""
    return list(TemplateVersion.objects.filter(template=template).values_list("name", flat=True))
