"""Make templates, versions and presets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Organization, User
from templates_app import parameters, schedules, selectors
from templates_app.errors import InvalidPreset
from templates_app.models import (
    TTL_MAX_SECONDS,
    TTL_MIN_SECONDS,
    ParameterDefinition,
    Preset,
    PresetParameter,
    PresetSchedule,
    Template,
    TemplateVersion,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetSpec:
    """A preset to be made with a version. `schedules` are (expression, desired) pairs."""

    name: str
    description: str = ""
    icon: str = ""
    is_default: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    desired_instances: int | None = None
    ttl_seconds: int | None = None
    scheduling_timezone: str = "UTC"
    schedules: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterText:
    """How a parameter is shown to people."""

    display_name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpec:
    """A version to be made. `definitions` are pure parameter definitions, in order.

    `texts` say how parameters are shown, by their names.
    """

    name: str
    message: str = ""
    source_files: Mapping[str, str] = field(default_factory=dict)
    startup_script: str = ""
    startup_timeout_seconds: int = 600
    tags: Mapping[str, str] = field(default_factory=dict)
    daily_cost: int = 0
    definitions: Sequence[parameters.ParameterDefinition] = ()
    texts: Mapping[str, ParameterText] = field(default_factory=dict)
    presets: Sequence[PresetSpec] = ()


def create_template(
    *,
    organization: Organization,
    name: str,
    created_by: User,
    version: VersionSpec,
    check_presets: bool = True,
    now: datetime | None = None,
    **fields: Any,
) -> Template:
    """Create a template with its first version, which becomes the active one.

    `now` is when the version was made, if that is not this moment.
    """
    with transaction.atomic():
        template = Template.objects.create(organization=organization, name=name, **fields)
        first = create_version(
            template=template,
            created_by=created_by,
            spec=version,
            check_presets=check_presets,
            now=now,
        )
        template.active_version = first
        template.save(update_fields=["active_version", "updated_at"])
    return template


def create_version(
    *,
    template: Template,
    created_by: User,
    spec: VersionSpec,
    check_presets: bool = True,
    now: datetime | None = None,
) -> TemplateVersion:
    """Add a version with its parameter definitions and presets; it is not promoted.

    Raises InvalidPreset when a preset's settings or values do not fit, unless `check_presets` is
    off: then the pool will find out.
    """
    with transaction.atomic():
        version = TemplateVersion.objects.create(
            template=template,
            created_by=created_by,
            name=spec.name,
            message=spec.message,
            source_files=dict(spec.source_files),
            startup_script=spec.startup_script,
            startup_timeout_seconds=spec.startup_timeout_seconds,
            tags=dict(spec.tags),
            daily_cost=spec.daily_cost,
            **({"created_at": now} if now else {}),
        )
        ParameterDefinition.objects.bulk_create(
            _definition_row(version, position, each, spec.texts.get(each.name, ParameterText()))
            for position, each in enumerate(spec.definitions)
        )
        for preset in spec.presets:
            create_preset(version=version, spec=preset, check=check_presets)
    return version


def create_preset(*, version: TemplateVersion, spec: PresetSpec, check: bool = True) -> Preset:
    """Add a preset to a version. Raises InvalidPreset."""
    definitions = selectors.definitions_of([version.pk])[version.pk]
    if check and (problems := preset_problems(spec, definitions)):
        raise InvalidPreset(problems)
    with transaction.atomic():
        preset = Preset.objects.create(
            version=version,
            name=spec.name,
            description=spec.description,
            icon=spec.icon,
            is_default=spec.is_default,
            desired_instances=spec.desired_instances,
            ttl_seconds=spec.ttl_seconds,
            scheduling_timezone=spec.scheduling_timezone,
        )
        PresetParameter.objects.bulk_create(
            PresetParameter(preset=preset, name=name, value=value)
            for name, value in spec.parameters.items()
        )
        PresetSchedule.objects.bulk_create(
            PresetSchedule(
                preset=preset,
                position=position,
                cron_expression=expression,
                desired_instances=number,
            )
            for position, (expression, number) in enumerate(spec.schedules)
        )
    return preset


def preset_problems(
    spec: PresetSpec, definitions: Sequence[parameters.ParameterDefinition]
) -> list[tuple[str, str]]:
    """Return what is wrong with a preset as (field, detail); nothing when it may be saved."""
    problems = [
        ("schedules" if each.index is not None else "scheduling_timezone", each.message)
        for each in schedules.validate_schedules(
            zone=spec.scheduling_timezone, expressions=[row[0] for row in spec.schedules]
        )
    ]
    problems += _number_problems(spec)
    try:
        parameters.resolve_values(definitions, spec.parameters)
    except parameters.InvalidParameters as error:
        problems += [(f"parameters.{each.field}", each.detail) for each in error.problems]
    return problems


def _number_problems(spec: PresetSpec) -> list[tuple[str, str]]:
    problems = []
    if spec.desired_instances is not None and spec.desired_instances < 0:
        detail = f"{spec.desired_instances} is less than none; use 0 or more, or leave it empty."
        problems.append(("desired_instances", detail))
    if spec.ttl_seconds and not TTL_MIN_SECONDS <= spec.ttl_seconds <= TTL_MAX_SECONDS:
        detail = f"{spec.ttl_seconds} is not between {TTL_MIN_SECONDS} and {TTL_MAX_SECONDS}."
        problems.append(("ttl_seconds", f"{detail} Use 0 for prebuilds that never expire."))
    for number, (expression, desired) in enumerate(spec.schedules, start=1):
        if desired < 0:
            detail = f'row {number} ("{expression}"): {desired} is less than none; use 0 or more.'
            problems.append(("schedules", detail))
    return problems


def _definition_row(
    version: TemplateVersion,
    position: int,
    definition: parameters.ParameterDefinition,
    text: ParameterText,
) -> ParameterDefinition:
    return ParameterDefinition(
        version=version,
        position=position,
        name=definition.name,
        display_name=text.display_name,
        description=text.description,
        type=definition.type,
        default=definition.default,
        required=definition.required,
        mutable=definition.mutable,
        ephemeral=definition.ephemeral,
        options=list(definition.options),
        validation_regex=definition.validation_regex,
        validation_error=definition.validation_error,
        validation_min=definition.validation_min,
        validation_max=definition.validation_max,
        validation_monotonic=definition.validation_monotonic,
    )
