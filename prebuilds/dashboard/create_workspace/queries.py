"""What the create page reads: templates a person may use, and how long a build usually takes."""

from datetime import timedelta
from statistics import median
from typing import Final
from uuid import UUID

from django.db.models import F

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from templates_app.models import Preset, Template
from workspaces.enums import Transition
from workspaces.models import Agent, Workspace

SAMPLE_SIZE: Final = 20


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


def usual_build_time(version_id: UUID | None) -> timedelta | None:
    """Return the median time from asking to ready over recent builds; None when never built."""
    spans = (
        Agent.objects.filter(
            resource__build__template_version_id=version_id,
            resource__build__build_number=1,
            resource__build__transition=Transition.START,
            ready_at__isnull=False,
        )
        .annotate(span=F("ready_at") - F("resource__build__created_at"))
        .order_by("-created_at")
        .values_list("span", flat=True)[:SAMPLE_SIZE]
    )
    seconds = [span.total_seconds() for span in spans]
    return timedelta(seconds=median(seconds)) if seconds else None


def names_in_use(user: User) -> set[str]:
    """Return the lower-case names of the person's live workspaces."""
    names = Workspace.objects.filter(owner=user, deleted_at__isnull=True)
    return {name.lower() for name in names.values_list("name", flat=True)}
