"""Daemons come, stay and go: introduced, alive, retired. What they do is `jobs`' matter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from workspaces.errors import TagsNotAllowed
from workspaces.models import ProvisionerDaemon, ProvisionerKey


def register_daemon(
    *,
    name: str,
    hostname: str,
    version: str,
    provisioner_types: Sequence[str],
    tags: Mapping[str, str],
    concurrency: int,
    now: datetime,
    key: ProvisionerKey | None = None,
) -> ProvisionerDaemon:
    """Introduce a daemon that is about to ask for jobs.

    A key binds it to the key's organization and tags: without tags of its own it gets all of the
    key's, and others it cannot have (TagsNotAllowed). Without a key it stands beside the
    database and serves every organization.
    """
    return ProvisionerDaemon.objects.create(
        organization_id=key.organization_id if key else None,
        key=key,
        name=name,
        hostname=hostname,
        version=version,
        provisioner_types=list(provisioner_types),
        tags=_tags_within(key, tags) if key else dict(tags),
        concurrency=concurrency,
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
