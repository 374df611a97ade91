"""What a remote daemon may say, and how large each word may be (workspaces.protocol's words)."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rest_framework import serializers

from prebuilds.api.base.serializers import StrictSerializer
from templates_app.enums import ProvisionerType
from workspaces.enums import JobErrorCode
from workspaces.protocol import (
    LOG_LINE_LIMIT,
    MACHINE,
    AgentReport,
    BuildResult,
    LogLine,
    ResourceReplacement,
    ResourceReport,
)

LINES_LIMIT: Final = 1_000
ITEMS_LIMIT: Final = 1_000
TAGS_LIMIT: Final = 50
ERROR_INPUT_LIMIT: Final = 100_000
WAIT_LIMIT: Final = 30.0


class StoredJSON(serializers.DictField):
    """An object that PostgreSQL can store: no NUL in it, and no number without an end."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the object as it came, once all of it was looked at."""
        value = super().to_internal_value(data)
        for leaf in _leaves(value):
            if isinstance(leaf, str) and "\x00" in leaf:
                raise serializers.ValidationError("Null characters are not allowed.")
            if isinstance(leaf, float) and not math.isfinite(leaf):
                raise serializers.ValidationError("Numbers must be finite.")
        return value


class TagsField(StoredJSON):
    """Tags: names and values, both texts."""

    child = serializers.CharField(max_length=256, allow_blank=True)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse more tags than anybody needs."""
        tags = super().to_internal_value(data)
        if len(tags) > TAGS_LIMIT or any(not 1 <= len(name) <= 64 for name in tags):
            raise serializers.ValidationError(
                f"Use at most {TAGS_LIMIT} tags with names of 1 to 64 characters."
            )
        return tags


class Profile(StrictSerializer):
    """How a daemon introduces itself."""

    name = serializers.CharField(max_length=128)
    hostname = serializers.CharField(max_length=255, allow_blank=True, default="")
    version = serializers.CharField(max_length=32, allow_blank=True, default="")
    provisioner_types = serializers.ListField(
        child=serializers.ChoiceField(choices=ProvisionerType.choices),
        allow_empty=False,
        max_length=10,
    )
    tags = TagsField(default=dict)
    concurrency = serializers.IntegerField(min_value=1, max_value=100, default=1)
    machine = serializers.RegexField(
        rf"\A{MACHINE.pattern}\Z",
        max_length=64,
        allow_blank=True,
        default="",
        help_text="Where its driver keeps workspaces; nothing from daemons that do not tell.",
    )


class Wish(StrictSerializer):
    """What a daemon that asks for a job says: the lease it wants, and how long it would wait."""

    lease = serializers.UUIDField()
    wait_seconds = serializers.FloatField(min_value=0, max_value=WAIT_LIMIT, default=0.0)


class Farewell(StrictSerializer):
    """The last word of a daemon; the lease of an acquire that was never answered, if any."""

    lease = serializers.UUIDField(required=False)


class Statement(StrictSerializer):
    """What every word about a job carries."""

    daemon_id = serializers.UUIDField()
    lease = serializers.UUIDField()


class LineInput(StrictSerializer):
    """One line a build wrote."""

    at = serializers.DateTimeField()
    level = serializers.CharField(max_length=8, default="info")
    stage = serializers.CharField(max_length=64)
    output = serializers.CharField(
        max_length=LOG_LINE_LIMIT, allow_blank=True, trim_whitespace=False
    )


class Logs(Statement):
    """A batch of lines, in order."""

    lines = serializers.ListField(child=LineInput(), max_length=LINES_LIMIT)


class AgentInput(StrictSerializer):
    """An agent a build made."""

    name = serializers.CharField(max_length=64)
    token = serializers.CharField(min_length=16, max_length=256, trim_whitespace=False)


class ResourceInput(StrictSerializer):
    """A thing a build made."""

    name = serializers.CharField(max_length=64)
    type = serializers.CharField(max_length=64)
    agents = serializers.ListField(child=AgentInput(), max_length=ITEMS_LIMIT, default=list)


class Resources(Statement):
    """What a running build has made so far."""

    resources = serializers.ListField(child=ResourceInput(), max_length=ITEMS_LIMIT)


class ReplacementInput(StrictSerializer):
    """A resource a claim build had to make anew."""

    resource = serializers.CharField(max_length=256)
    paths = serializers.ListField(
        child=serializers.CharField(max_length=256), max_length=ITEMS_LIMIT
    )


class Result(Resources):
    """What a build that went well leaves behind."""

    provisioner_state = StoredJSON()
    resources = serializers.ListField(child=ResourceInput(), max_length=ITEMS_LIMIT, default=list)
    replacements = serializers.ListField(
        child=ReplacementInput(), max_length=ITEMS_LIMIT, default=list
    )


class Failure(Statement):
    """Why a build did not go well."""

    error = serializers.CharField(
        max_length=ERROR_INPUT_LIMIT, allow_blank=True, trim_whitespace=False
    )
    code = serializers.ChoiceField(choices=JobErrorCode.choices)


def lines_of(said: Mapping[str, Any]) -> list[LogLine]:
    """Return the lines of a checked batch."""
    return [LogLine(**each) for each in said["lines"]]


def resources_of(said: Mapping[str, Any]) -> list[ResourceReport]:
    """Return the resources of a checked report."""
    return [
        ResourceReport(
            name=each["name"],
            type=each["type"],
            agents=[AgentReport(**agent) for agent in each["agents"]],
        )
        for each in said["resources"]
    ]


def result_of(said: Mapping[str, Any]) -> BuildResult:
    """Return a checked result."""
    return BuildResult(
        provisioner_state=said["provisioner_state"],
        resources=resources_of(said),
        replacements=[ResourceReplacement(**each) for each in said["replacements"]],
    )


def _leaves(value: Any) -> Iterator[Any]:
    """Yield every name and every value inside; the parser bounds the depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
