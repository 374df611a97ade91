"""Which preset a page is about, and what the person may do with it."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user
from templates_app.models import Preset

MISSING = "no such preset, or not for you"


def find_preset(request: HttpRequest, preset_id: UUID) -> Preset:
    """Return a preset with its parameters and schedules; Http404 unless the person may read it."""
    presets = Preset.objects.select_related(
        "version__template__organization", "version__template__active_version"
    ).prefetch_related("parameters", "schedules")
    return require_readable(request, presets.filter(pk=preset_id).first())


def require_readable(request: HttpRequest, preset: Preset | None) -> Preset:
    """Return the preset; Http404 when there is none or the person may not know of it."""
    if preset is None or not may(request, preset, Action.READ, Resource.TEMPLATE):
        raise Http404(MISSING)
    return preset


def find_changeable(request: HttpRequest, preset_id: UUID) -> Preset:
    """Return a preset the person may change; PermissionDenied when they may only read it."""
    preset = find_preset(request, preset_id)
    if not may(request, preset, Action.UPDATE, Resource.TEMPLATE):
        raise PermissionDenied
    return preset


def may(request: HttpRequest, preset: Preset, action: Action, resource: Resource) -> bool:
    """Return whether the person may do it in the preset's organization."""
    organization_id = preset.version.template.organization_id
    return subject_of(current_user(request)).can(action, resource, organization_id=organization_id)
