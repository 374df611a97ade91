"""What the create page reads: templates a person may use, their presets, names in use."""

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from templates_app.models import Preset, Template
from workspaces.models import Workspace


def usable_templates(user: User) -> list[Template]:
    """Return the templates the person may create a workspace from, by organization and name."""
    templates = Template.objects.filter(
        deleted_at__isnull=True, deprecation_message="", active_version__isnull=False
    ).select_related("organization", "active_version")
    subject = subject_of(user)
    return [
        template
        for template in templates.order_by("organization__name", "name")
        if subject.can(
            Action.CREATE,
            Resource.WORKSPACE,
            organization_id=template.organization_id,
            owner_id=user.pk,
        )
    ]


def presets_of(template: Template) -> list[Preset]:
    """Return the active version's presets with their parameters, the default one first."""
    presets = Preset.objects.filter(version_id=template.active_version_id)
    return list(presets.prefetch_related("parameters").order_by("-is_default", "name"))


def names_in_use(user: User) -> set[str]:
    """Return the lower-case names of the person's live workspaces."""
    names = Workspace.objects.filter(owner=user, deleted_at__isnull=True)
    return {name.lower() for name in names.values_list("name", flat=True)}
