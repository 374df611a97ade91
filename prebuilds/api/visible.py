"""What a caller may know of: each list and each look-up by id starts here, so neither leaks."""

from typing import Final, TypeVar
from uuid import UUID

from django.db.models import Model, Prefetch, Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from accounts import policy
from accounts.models import Group, Membership, Organization, User
from accounts.policy import Action, Resource
from templates_app.models import Preset, Template, TemplateVersion
from workspaces import queue, search
from workspaces.models import Agent, ProvisionerJob, Workspace, WorkspaceBuild, WorkspaceResource

Row = TypeVar("Row", bound=Model)


def visible_workspaces(actor: User, *, deleted: bool = False) -> QuerySet[Workspace]:
    """Return the live workspaces a person may see (or the deleted ones too), with relations."""
    return with_relations(search.visible_workspaces(actor, deleted=deleted))


def let_go(workspace: Workspace) -> None:
    """Cut the ties among the rows that were read with a workspace, once it has been shown.

    Rows that know each other are freed by the garbage collector alone: a dozen pages of them held
    one request up for as long as it takes to make a page.
    """
    build = workspace.latest_build
    resources = resources_of(build) if build else []
    agents = [agent for resource in resources for agent in agents_of(resource)]
    for row in (*agents, *resources, build, workspace):
        if row is not None:
            row._state.fields_cache.clear()  # noqa: SLF001  nothing public does it


def find_workspace(actor: User, workspace: UUID) -> Workspace:
    """Return a live workspace a person may see, without what its JSON needs; 404 for any other."""
    return get_object_or_404(search.visible_workspaces(actor), pk=workspace)


def workspaces_with_relations() -> QuerySet[Workspace]:
    """Return workspaces with what their JSON needs, and of their relations nothing else."""
    return with_relations(Workspace.objects.all()).only(*_SHOWN)


def with_relations(rows: QuerySet[Workspace]) -> QuerySet[Workspace]:
    """Add everything a workspace's JSON needs: three statements, whatever their number."""
    return rows.select_related(
        "owner",
        "organization",
        "template",
        "claim",
        "latest_build__job__daemon",
        "latest_build__template_version",
        "latest_build__initiator",
    ).prefetch_related(_resources("latest_build__resources"))


def visible_builds(actor: User) -> QuerySet[WorkspaceBuild]:
    """Return the builds of workspaces a person may see, with everything their JSON needs."""
    shown = search.visible_workspaces(actor, deleted=True)
    return builds_with_relations().filter(workspace__in=shown)


def builds_with_relations() -> QuerySet[WorkspaceBuild]:
    """Return builds with everything their JSON needs: three statements, whatever their number."""
    return WorkspaceBuild.objects.select_related(
        "workspace__owner", "job__daemon", "template_version", "initiator"
    ).prefetch_related(_resources("resources"))


def resources_of(build: WorkspaceBuild) -> list[WorkspaceResource]:
    """Return the resources that were read with a build."""
    shown: list[WorkspaceResource] = build.shown_resources  # type: ignore[attr-defined]  # read
    return shown


def agents_of(resource: WorkspaceResource) -> list[Agent]:
    """Return the agents that were read with a resource."""
    shown: list[Agent] = resource.shown_agents  # type: ignore[attr-defined]  # read
    return shown


def visible_agents(actor: User) -> QuerySet[Agent]:
    """Return the agents in workspaces a person may see."""
    shown = search.visible_workspaces(actor)
    return Agent.objects.select_related("resource").filter(resource__build__workspace__in=shown)


def visible_jobs(actor: User) -> QuerySet[ProvisionerJob]:
    """Return the jobs a person may see: their own workspaces', and where a role says so."""
    return queue.visible_jobs(actor)


def visible_templates(actor: User) -> QuerySet[Template]:
    """Return the templates a person may read, by name; deleted ones are gone."""
    rows = Template.objects.select_related("organization", "active_version")
    found = rows.filter(_in_readable(actor, ""), deleted_at__isnull=True)
    return found.order_by("name", "id")


def visible_versions(actor: User) -> QuerySet[TemplateVersion]:
    """Return the versions of templates a person may read, with what their JSON needs."""
    rows = TemplateVersion.objects.select_related("template__organization", "created_by")
    live = _in_readable(actor, "template__")
    return rows.filter(live, template__deleted_at__isnull=True).order_by("-created_at", "-id")


def visible_presets(actor: User) -> QuerySet[Preset]:
    """Return the presets of templates a person may read, with what their JSON needs."""
    rows = Preset.objects.select_related("version__template__organization")
    live = _in_readable(actor, "version__template__")
    found = rows.filter(live, version__template__deleted_at__isnull=True)
    return found.prefetch_related("parameters", "schedules").order_by("name", "id")


