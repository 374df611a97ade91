"""Daemons come, stay and go: introduced, alive, retired. What they do is `jobs`' matter."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from workspaces.errors import TagsNotAllowed
from workspaces.models import ProvisionerDaemon, ProvisionerKey
from workspaces.protocol import DaemonProfile


def register_daemon(
    *, profile: DaemonProfile, now: datetime, key: ProvisionerKey | None = None
) -> ProvisionerDaemon:
    """Introduce a daemon that is about to ask for jobs.

    A key binds it to the key's organization and tags: without tags of its own it gets all of the
    key's, and others it cannot have (TagsNotAllowed). Without a key it stands beside the
    database and serves every organization.
    """
    return ProvisionerDaemon.objects.create(
        organization_id=key.organization_id if key else None,
        key=key,
        name=profile.name,
        hostname=profile.hostname,
        version=profile.version,
        provisioner_types=list(profile.provisioner_types),
        tags=_tags_within(key, profile.tags) if key else dict(profile.tags),
        concurrency=profile.concurrency,
        machine=profile.machine,
        started_at=now,
        last_seen_at=now,
    )


def touch_daemon(*, daemon_id: UUID, now: datetime) -> None:
    """Note that a daemon is alive."""
    ProvisionerDaemon.objects.filter(pk=daemon_id).update(last_seen_at=now, stopped_at=None)


def retire_daemon(*, daemon_id: UUID, now: datetime) -> None:
    """Note that a daemon has said goodbye."""
    ProvisionerDaemon.objects.filter(pk=daemon_id).update(last_seen_at=now, stopped_at=now)


def _tags_within(key: ProvisionerKey, tags: Mapping[str, str]) -> dict[str, str]:
    beyond = {name: value for name, value in tags.items() if key.tags.get(name) != value}
    if beyond:
        raise TagsNotAllowed(beyond, key.tags)
    return dict(tags or key.tags)
