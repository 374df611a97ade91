"""Input that says what it does not understand, instead of ignoring it."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from rest_framework import serializers

FIELDS_NAMED: Final = 20
"""Unknown fields that are named one by one."""
STRICT_TYPES: Final = "strict_types"
"""In a serializer's context: a number is no text and a text no number, as in JSON itself. Query
parameters are all texts and are read as what they stand for."""
JSON_TYPES: Final[
    tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...], str], ...]
] = (
    (serializers.BooleanField, (bool,), "true or false"),
    (serializers.IntegerField, (int,), "a whole number"),
    (serializers.FloatField, (int, float), "a number"),
    (serializers.CharField, (str,), "a text"),
    (serializers.UUIDField, (str,), "a text that holds a UUID"),
    (serializers.DateTimeField, (str,), "a text that holds a time"),
    (serializers.ChoiceField, (str,), "a text"),
)


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know, each by its name."""

    def to_internal_value(self, data: Any) -> Any:
        """Check for unknown fields first: a typing error must not pass as an empty wish."""
        if isinstance(data, Mapping):
            self._refuse_unknown(data)
            if self.context.get(STRICT_TYPES):
                self._refuse_wrong_types(data)
        return super().to_internal_value(data)

    def _refuse_unknown(self, data: Mapping[str, Any]) -> None:
        known = [name for name, field in self.fields.items() if not field.read_only]
        unknown = [name for name in data if name not in known][:FIELDS_NAMED]
        if unknown:
            raise serializers.ValidationError(
                {str(name)[:64]: [_unknown(str(name), known)] for name in unknown}
            )

    def _refuse_wrong_types(self, data: Mapping[str, Any]) -> None:
        wrong = {
            name: [f"Write {wanted} here."]
            for name, value in data.items()
            if (wanted := _wanted_instead(self.fields[name], value))
        }
        if wrong:
            raise serializers.ValidationError(wrong)


class Empty(StrictSerializer):
    """A body without fields."""


class PageQuery(StrictSerializer):
    """Which part of a list."""

    limit = serializers.IntegerField(
        default=50, min_value=1, max_value=500, help_text="How many rows at most."
    )
    offset = serializers.IntegerField(
        default=0, min_value=0, max_value=1_000_000_000, help_text="How many rows to skip."
    )


class ErrorSerializer(serializers.Serializer[Any]):
    """The one shape of every error."""

    class Problem(serializers.Serializer[Any]):
        """What is wrong with one field."""

        field = serializers.CharField()
        detail = serializers.CharField()

    message = serializers.CharField(help_text="What is wrong, and what to do.")
    detail = serializers.CharField(help_text="More about it; often empty.")
    validations = Problem(many=True, help_text="Which fields are at fault.")


def _wanted_instead(field: serializers.Field[Any, Any, Any, Any], value: Any) -> str:
    """Return what the field takes when JSON's type of the value is another; else nothing."""
    if value is None:
        return ""
    for kind, types, wanted in JSON_TYPES:
        if isinstance(field, kind):
            fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
            return "" if fits else wanted
    return ""


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f'Unknown field. Did you mean "{close[0]}"?'
    return f"Unknown field. Known fields: {', '.join(sorted(known)) or 'none'}."
