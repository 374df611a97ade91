"""Edit, deprecate and delete a template. Workspaces made from it are other rooms' matter."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Actor
from templates_app import locks
from templates_app.errors import NameTaken, StaleTemplate, TemplateDeleted
from templates_app.models import Template
from templates_app.services.unchanged import UNCHANGED, Same


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChanges:
    """What an edit sets; spans are whole seconds, 0 = never."""

    name: str | Same = UNCHANGED
    display_name: str | Same = UNCHANGED
    description: str | Same = UNCHANGED
    icon: str | Same = UNCHANGED
    deprecation_message: str | Same = UNCHANGED
    default_ttl_seconds: int | Same = UNCHANGED
    allow_user_autostart: bool | Same = UNCHANGED
    allow_user_autostop: bool | Same = UNCHANGED
    time_til_dormant_seconds: int | Same = UNCHANGED
    time_til_dormant_autodelete_seconds: int | Same = UNCHANGED

    def given(self) -> dict[str, Any]:
        """Return the fields that are set."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not UNCHANGED}


def edit_template(
    *,
    template_id: UUID,
    updated_at: datetime | None,
    changes: TemplateChanges,
    actor: Actor,
    now: datetime,
) -> bool:
    """Change what a template says of itself and its policy; False when nothing changed.

    `updated_at` is that of the state the change was made on; None overwrites whatever there is.
    One transaction, under the template's row lock. Raises Template.DoesNotExist,
    TemplateDeleted, StaleTemplate, NameTaken.
    """
    return _change(template_id, updated_at, changes.given(), "edit", actor, now)


def deprecate_template(*, template_id: UUID, message: str, actor: Actor, now: datetime) -> bool:
    """Let nobody make workspaces from it any more and drain its pools; "" takes that back.

    False when the message is what it was. Raises Template.DoesNotExist, TemplateDeleted.
    """
    changes = {"deprecation_message": message}
    return _change(template_id, None, changes, "deprecate" if message else "revive", actor, now)


def delete_template(
    *, template_id: UUID, updated_at: datetime | None, actor: Actor, now: datetime
) -> Template:
    """Mark a template as deleted: its pools drain, its name is free, its history stays.

    Raises Template.DoesNotExist, TemplateDeleted, StaleTemplate.
    """
    with transaction.atomic():
        template = lock_live_template(template_id, updated_at)
        Template.objects.filter(pk=template_id).update(deleted_at=now, updated_at=now)
        audit.record(
            actor=actor,
            action="delete",
            target=template,
            now=now,
            before={"deleted_at": None},
            after={"deleted_at": now.isoformat()},
        )
    return template


def lock_live_template(template_id: UUID, updated_at: datetime | None = None) -> Template:
    """Lock a template that may still be changed. Raises TemplateDeleted, StaleTemplate."""
    template = locks.lock_template(template_id)
    if template.deleted_at is not None:
        raise TemplateDeleted(TemplateDeleted.__doc__)
    if updated_at not in {None, template.updated_at}:
        raise StaleTemplate(StaleTemplate.__doc__)
    return template


def _change(
    template_id: UUID,
    updated_at: datetime | None,
    given: Mapping[str, Any],
    action: str,
    actor: Actor,
    now: datetime,
) -> bool:
    with transaction.atomic():
        template = lock_live_template(template_id, updated_at)
        after = {name: value for name, value in given.items() if value != getattr(template, name)}
        if after:
            _save(template_id, after, now)
            audit.record(
                actor=actor,
                action=action,
                target=template,
                now=now,
                before={name: getattr(template, name) for name in after},
                after=after,
            )
    return bool(after)


def _save(template_id: UUID, columns: Mapping[str, Any], now: datetime) -> None:
    try:
        with transaction.atomic():
            Template.objects.filter(pk=template_id).update(**columns, updated_at=now)
    except IntegrityError as error:
        if "template_name_unique" in str(error):
            raise NameTaken("template", columns["name"]) from error
        raise
