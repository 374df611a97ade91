"""Write down who changed what, in the transaction of the change (semantics.md 19)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from django.db.models import Model

from accounts.enums import AuditSource
from accounts.models import AuditEntry, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, through which door; no user means the shell or the system itself."""

    user: User | None
    source: AuditSource
    address: str | None = None

    def __str__(self) -> str:
        return self.user.display_name if self.user else self.source.label


def actor_at(meta: Mapping[str, Any], *, user: User | None, source: AuditSource) -> Actor:
    """Return who sent a request with this META, through which door."""
    return Actor(user=user, source=source, address=address_of(meta))


def address_of(meta: Mapping[str, Any]) -> str | None:
    """Return where a request comes from; a proxy's word counts if the server believes it.

    None for a word that is no address, such as a proxy's "unknown": it must keep nobody out.
    """
    told = str(meta.get("REMOTE_ADDR", ""))
    try:
        ip_address(told)
    except ValueError:
        return None
    return told


AT_THE_SHELL: Final = Actor(user=None, source=AuditSource.COMMAND)
THE_SYSTEM: Final = Actor(user=None, source=AuditSource.SYSTEM)


def record(
    *,
    actor: Actor,
    action: str,
    target: Model,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    label: str = "",
) -> AuditEntry:
    """Add one entry. `before` and `after` hold only what changed, as JSON values.

    `label` is for what its own name does not tell apart, such as one of many presets "Small".
    """
    entry = entry_of(
        actor=actor, action=action, target=target, now=now, before=before, after=after, label=label
    )
    entry.save(force_insert=True)
    return entry


def record_each(entries: Iterable[AuditEntry]) -> None:
    """Add entries made by `entry_of`, in one statement however many there are."""
    AuditEntry.objects.bulk_create(entries)


def entry_of(
    *,
    actor: Actor,
    action: str,
    target: Model,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    label: str = "",
) -> AuditEntry:
    """Return an entry that is not stored yet; the arguments are those of `record`."""
    return AuditEntry(
        at=now,
        actor=actor.user,
        source=actor.source,
        address=actor.address,
        action=action,
        object_type=type(target).__name__.lower(),
        object_id=str(target.pk),
        object_label=(label or str(target))[:255],
        before=dict(before or {}),
        after=dict(after or {}),
    )


def record_change(
    *,
    actor: Actor,
    action: str,
    target: Model,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> AuditEntry | None:
    """Add one entry with what differs; none when nothing does."""
    changed = [name for name in after if after[name] != before.get(name)]
    if not changed:
        return None
    return record(
        actor=actor,
        action=action,
        target=target,
        now=now,
        before={name: before.get(name) for name in changed},
        after={name: after[name] for name in changed},
    )
