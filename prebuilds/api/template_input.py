"""What people send to make versions and presets; the domain says whether it fits together."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rest_framework import serializers

from prebuilds.api.base.serializers import StrictSerializer
from templates_app.enums import Monotonic, ParameterType
from templates_app.parameters import ParameterDefinition
from templates_app.services import ParameterText, PresetSpec, VersionSpec

INTEGER_LIMIT: Final = 2_147_483_647
LARGE_LIMIT: Final = 9_223_372_036_854_775_807
ROWS_LIMIT: Final = 100
TEXT_LIMIT: Final = 65_536


class CountField(serializers.IntegerField):
    """A number of things, as the database holds it."""

    def __init__(self, *, min_value: int = 0, **kwargs: Any) -> None:
        super().__init__(min_value=min_value, max_value=INTEGER_LIMIT, **kwargs)


class SpanField(serializers.IntegerField):
    """A span: milliseconds outside, as Coder has them, whole seconds inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=INTEGER_LIMIT * 1_000, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        """Return the seconds."""
        milliseconds: int = super().to_internal_value(data)
        seconds, rest = divmod(milliseconds, 1_000)
        if rest:
            raise serializers.ValidationError(
                f"{milliseconds} ms is no whole number of seconds: send {seconds * 1_000}."
            )
        return seconds

    def to_representation(self, value: Any) -> int:
        """Return the milliseconds."""
        return int(value) * 1_000


class TextMapField(serializers.DictField):
    """Texts by name. A name is held to what a database can store, too."""

    def __init__(self, *, name_limit: int, text_limit: int | None = None, **kwargs: Any) -> None:
        text = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=text_limit)
        self.name_field = serializers.CharField(max_length=name_limit, trim_whitespace=False)
        super().__init__(child=text, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Check the names before the texts."""
        for name in data if isinstance(data, Mapping) else ():
            self.name_field.run_validation(name)
        return super().to_internal_value(data)


class RowsField(serializers.ListField):
    """Some rows; too many are refused without a look at each."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=ROWS_LIMIT, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Count before reading."""
        if isinstance(data, list):
            self.run_validators(data)
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """A text of several lines, kept as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, trim_whitespace=False, **kwargs)


class ScheduleInput(StrictSerializer):
    """A range of time with its own number of instances."""

    cron_expression = serializers.CharField(max_length=128, help_text="Such as `* 9-18 * * 1-5`.")
    desired_instances = CountField()


class PresetSettingsInput(StrictSerializer):
    """What can be changed of a preset; what is left out stays."""

    description = TextField(max_length=TEXT_LIMIT, required=False)
    icon = serializers.CharField(max_length=64, allow_blank=True, required=False)
    is_default = serializers.BooleanField(required=False)
    parameters = TextMapField(
        name_limit=64, text_limit=TEXT_LIMIT, required=False, help_text="Replaces all there were."
    )
    desired_instances = CountField(
        allow_null=True, required=False, help_text="null: no pool. 0: a pool that wants none."
    )
    ttl_seconds = CountField(
        allow_null=True, required=False, help_text="null or 0: prebuilds never expire."
    )
    scheduling_timezone = serializers.CharField(max_length=64, required=False)
    schedules = RowsField(
        child=ScheduleInput(), required=False, help_text="Replaces all there were."
    )


class PresetInput(PresetSettingsInput):
    """A preset to be made."""

    name = serializers.CharField(max_length=64)


class ParameterInput(StrictSerializer):
    """A value the version asks for."""

    name = serializers.CharField(max_length=64)
    display_name = serializers.CharField(max_length=128, allow_blank=True, default="")
    description = TextField(max_length=TEXT_LIMIT, default="")
    type = serializers.ChoiceField(choices=ParameterType.choices, default=ParameterType.STRING)
    default_value = TextField(
        max_length=TEXT_LIMIT, allow_null=True, default=None, help_text="null: no default."
    )
    required = serializers.BooleanField(default=False)  # type: ignore[assignment]
    mutable = serializers.BooleanField(default=True)
    ephemeral = serializers.BooleanField(default=False)
    options = RowsField(child=TextField(max_length=TEXT_LIMIT), default=list)
    validation_regex = TextField(max_length=TEXT_LIMIT, default="")
    validation_error = TextField(max_length=TEXT_LIMIT, default="")
    validation_min = serializers.IntegerField(
        min_value=-LARGE_LIMIT, max_value=LARGE_LIMIT, allow_null=True, default=None
    )
    validation_max = serializers.IntegerField(
        min_value=-LARGE_LIMIT, max_value=LARGE_LIMIT, allow_null=True, default=None
    )
    validation_monotonic = serializers.ChoiceField(
        choices=Monotonic.choices, allow_blank=True, default=""
    )


class VersionInput(StrictSerializer):
    """A version to be made, with the parameters and presets it is born with."""

    name = serializers.CharField(max_length=64)
    message = TextField(max_length=TEXT_LIMIT, default="")
    source_files = TextMapField(name_limit=255, default=dict, help_text="Relative path → text.")
    startup_script = TextField(default="")
    startup_timeout_seconds = CountField(min_value=1, default=600)
    tags = TextMapField(
        name_limit=100, text_limit=100, default=dict, help_text="Tags a provisioner must have."
    )
    daily_cost = CountField(default=0)
    parameters = RowsField(child=ParameterInput(), default=list)
    presets = RowsField(child=PresetInput(), default=list)


def to_version(asked: Mapping[str, Any]) -> VersionSpec:
    """Return what somebody asks for in the domain's words."""
    parameters = asked["parameters"]
    return VersionSpec(
        name=asked["name"],
        message=asked["message"],
        source_files=asked["source_files"],
        startup_script=asked["startup_script"],
        startup_timeout_seconds=asked["startup_timeout_seconds"],
        tags=asked["tags"],
        daily_cost=asked["daily_cost"],
        definitions=tuple(_to_definition(each) for each in parameters),
        texts={
            each["name"]: ParameterText(
                display_name=each["display_name"], description=each["description"]
            )
            for each in parameters
        },
        presets=tuple(to_preset(each) for each in asked["presets"]),
    )


def to_preset(asked: Mapping[str, Any]) -> PresetSpec:
    """Return a preset somebody asks for in the domain's words."""
    return PresetSpec(name=asked["name"], **to_settings(asked))


def to_settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that were sent, by the domain's names."""
    given = {name: value for name, value in asked.items() if name != "name"}
    if "schedules" in given:
        given["schedules"] = tuple(_to_rows(given["schedules"]))
    return given


def _to_rows(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, int]]:
    return ((row["cron_expression"], row["desired_instances"]) for row in rows)


def _to_definition(asked: Mapping[str, Any]) -> ParameterDefinition:
    return ParameterDefinition(
        name=asked["name"],
        type=asked["type"],
        default=asked["default_value"],
        required=asked["required"],
        mutable=asked["mutable"],
        ephemeral=asked["ephemeral"],
        options=tuple(asked["options"]),
        validation_regex=asked["validation_regex"],
        validation_error=asked["validation_error"],
        validation_min=asked["validation_min"],
        validation_max=asked["validation_max"],
        validation_monotonic=asked["validation_monotonic"],
    )
