"""What remote daemons are answered (workspaces.protocol's words)."""

from typing import Any

from rest_framework import serializers

from workspaces.enums import Stage, Transition


class Registered(serializers.Serializer[Any]):
    """A daemon that is known from now on."""

    id = serializers.UUIDField()
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True))


class Reaped(serializers.Serializer[Any]):
    """How many jobs were lost."""

    count = serializers.IntegerField()


class Kept(serializers.Serializer[Any]):
    """What a daemon learns when it says that it is at it still."""

    cancel = serializers.BooleanField(help_text="Somebody asked to cancel the job.")


class GivenJob(serializers.Serializer[Any]):
    """A job a daemon was given: everything the build needs, and the lease that fences it."""

    job_id = serializers.UUIDField()
    lease = serializers.UUIDField(help_text="Goes with every word about the job.")
    build_id = serializers.UUIDField()
    build_number = serializers.IntegerField()
    workspace_id = serializers.UUIDField()
    workspace_name = serializers.CharField()
    owner_id = serializers.UUIDField()
    owner_name = serializers.CharField()
    template_name = serializers.CharField()
    template_version = serializers.CharField()
    transition = serializers.ChoiceField(choices=Transition.choices)
    stage = serializers.ChoiceField(choices=Stage.choices)
    source_files = serializers.DictField(child=serializers.CharField(allow_blank=True))
    startup_script = serializers.CharField(allow_blank=True)
    startup_timeout_seconds = serializers.IntegerField()
    parameters = serializers.DictField(child=serializers.CharField(allow_blank=True))
    provisioner_state = serializers.DictField(
        help_text="What the workspace's previous build left behind; empty for a first build."
    )
    access_url = serializers.CharField()
    traceparent = serializers.CharField(
        allow_blank=True, help_text="The step of a trace that asked for it (W3C); empty: none."
    )
