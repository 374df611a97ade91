"""Every statement of this package that takes a row lock. Order: template, then preset by id.

Callers hold a transaction; without one Django raises. `no_key` lets workspaces and builds that
refer to the row be made meanwhile.
"""

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from templates_app.models import Preset, Template


def lock_template(template_id: UUID) -> Template:
    """Lock one template; Template.DoesNotExist when missing."""
    return Template.objects.select_for_update(no_key=True).get(pk=template_id)


def lock_preset(preset_id: UUID) -> Preset:
    """Lock one preset, with its version and template; Preset.DoesNotExist when missing."""
    Preset.objects.select_for_update(no_key=True).get(pk=preset_id)
    return _with_template().get(pk=preset_id)


def lock_preset_for_deletion(preset_id: UUID) -> Preset:
    """Lock one preset against everything that would refer to it, too."""
    Preset.objects.select_for_update().get(pk=preset_id)
    return _with_template().get(pk=preset_id)


def lock_presets(preset_ids: Collection[UUID]) -> list[Preset]:
    """Lock the presets there are of these, in the order of their ids."""
    locked = Preset.objects.select_for_update(no_key=True).filter(pk__in=preset_ids).order_by("pk")
    return list(_with_template().filter(pk__in=[row.pk for row in locked]).order_by("pk"))


def _with_template() -> QuerySet[Preset]:
    """Read anew after waiting: joined to the lock's own statement, the rest would be as before."""
    return Preset.objects.select_related("version__template")
