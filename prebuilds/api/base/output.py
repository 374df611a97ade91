"""Shapes that are only sent: what the toolkit finds out for each field of each row, found once.

A list has thousands of fields. They are read and written here exactly as the REST framework would
for plain attributes of rows; whatever is neither goes its way.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from django.utils.functional import cached_property
from rest_framework import serializers

Write = Callable[[Any], Any]
Field = serializers.Field[Any, Any, Any, Any]


class OutputSerializer(serializers.Serializer[Any]):
    """A serializer of rows (not of mappings) that reads no input."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the row's JSON, field by field as declared."""
        return {name: write(instance) for name, write in self._writes}

    @cached_property
    def _writes(self) -> list[tuple[str, Write]]:
        return [(field.field_name or "", _write_of(field)) for field in self._readable_fields]


def instant_as_json(value: datetime) -> str:
    """Return a time as the API says it: in UTC, ended by a Z."""
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _write_of(field: Field) -> Write:
    represent = _represent_of(field)
    if not field.source_attrs:  # made from the whole row
        return represent
    read = attrgetter(".".join(field.source_attrs))

    def write(row: Any) -> Any:
        try:
            value = read(row)
        except AttributeError:  # on the way something is None; the field knows what that means
            value = field.get_attribute(row)
        return None if value is None else represent(value)

    return write


def _represent_of(field: Field) -> Write:
    match field:
        case serializers.SerializerMethodField():
            method: Write = getattr(field.parent, field.method_name)
            return method
        case serializers.DateTimeField():
            return instant_as_json
        case serializers.UUIDField() | serializers.CharField():
            return str
        case _:
            return field.to_representation
