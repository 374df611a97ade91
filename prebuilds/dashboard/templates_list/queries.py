"""What the list of templates reads: three statements, whatever the number of templates."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from prebuilds.dashboard.template.counts import (
    CountRow,
    Counts,
    Pool,
    active_pools,
    count_workspaces,
    total,
)
from prebuilds.dashboard.template.reach import readable_templates
from prebuilds.dashboard.template.status import Status, status_of
from templates_app.models import Template
from workspaces.models import Workspace
from workspaces.models.workspace import IS_LIVE, IS_PREBUILD


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """One template of the list. `pools` are the presets that keep one."""

    template: Template
    status: Status
    pools: int
    desired: int
    counts: Counts

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.template)

    @property
    def version(self) -> str:
        """The name of its active version; empty for none."""
        return self.template.active_version.name if self.template.active_version else ""

    @property
    def organization(self) -> str:
        """What people call its organization."""
        return str(self.template.organization)


def list_templates(user: User, *, words: str, status: str, now: datetime) -> list[TemplateRow]:
    """Return the templates a person may read, by name, that match the words and the status.

    Deleted ones are shown while prebuilds of them are left, and to those who ask for them.
    """
    templates = _search(readable_templates(user), words)
    if status != "deleted":
        templates = templates.filter(Q(deleted_at__isnull=True) | _has_prebuilds())
    counts: dict[UUID, list[CountRow]] = defaultdict(list)
    for row in count_workspaces(templates, now=now):
        counts[row.template_id].append(row)
    pools: dict[UUID, list[Pool]] = defaultdict(list)
    for pool in active_pools(templates, now=now):
        pools[pool.preset.version.template_id].append(pool)
    rows = (_row(one, counts[one.pk], pools[one.pk]) for one in templates.order_by("name", "pk"))
    return [row for row in rows if status in {"", row.status.key}]


def _search(templates: QuerySet[Template], words: str) -> QuerySet[Template]:
    for word in words.replace("\0", "").split():
        templates = templates.filter(
            Q(name__icontains=word)
            | Q(display_name__icontains=word)
            | Q(description__icontains=word)
            | Q(organization__name__icontains=word)
            | Q(organization__display_name__icontains=word)
        )
    return templates


def _has_prebuilds() -> Exists:
    return Exists(Workspace.objects.filter(IS_LIVE, IS_PREBUILD, template=OuterRef("pk")))


def _row(template: Template, counts: list[CountRow], pools: list[Pool]) -> TemplateRow:
    kept = {pool.preset.pk: pool.desired for pool in pools if pool.desired is not None}
    there = total(counts)
    ready = total(row for row in counts if row.preset_id in kept) if template.is_usable else None
    return TemplateRow(
        template=template,
        status=status_of(template, prebuilds=there.prebuilds),
        pools=len(kept),
        desired=sum(kept.values()),
        counts=Counts(
            prebuilds=there.prebuilds,
            ready=ready.ready if ready else 0,
            starting=there.starting,
            deleting=there.deleting,
            people=there.people,
        ),
    )