def _in_readable(actor: User, path: str) -> Q:
    """Return the condition that the template at `path` is one a person may read."""
    readable = policy.subject_of(actor).readable_organizations(Resource.TEMPLATE)
    return Q() if readable is None else Q(**{f"{path}organization__in": readable})


def visible_organizations(actor: User) -> QuerySet[Organization]:
    """Return the organizations a person may read."""
    readable = policy.subject_of(actor).readable_organizations(Resource.ORGANIZATION)
    found = Organization.objects.order_by("name")
    return found if readable is None else found.filter(pk__in=readable)


def visible_organization(actor: User, organization: UUID | str) -> Organization:
    """Return an organization a person may read, by id or name; 404 for any other."""
    return find_row(visible_organizations(actor), "name", organization)


def visible_users(actor: User) -> QuerySet[User]:
    """Return the people a person may know: themselves, and where a role says so."""
    readable = policy.subject_of(actor).readable_organizations(Resource.USER)
    found = User.objects.order_by("username")
    if readable is None:
        return found
    members = Membership.objects.filter(organization__in=readable)
    return found.filter(Q(pk=actor.pk) | Q(pk__in=members.values("user")))


def visible_user(actor: User, user: str) -> User:
    """Return a person by id or name, or the caller for `me`; 404 when they may not know them."""
    return actor if user == "me" else find_row(visible_users(actor), "username", user)


def visible_groups(actor: User) -> QuerySet[Group]:
    """Return the groups a person may read, with organization and people: two statements."""
    readable = policy.subject_of(actor).readable_organizations(Resource.GROUP)
    people = Prefetch("members", User.objects.order_by("username"))
    found = Group.objects.select_related("organization").prefetch_related(people).order_by("name")
    return found if readable is None else found.filter(organization__in=readable)


def path_text(text: str) -> str:
    """Return a name out of an address; 404 for what no name in a database can hold."""
    if "\0" in text:
        raise Http404
    return text


def visible_members(actor: User, organization: Organization) -> QuerySet[Membership]:
    """Return the members of an organization a person may see: at least themselves."""
    found = Membership.objects.filter(organization=organization, user__is_system=False)
    where = {"organization_id": organization.pk}
    if not policy.can(actor, Action.READ, Resource.ORGANIZATION_MEMBER, **where):
        found = found.filter(user=actor)
    return found.select_related("user").order_by("user__username")


def find_row(rows: QuerySet[Row], name: str, wanted: UUID | str, *, key: str = "pk") -> Row:
    """Return the row of that id, else of that name; 404 when there is none.

    Ids come first, so that nobody hides a row behind a name that looks like its id.
    """
    found = rows.filter(**{key: str(wanted)}).first() if _is_id(wanted) else None
    if found is None and "\0" not in str(wanted):
        found = rows.filter(**{f"{name}__iexact": str(wanted)}).first()
    if found is None:
        raise Http404
    return found


def _is_id(text: UUID | str) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


_BUILD: Final = (
    "workspace",
    "build_number",
    "transition",
    "template_version__name",
    "preset",
    "initiator__username",
    "reason",
    "stage",
    "created_at",
    "deadline",
    "max_deadline",
    "daily_cost",
    "job__organization",
    "job__initiator",
    "job__type",
    "job__tags",
    "job__status",
    "job__daemon__name",
    "job__created_at",
    "job__started_at",
    "job__completed_at",
    "job__canceled_at",
    "job__error",
    "job__error_code",
)
_SHOWN: Final = (
    "name",
    "owner__username",
    "organization__name",
    "template__name",
    "template__display_name",
    "template__icon",
    "template__active_version",
    "created_at",
    "updated_at",
    "last_used_at",
    "automatic_updates",
    "autostart_schedule",
    "ttl_seconds",
    "next_start_at",
    "dormant_at",
    "deleting_at",
    "claim__outcome",
    "claim__reason",
    *(f"latest_build__{field}" for field in _BUILD),
)
"""What the JSON of a workspace says. Of a version the list would else read all files, row by row;
a field that is missing here costs a statement per row, which the tests of the API count."""


def _resources(path: str) -> "Prefetch[str]":
    """Read resources and agents into plain lists: a manager would make a query of each row."""
    agents = Prefetch("agents", Agent.objects.order_by("name", "pk"), to_attr="shown_agents")
    resources = WorkspaceResource.objects.order_by("type", "name", "pk").prefetch_related(agents)
    return Prefetch(path, resources, to_attr="shown_resources")
