"""Promote a version, and say beforehand which of its presets would fail (semantics.md 10)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import audit
from accounts.audit import THE_SYSTEM, Actor
from templates_app import selectors
from templates_app.errors import VersionNotOfTemplate
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.services.preset_edits import spec_of
from templates_app.services.templates import lock_live_template
from templates_app.services.versions import preset_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetProblems:
    """A preset nothing can be built from, and why: (field, detail) pairs."""

    preset_id: UUID
    preset_name: str
    problems: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        details = "; ".join(f"{field}: {detail}" for field, detail in self.problems)
        return f"{self.preset_name}: {details}"


def promotion_problems(version_id: UUID) -> tuple[PresetProblems, ...]:
    """Return the presets of a version that would fail if it were promoted, by name.

    The check is the one that is made when a preset is saved. Four statements.
    """
    presets = Preset.objects.filter(version_id=version_id).order_by("name")
    definitions = selectors.definitions_of([version_id])[version_id]
    checked = [
        PresetProblems(
            preset_id=preset.pk,
            preset_name=preset.name,
            problems=tuple(preset_problems(spec_of(preset), definitions)),
        )
        for preset in presets.prefetch_related("parameters", "schedules")
    ]
    return tuple(one for one in checked if one.problems)


def promote_version(
    *, template_id: UUID, version_id: UUID, now: datetime, actor: Actor = THE_SYSTEM
) -> Template:
    """Make a version the active one: new workspaces and pools use it from now on.

    Presets that would fail do not stop it: the audit entry names them, and a face shows what
    `promotion_problems` says. One transaction, under the template's row lock.
    Raises Template.DoesNotExist, TemplateDeleted, VersionNotOfTemplate.
    """
    with transaction.atomic():
        template = lock_live_template(template_id)
        version = TemplateVersion.objects.filter(pk=version_id, template=template).first()
        if version is None:
            raise VersionNotOfTemplate
        before, template.active_version = template.active_version, version
        Template.objects.filter(pk=template_id).update(active_version=version, updated_at=now)
        template.updated_at = now
        failing = [one.preset_name for one in promotion_problems(version_id)]
        audit.record(
            actor=actor,
            action="promote",
            target=template,
            now=now,
            before={"active_version": before.name if before else None},
            after={"active_version": version.name}
            | ({"presets_that_would_fail": failing} if failing else {}),
        )
    return template
