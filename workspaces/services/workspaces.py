"""Make workspaces and change who owns them. The only place where an owner changes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import User
from templates_app.models import Template
from workspaces import lifecycle, locks
from workspaces.enums import AutomaticUpdates
from workspaces.errors import InvalidName, NameTaken, PrebuildKeepsItsName, WorkspaceDeleted
from workspaces.models import Workspace

NAME: Final = re.compile(r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*")
NAME_LIMIT: Final = 32
NAME_CONSTRAINT: Final = "workspace_name_unique_while_live"


def check_name(name: str) -> None:
    """Raise InvalidName unless a person may give this name to a workspace."""
    if len(name) > NAME_LIMIT or not NAME.fullmatch(name):
        raise InvalidName(name)


def insert_workspace(
    *,
    owner: User,
    template: Template,
    name: str,
    latest_build_id: UUID,
    now: datetime,
    ttl_seconds: int | None = None,
    autostart_schedule: str = "",
    automatic_updates: AutomaticUpdates = AutomaticUpdates.NEVER,
) -> Workspace:
    """Insert a person's workspace; its first build follows in the same transaction.

    Raises NameTaken when the owner has a live workspace of that name, and InvalidLifecycle.
    """
    fresh = lifecycle.fresh_lifecycle(
        policy_of(template),
        ttl_seconds=ttl_seconds,
        autostart_schedule=autostart_schedule,
        automatic_updates=automatic_updates,
        now=now,
    )
    workspace = Workspace(
        organization_id=template.organization_id,
        owner=owner,
        template=template,
        name=name,
        created_at=now,
        updated_at=now,
        latest_build_id=latest_build_id,
        **asdict(fresh),
    )
    with _refusing_taken(name), transaction.atomic():
        workspace.save(force_insert=True)
    return workspace


def transfer_ownership(
    workspace: Workspace,
    *,
    owner: User,
    name: str,
    now: datetime,
    latest_build_id: UUID | None = None,
    ttl_seconds: int | None = None,
    autostart_schedule: str = "",
    automatic_updates: AutomaticUpdates = AutomaticUpdates.NEVER,
) -> None:
    """Hand a (locked) prebuild to a person: from here on it is theirs (semantics.md 14).

    The lifecycle fields become what a fresh workspace gets. `latest_build_id` is that of a build
    which follows in the same transaction. Raises NameTaken, which ends the transaction, and
    InvalidLifecycle.
    """
    fresh = lifecycle.fresh_lifecycle(
        policy_of(workspace.template),
        ttl_seconds=ttl_seconds,
        autostart_schedule=autostart_schedule,
        automatic_updates=automatic_updates,
        now=now,
    )
    changes = {
        "owner": owner,
        "name": name,
        "updated_at": now,
        "pool_preset": None,
        **asdict(fresh),
    }
    if latest_build_id is not None:
        changes["latest_build_id"] = latest_build_id
    for field, value in changes.items():
        setattr(workspace, field, value)
    with _refusing_taken(name):  # without a savepoint: who cannot have the name gets nothing
        workspace.save(update_fields=changes)


def rename_workspace(*, workspace_id: UUID, name: str, actor: Actor, now: datetime) -> Workspace:
    """Give a person's live workspace another name; nothing is written when it has that one.

    Raises InvalidName, NameTaken, WorkspaceDeleted and PrebuildKeepsItsName.
    """
    check_name(name)
    with transaction.atomic():
        workspace = locks.lock_workspace(workspace_id)
        if workspace.deleted_at is not None:
            raise WorkspaceDeleted
        if workspace.is_prebuild:
            raise PrebuildKeepsItsName
        before = workspace.name
        if name != before:
            workspace.name, workspace.updated_at = name, now
            with _refusing_taken(name), transaction.atomic():
                workspace.save(update_fields=("name", "updated_at"))
            audit.record(
                actor=actor,
                action="rename",
                target=workspace,
                now=now,
                before={"name": before},
                after={"name": name},
            )
    return workspace


def policy_of(template: Template) -> lifecycle.LifecyclePolicy:
    """Return what a template says about the lifecycle of its workspaces."""
    return lifecycle.LifecyclePolicy(
        default_ttl_seconds=template.default_ttl_seconds,
        allow_user_autostart=template.allow_user_autostart,
        allow_user_autostop=template.allow_user_autostop,
        time_til_dormant_seconds=template.time_til_dormant_seconds,
        time_til_dormant_autodelete_seconds=template.time_til_dormant_autodelete_seconds,
    )


@contextmanager
def _refusing_taken(name: str) -> Iterator[None]:
    """Say NameTaken where the database says that the owner has a live workspace of the name."""
    try:
        yield
    except IntegrityError as error:
        if NAME_CONSTRAINT in str(error):
            raise NameTaken(name) from error
        raise
