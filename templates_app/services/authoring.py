"""Make templates, versions and presets in a person's name: everything checked, written down.

The bare making is `versions`; here is what faces call.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Organization
from templates_app import parameters
from templates_app.errors import InvalidPreset, InvalidVersion, NameTaken
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.services.preset_edits import ONE_DEFAULT, label_of, second_default
from templates_app.services.templates import TemplateChanges, lock_live_template
from templates_app.services.versions import (
    PresetSpec,
    VersionSpec,
    create_preset,
    create_template,
    create_version,
    preset_problems,
)

UNIQUE: Final = {
    "template": "template_name_unique_while_live",
    "version": "template_version_name_unique",
    "preset": "preset_name_unique",
}
"""What carries a name → the constraint that keeps it unique."""

Problems = list[tuple[str, str]]


def add_template(
    *,
    organization: Organization,
    name: str,
    version: VersionSpec,
    fields: TemplateChanges,
    actor: Actor,
    now: datetime,
) -> Template:
    """Create a template with its first version, which is active at once.

    Raises InvalidVersion with fields such as `version.presets.0.name`, NameTaken.
    """
    if problems := version_problems(version):
        raise InvalidVersion([(f"version.{field}", detail) for field, detail in problems])
    assert actor.user is not None, "a template needs an author"
    with _unique("template", name):
        template = create_template(
            organization=organization,
            name=name,
            created_by=actor.user,
            version=version,
            created_at=now,
            **fields.given(),
        )
        audit.record(
            actor=actor,
            action="create",
            target=template,
            now=now,
            after={"name": name, "active_version": version.name},
        )
    return template


def add_version(
    *, template: Template, spec: VersionSpec, actor: Actor, now: datetime
) -> TemplateVersion:
    """Add a version to a live template; it is not promoted.

    Raises Template.DoesNotExist, TemplateDeleted, InvalidVersion, NameTaken.
    """
    if problems := version_problems(spec):
        raise InvalidVersion(problems)
    assert actor.user is not None, "a version needs an author"
    with _unique("version", spec.name):
        lock_live_template(template.pk)
        version = create_version(template=template, created_by=actor.user, spec=spec)
        audit.record(
            actor=actor,
            action="create",
            target=version,
            now=now,
            after={"name": spec.name, "message": spec.message},
            label=f"{template.name} / {spec.name}",
        )
    return version


def add_preset(
    *, version: TemplateVersion, spec: PresetSpec, actor: Actor, now: datetime
) -> Preset:
    """Add a preset to a version that exists. Raises TemplateDeleted, InvalidPreset, NameTaken."""
    try:
        with _unique("preset", spec.name):
            lock_live_template(version.template_id)
            preset = create_preset(version=version, spec=spec)
            audit.record(
                actor=actor,
                action="create",
                target=preset,
                now=now,
                after={"name": spec.name, "version": version.name},
                label=label_of(preset),
            )
    except IntegrityError as error:
        if ONE_DEFAULT in str(error):
            raise InvalidPreset([second_default("another preset")]) from error
        raise
    return preset


def version_problems(spec: VersionSpec) -> Problems:
    """Return all that is wrong with a version as (field, detail), before anything is written.

    Values of presets are only looked at when the definitions they are checked by hold.
    """
    problems = [
        (f"parameters.{each.field}", each.detail)
        for each in parameters.definition_problems(spec.definitions)
    ]
    presets = list(_preset_problems(spec)) if not problems else []
    problems += [("tags", each.detail) for each in parameters.validate_tags(spec.tags)]
    problems += [("source_files", fault) for fault in map(_path_fault, spec.source_files) if fault]
    return problems + list(_shared_problems(spec.presets)) + presets


def _preset_problems(spec: VersionSpec) -> Iterator[tuple[str, str]]:
    for place, preset in enumerate(spec.presets):
        for field, detail in preset_problems(preset, spec.definitions):
            yield f"presets.{place}.{field}", detail


def _shared_problems(presets: Sequence[PresetSpec]) -> Iterator[tuple[str, str]]:
    """Yield what several presets of one version may not have in common."""
    names = Counter(preset.name.lower() for preset in presets)
    defaults = [place for place, preset in enumerate(presets) if preset.is_default]
    for place, preset in enumerate(presets):
        if names[preset.name.lower()] > 1:
            yield (
                f"presets.{place}.name",
                f'Several presets are called "{preset.name}"; rename one.',
            )
    for place in defaults[1:]:
        yield f"presets.{place}.is_default", "Only one preset of a version can be the default."


def _path_fault(name: str) -> str:
    """Return why a file of this name could not be put into a workspace."""
    path = PurePosixPath(name)
    if path.parts and not path.is_absolute() and ".." not in path.parts and name.isprintable():
        return ""
    return f'"{name[:80]}" is no path inside the workspace; write one such as "bin/start.sh".'


@contextmanager
def _unique(what: str, name: str) -> Iterator[None]:
    """Do it in one transaction; a name that is taken is told as such."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if UNIQUE[what] in str(error):
            raise NameTaken(what, name) from error
        raise
