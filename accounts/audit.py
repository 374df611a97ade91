"""Write down who changed what, in the transaction of the change (semantics.md 19)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
) -> AuditEntry:
    """Add one entry. `before` and `after` hold only what changed, as JSON values."""
    return AuditEntry.objects.create(
        at=now,
        actor=actor.user,
        source=actor.source,
        address=actor.address,
        action=action,
        object_type=type(target).__name__.lower(),
        object_id=str(target.pk),
        object_label=str(target)[:255],
        before=dict(before or {}),
        after=dict(after or {}),
    )
