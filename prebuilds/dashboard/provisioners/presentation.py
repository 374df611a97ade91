"""Provisioners and keys as rows, and what somebody types as tags. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from prebuilds.dashboard.base.wording import say_count
from workspaces.enums import DaemonStatus
from workspaces.models import ProvisionerKey
from workspaces.selectors import DaemonRow

LOOKS: Final = {
    DaemonStatus.IDLE: ("Online, free", "circle-check", "good"),
    DaemonStatus.BUSY: ("Busy", "loader-2", "busy"),
    DaemonStatus.OFFLINE: ("Offline", "plug-connected-x", "off"),
}
TAGS_LIMIT: Final = 50
TAG_LIMIT: Final = 64


class BadTags(Exception):
    """What was typed as tags makes no sense; the message names the line and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonView:
    """A daemon in words; `load` is how much of what it can do at once is taken."""

    daemon: DaemonRow
    word: str
    icon: str
    tone: str
    load: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key, how many daemons came in by it lately, and whether it may be revoked."""

    key: ProvisionerKey
    daemons: int
    may_revoke: bool


def view_daemon(daemon: DaemonRow) -> DaemonView:
    """Return a daemon in words."""
    word, icon, tone = LOOKS[daemon.status]
    load = f"{len(daemon.jobs)} of {daemon.concurrency}"
    return DaemonView(daemon=daemon, word=word, icon=icon, tone=tone, load=load)


def view_keys(
    keys: Collection[ProvisionerKey], daemons: Collection[DaemonRow], revocable: Collection[UUID]
) -> list[KeyView]:
    """Return the keys with the number of their daemons that are online."""
    online = [daemon.key_id for daemon in daemons if daemon.status != DaemonStatus.OFFLINE]
    return [
        KeyView(
            key=key,
            daemons=online.count(key.pk),
            may_revoke=key.organization_id in revocable,
        )
        for key in keys
    ]


def say_daemons(daemons: Collection[DaemonRow]) -> str:
    """Return "2 of 3 provisioners online, 1 busy"."""
    online = [daemon for daemon in daemons if daemon.status != DaemonStatus.OFFLINE]
    busy = sum(daemon.status == DaemonStatus.BUSY for daemon in online)
    return f"{len(online)} of {say_count(len(daemons), 'provisioner')} online, {busy} busy."


def read_tags(text: str) -> dict[str, str]:
    """Return tags written as key=value, one a line. Raises BadTags."""
    tags: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not (sign and name and line.isprintable()):
            raise BadTags(f'"{line[:TAG_LIMIT]}" is no tag: write key=value, such as region=eu.')
        if len(name) > TAG_LIMIT or len(value) > TAG_LIMIT:
            raise BadTags(
                f'"{name[:TAG_LIMIT]}" is too long: key and value hold {TAG_LIMIT} characters each.'
            )
        if name in tags:
            raise BadTags(f'"{name}" comes twice: a tag has one value.')
        tags[name] = value
    if len(tags) > TAGS_LIMIT:
        raise BadTags(f"{len(tags)} tags are too many: write at most {TAGS_LIMIT}.")
    return tags


def say_tags(tags: Mapping[str, str]) -> str:
    """Return the tags as they are typed, with commas."""
    return ", ".join(f"{name}={value}" for name, value in sorted(tags.items()))
