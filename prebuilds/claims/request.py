"""What somebody wishes for, and what that means today: template, version, presets, values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from accounts.audit import Actor
from accounts.models import User
from prebuilds.errors import PresetNotOfTemplate
from templates_app import parameters, selectors
from templates_app.errors import TemplateNotUsable, VersionNotOfTemplate
from templates_app.models import Preset, Template, TemplateVersion
from workspaces.enums import AutomaticUpdates


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What most requests leave to the template: its active version, its lifecycle policy."""

    template_version_id: UUID | None = None
    ttl_seconds: int | None = None
    autostart_schedule: str = ""
    automatic_updates: AutomaticUpdates = AutomaticUpdates.NEVER
    idempotency_key: str = ""


NO_OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request as it came in."""

    owner: User
    template_id: UUID
    preset_id: UUID | None
    name: str
    parameters: Mapping[str, str]
    options: Options
    now: datetime
    actor: Actor | None = None
    """Who asks, perhaps for somebody else, and through which door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A wish with everything it names, as it is now.

    `presets` are those to try, best first: the named one, or all that the parameters match.
    `values` are what the workspace will be built with.
    """

    wish: Wish
    template: Template
    version: TemplateVersion
    presets: Sequence[Preset]
    values: Mapping[str, str]

    @property
    def best_preset(self) -> Preset | None:
        """Return the preset the request stands for; None when nothing matches."""
        return self.presets[0] if self.presets else None


def read_request(wish: Wish) -> Request:
    """Read what a wish names; four statements, one more for another version than the active one.

    Raises TemplateNotUsable, VersionNotOfTemplate, PresetNotOfTemplate, InvalidParameters.
    """
    templates = Template.objects.select_related("active_version")
    template = templates.defer("active_version__source_files").get(pk=wish.template_id)
    if not template.is_usable or template.active_version is None:
        raise TemplateNotUsable(TemplateNotUsable.__doc__)
    version = _version(template, wish.options.template_version_id)
    if wish.preset_id:
        chosen = [_named(version, wish.preset_id)]
        values = selectors.values_of([wish.preset_id])[wish.preset_id]
    else:
        chosen, values = _matching(version, wish.parameters), {}
    definitions = selectors.definitions_of([version.pk])[version.pk]
    return Request(
        wish=wish,
        template=template,
        version=version,
        presets=chosen,
        values=parameters.resolve_values(definitions, {**wish.parameters, **values}),
    )


def _version(template: Template, version_id: UUID | None) -> TemplateVersion:
    active = template.active_version
    assert active is not None
    if version_id in (None, active.pk):
        return active
    version = template.versions.filter(pk=version_id).first()
    if version is None:
        raise VersionNotOfTemplate(VersionNotOfTemplate.__doc__)
    return version


def _named(version: TemplateVersion, preset_id: UUID) -> Preset:
    preset = version.presets.filter(pk=preset_id).first()
    if preset is None:
        raise PresetNotOfTemplate
    return preset


def _matching(version: TemplateVersion, given: Mapping[str, str]) -> list[Preset]:
    by_id = {preset.pk: preset for preset in version.presets.all()}
    values_of = selectors.values_of(by_id)
    candidates = (
        parameters.PresetCandidate(
            id=preset.pk,
            name=preset.name,
            is_default=preset.is_default,
            parameters=values_of[preset.pk],
        )
        for preset in by_id.values()
    )
    return [by_id[match.id] for match in parameters.match_presets(candidates, given)]
