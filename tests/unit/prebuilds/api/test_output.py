"""What is written by short ways is what the REST framework writes by its own."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from rest_framework import serializers

from prebuilds.api.base.output import OutputSerializer, instant_as_json

AN_ID = UUID("00000000-0000-4000-8000-000000000001")


class Inner(OutputSerializer):
    name = serializers.CharField()


class Shape(OutputSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    owner_name = serializers.CharField(source="owner.name", allow_null=True)
    number = serializers.IntegerField()
    is_prebuild = serializers.BooleanField()
    transition = serializers.ChoiceField(choices=["start", "stop"])
    tags = serializers.DictField(child=serializers.CharField())
    made_at = serializers.DateTimeField(allow_null=True)
    inner = Inner(allow_null=True)
    several = Inner(many=True)
    said = serializers.SerializerMethodField()

    def get_said(self, row: Any) -> str:
        return f"{row.name} {self.context['now']}"


def a_row(**changed: Any) -> SimpleNamespace:
    fields = {
        "id": AN_ID,
        "name": "a",
        "owner": SimpleNamespace(name="ana"),
        "number": 3,
        "is_prebuild": True,
        "transition": "stop",
        "tags": {"a": "b"},
        "made_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "inner": SimpleNamespace(name="b"),
        "several": [SimpleNamespace(name="c"), SimpleNamespace(name="d")],
    }
    return SimpleNamespace(**fields | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"made_at": None, "inner": None, "several": [], "tags": {}, "name": ""},
        {"owner": None},
        {"owner": SimpleNamespace(name=None)},
        {"transition": "", "number": 0, "is_prebuild": False},
        {"transition": "neither"},
    ],
)
def test_a_row_is_written_as_the_framework_writes_it(changed):
    shape, row = Shape(context={"now": "noon"}), a_row(**changed)

    assert shape.to_representation(row) == serializers.Serializer.to_representation(shape, row)
    assert list(shape.to_representation(row)) == list(Shape().fields)


def test_a_field_that_a_row_lacks_is_an_error():
    row = a_row()
    del row.number

    with pytest.raises(AttributeError, match="number"):
        Shape(context={"now": "noon"}).to_representation(row)


@pytest.mark.parametrize(
    "zone",
    [UTC, ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=-3, minutes=-30))],
)
@pytest.mark.parametrize("microsecond", [0, 1, 120_000])
def test_a_time_is_written_as_the_framework_writes_it(zone, microsecond):
    value = datetime(2026, 6, 1, 23, 30, 0, microsecond, tzinfo=zone)

    assert instant_as_json(value) == serializers.DateTimeField().to_representation(value)
