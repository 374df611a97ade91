"""The rows of the list, on the page and in its exports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from prebuilds.dashboard.base.export import Field
from prebuilds.dashboard.base.listing import Column
from prebuilds.dashboard.workspaces import queries
from prebuilds.dashboard.workspaces.status import Status, status_of
from workspaces.models import Workspace, WorkspaceBuild

COLUMNS: Final = (
    Column(key="name", label="Name", order=("name", "pk")),
    Column(
        key="status",
        label="Status",
        order=("latest_build__job__status", "latest_build__transition", "-created_at"),
    ),
    Column(key="owner", label="Owner", order=("owner__username", "-created_at")),
    Column(key="template", label="Template", order=("template__name", "-created_at")),
    Column(
        key="version",
        label="Version",
        order=("template__name", "latest_build__template_version__created_at", "-created_at"),
    ),
    Column(key="preset", label="Preset", order=("latest_build__preset__name", "-created_at")),
    Column(key="created", label="Created", order=("created_at", "-pk")),
)
EXPORT: Final = tuple(
    Field(name=name, path=path)
    for name, path in (
        ("id", "workspace.id"),
        ("name", "workspace.name"),
        ("status", "status.word"),
        ("owner", "workspace.owner.username"),
        ("organization", "workspace.organization.name"),
        ("template", "workspace.template.name"),
        ("version", "build.template_version.name"),
        ("outdated", "is_outdated"),
        ("preset", "build.preset.name"),
        ("created_at", "workspace.created_at"),
        ("last_used_at", "workspace.last_used_at"),
        ("dormant_at", "workspace.dormant_at"),
    )
)
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One workspace of the list."""

    workspace: Workspace
    build: WorkspaceBuild
    status: Status

    @property
    def is_outdated(self) -> bool:
        """Whether its template has another active version."""
        return self.workspace.template.active_version_id != self.build.template_version_id


def rows_of(workspaces: Sequence[Workspace]) -> list[Row]:
    """Return the rows; one statement, for the agents of all."""
    states = queries.agent_states(workspaces)
    return [_row(workspace, states) for workspace in workspaces]


def stream_rows(workspaces: Iterable[Workspace]) -> Iterator[Row]:
    """Yield the rows of an export; one statement per AT_ONCE of them."""
    left = iter(workspaces)
    while some := list(islice(left, AT_ONCE)):
        yield from rows_of(some)


def _row(workspace: Workspace, states: Mapping[UUID, Sequence[str]]) -> Row:
    build = workspace.latest_build
    if build is None:
        raise ValueError(f"workspace {workspace.pk} has no build")
    status = status_of(build.transition, build.job.status, states.get(build.pk, []))
    return Row(workspace=workspace, build=build, status=status)
