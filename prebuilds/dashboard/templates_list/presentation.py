"""A template's row as the list shows it. Pure."""

from dataclasses import dataclass

from accounts.policy import Action, Resource, Subject
from prebuilds.dashboard.base.icons import icon_name
from prebuilds.dashboard.template.search import workspaces_query
from prebuilds.dashboard.templates_list.queries import TemplateRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """One row. `workspaces_query` is empty for those who may not read workspaces."""

    row: TemplateRow
    icon: str
    workspaces_query: str


def present(row: TemplateRow, subject: Subject) -> TemplateView:
    """Return the row with its icon and the search behind its numbers."""
    template = row.template
    readable = subject.can(
        Action.READ, Resource.WORKSPACE, organization_id=template.organization_id
    )
    return TemplateView(
        row=row,
        icon=icon_name(template.icon),
        workspaces_query=workspaces_query(template) if readable else "",
    )
