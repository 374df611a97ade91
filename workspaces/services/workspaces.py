"""Make workspaces and change who owns them. The only place where an owner changes."""

import re
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from templates_app.models import Template
from workspaces.enums import AutomaticUpdates
from workspaces.errors import InvalidName, NameTaken
from workspaces.models import Workspace

NAME: Final = re.compile(r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*")
NAME_LIMIT: Final = 32
NAME_CONSTRAINT: Final = "workspace_name_unique_while_live"


def check_name(name: str) -> None:
    """Raise InvalidName unless a person may give this name to a workspace."""
    if len(name) > NAME_LIMIT or not NAME.fullmatch(name):
        raise InvalidName(name)


def insert_workspace(
    *, owner: User, template: Template, name: str, latest_build_id: UUID, now: datetime
) -> Workspace:
    """Insert a person's workspace; its first build follows in the same transaction.

    Raises NameTaken when the owner has a live workspace of that name.
    """
    workspace = Workspace(
        organization_id=template.organization_id,
        owner=owner,
        template=template,
        name=name,
        created_at=now,
        updated_at=now,
        last_used_at=now,
        ttl_seconds=default_ttl_seconds(template),
        latest_build_id=latest_build_id,
    )
    _save_named(workspace, insert=True)
    return workspace


def transfer_ownership(workspace: Workspace, *, owner: User, name: str, now: datetime) -> None:
    """Hand a (locked) prebuild to a person: from here on it is theirs (semantics.md 14).

    The lifecycle fields become what a fresh workspace gets. Raises NameTaken.
    """
    workspace.owner = owner
    workspace.name = name
    workspace.updated_at = workspace.last_used_at = now
    workspace.automatic_updates = AutomaticUpdates.NEVER
    workspace.autostart_schedule = ""
    workspace.next_start_at = None
    workspace.ttl_seconds = default_ttl_seconds(workspace.template)
    workspace.dormant_at = workspace.deleting_at = None
    _save_named(workspace, insert=False)


def default_ttl_seconds(template: Template) -> int | None:
    """Return how long a workspace of this template runs before autostop; None = for ever."""
    return template.default_ttl_seconds or None


def _save_named(workspace: Workspace, *, insert: bool) -> None:
    try:
        with transaction.atomic():
            workspace.save(force_insert=insert, force_update=not insert)
    except IntegrityError as error:
        if NAME_CONSTRAINT in str(error):
            raise NameTaken(workspace.name) from error
        raise
