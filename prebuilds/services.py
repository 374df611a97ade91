"""What people and commands ask for: builds of workspaces, pause and resume.

Faces check permission first; these functions only do.
"""

from datetime import datetime

from django.db import transaction

from accounts.models import User
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
    *, actor: User | None, reason: str, until: datetime | None, now: datetime
) -> bool:
    """Pause: nothing is created, deleted or cancelled until resumed; False if it already was."""
    with transaction.atomic():
        row, _ = PrebuildsSettings.objects.get_or_create(pk=PrebuildsSettings.SINGLETON_ID)
        changed = not row.reconciliation_paused
        row.reconciliation_paused = True
        row.paused_by, row.paused_at = actor, now
        row.paused_until, row.pause_reason = until, reason
        row.save()
    return changed


def resume_reconciliation() -> bool:
    """Resume; False when it was not paused."""
    return bool(
        PrebuildsSettings.objects.filter(
            pk=PrebuildsSettings.SINGLETON_ID, reconciliation_paused=True
        ).update(
            reconciliation_paused=False,
            paused_by=None,
            paused_at=None,
            paused_until=None,
            pause_reason="",
        )
    )
