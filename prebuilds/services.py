"""What people and commands ask for: builds of workspaces, pause and resume.

Faces check permission first; these functions only do.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import User
from prebuilds import locks
from prebuilds.models import PrebuildsSettings
from workspaces.enums import Transition
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.services import builds


def request_build(
    *, workspace: Workspace, transition: Transition, actor: User, now: datetime
) -> WorkspaceBuild:
    """Ask for a start, stop or deletion of a workspace in a person's name.

    Raises WorkspaceDeleted, BuildInProgress, InvalidParameters.
    """
    return builds.create_build(
        workspace_id=workspace.pk, transition=transition, initiator_id=actor.pk, now=now
    )


def pause_reconciliation(
    *, actor: Actor, reason: str, until: datetime | None, now: datetime
) -> bool:
    """Pause: nothing is created, deleted or cancelled until resumed; False if it already was.

    Claims and queued builds go on. Pausing again replaces reason and end.
    """
    with transaction.atomic():
        PrebuildsSettings.objects.get_or_create(pk=PrebuildsSettings.SINGLETON_ID)
        row = locks.lock_settings()
        assert row is not None
        before, was_paused = _pause_of(row), row.is_paused(now)
        row.reconciliation_paused = True
        row.paused_by, row.paused_at = actor.user, now
        row.paused_until, row.pause_reason = until, reason
        row.save()
        audit.record(
            actor=actor,
            action="pause",
            target=row,
            now=now,
            before=before,
            after=_pause_of(row),
        )
    return not was_paused


def resume_reconciliation(*, actor: Actor, now: datetime) -> bool:
    """Resume; False, and nothing changed, when it was not paused."""
    with transaction.atomic():
        row = locks.lock_settings()
        if row is None or not row.reconciliation_paused:
            return False
        before = _pause_of(row)
        row.reconciliation_paused = False
        row.paused_by = row.paused_at = row.paused_until = None
        row.pause_reason = ""
        row.save()
        audit.record(
            actor=actor,
            action="resume",
            target=row,
            now=now,
            before=before,
            after=_pause_of(row),
        )
    return True


def _pause_of(row: PrebuildsSettings) -> dict[str, Any]:
    until = row.paused_until.isoformat() if row.paused_until else None
    return {"paused": row.reconciliation_paused, "reason": row.pause_reason, "until": until}
