"""Which template a page is about, and what the person may do with it."""

from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user
from templates_app.models import Template, TemplateVersion

MISSING = "no such template, or not for you"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the person may do with one template; deleted ones stay as they are."""

    update: bool
    delete: bool
    read_workspaces: bool


def readable_templates(user: User) -> QuerySet[Template]:
    """Return the templates a person may read, deleted ones too, with what rows show."""
    templates = Template.objects.select_related("organization", "active_version")
    organizations = subject_of(user).readable_organizations(Resource.TEMPLATE)
    if organizations is None:
        return templates
    return templates.filter(organization_id__in=organizations)


def find_template(request: HttpRequest, template_id: UUID) -> Template:
    """Return a template, a deleted one too; Http404 unless the person may read it."""
    found = Template.objects.select_related("organization", "active_version")
    template = found.filter(pk=template_id).first()
    if template is None or not may(request, template, Action.READ):
        raise Http404(MISSING)
    return template


def find_changeable(
    request: HttpRequest, template_id: UUID, action: Action = Action.UPDATE
) -> Template:
    """Return a template the person may do this to; PermissionDenied when they may only read it."""
    template = find_template(request, template_id)
    if not may(request, template, action):
        raise PermissionDenied
    return template


def find_version(template: Template, version_id: UUID) -> TemplateVersion:
    """Return one of the template's versions, with its author; Http404 for any other."""
    versions = TemplateVersion.objects.select_related("created_by").filter(template=template)
    version = versions.filter(pk=version_id).first()
    if version is None:
        raise Http404("no such version of this template")
    version.template = template
    return version


def rights_in(request: HttpRequest, template: Template) -> Rights:
    """Return what the person may do with the template."""
    is_live = template.deleted_at is None
    return Rights(
        update=is_live and may(request, template, Action.UPDATE),
        delete=is_live and may(request, template, Action.DELETE),
        read_workspaces=may(request, template, Action.READ, Resource.WORKSPACE),
    )


def may(
    request: HttpRequest,
    template: Template,
    action: Action,
    resource: Resource = Resource.TEMPLATE,
) -> bool:
    """Return whether the person may do it in the template's organization."""
    subject = subject_of(current_user(request))
    return subject.can(action, resource, organization_id=template.organization_id)
