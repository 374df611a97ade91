"""Change a preset that exists: status, retry, invalidation, desired instances."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts import audit
from accounts.audit import THE_SYSTEM, Actor
from templates_app import locks, selectors
from templates_app.enums import PrebuildStatus
from templates_app.errors import InvalidPreset
from templates_app.models import Preset
from templates_app.services.preset_edits import label_of


def mark_validation_failed(*, preset_id: UUID, reason: str, now: datetime) -> bool:
    """Note that a preset's parameters do not validate (semantics.md 10); False if it was noted."""
    return bool(
        Preset.objects.filter(pk=preset_id)
        .exclude(prebuild_status=PrebuildStatus.VALIDATION_FAILED, status_reason=reason)
        .update(
            prebuild_status=PrebuildStatus.VALIDATION_FAILED,
            status_reason=reason,
            status_since=now,
            updated_at=now,
        )
    )


def set_preset_status(
    *, preset_id: UUID, before: PrebuildStatus, after: PrebuildStatus, reason: str, now: datetime
) -> bool:
    """Change a preset's status if it still is what the decision saw; else False."""
    return bool(
        Preset.objects.filter(pk=preset_id, prebuild_status=before).update(
            prebuild_status=after, status_reason=reason, status_since=now, updated_at=now
        )
    )


def set_desired_instances(
    *, preset_id: UUID, desired_instances: int | None, now: datetime, actor: Actor = THE_SYSTEM
) -> None:
    """Change how many prebuilds a preset wants when no schedule says otherwise.

    Raises InvalidPreset for a negative number.
    """
    if desired_instances is not None and desired_instances < 0:
        raise InvalidPreset([("desired_instances", f"{desired_instances} is less than none.")])
    with transaction.atomic():
        preset = locks.lock_preset(preset_id)
        Preset.objects.filter(pk=preset_id).update(
            desired_instances=desired_instances, revision=F("revision") + 1, updated_at=now
        )
        audit.record(
            actor=actor,
            action="edit",
            target=preset,
            now=now,
            before={"desired_instances": preset.desired_instances},
            after={"desired_instances": desired_instances},
            label=label_of(preset),
        )


def retry_preset(*, preset_id: UUID, now: datetime, actor: Actor = THE_SYSTEM) -> None:
    """Forget past failures: the next cycle tries again ("Retry", semantics.md 9 and 10)."""
    with transaction.atomic():
        preset = locks.lock_preset(preset_id)
        Preset.objects.filter(pk=preset_id).update(
            failures_reset_at=now,
            prebuild_status=PrebuildStatus.HEALTHY,
            status_reason="",
            status_since=now,
            updated_at=now,
        )
        audit.record(
            actor=actor,
            action="retry",
            target=preset,
            now=now,
            before={"prebuild_status": preset.prebuild_status, "reason": preset.status_reason},
            after={"prebuild_status": PrebuildStatus.HEALTHY},
            label=label_of(preset),
        )


def set_desired_instances_of(
    *, preset_ids: Sequence[UUID], desired_instances: int, now: datetime, actor: Actor = THE_SYSTEM
) -> int:
    """Give many presets the same number, all or none; return how many there still were.

    Raises InvalidPreset for a negative number.
    """
    if desired_instances < 0:
        raise InvalidPreset([("desired_instances", f"{desired_instances} is less than none.")])
    with transaction.atomic():
        presets = locks.lock_presets(preset_ids)
        Preset.objects.filter(pk__in=[preset.pk for preset in presets]).update(
            desired_instances=desired_instances, revision=F("revision") + 1, updated_at=now
        )
        audit.record_each(
            audit.entry_of(
                actor=actor,
                action="edit",
                target=preset,
                now=now,
                before={"desired_instances": preset.desired_instances},
                after={"desired_instances": desired_instances},
                label=label_of(preset),
            )
            for preset in presets
        )
    return len(presets)


def retry_presets(*, preset_ids: Sequence[UUID], now: datetime, actor: Actor = THE_SYSTEM) -> int:
    """Forget past failures of many presets, all or none; return how many there still were."""
    with transaction.atomic():
        presets = locks.lock_presets(preset_ids)
        Preset.objects.filter(pk__in=[preset.pk for preset in presets]).update(
            failures_reset_at=now,
            prebuild_status=PrebuildStatus.HEALTHY,
            status_reason="",
            status_since=now,
            updated_at=now,
        )
        audit.record_each(
            audit.entry_of(
                actor=actor,
                action="retry",
                target=preset,
                now=now,
                before={
                    "prebuild_status": preset.prebuild_status,
                    "reason": preset.status_reason,
                },
                after={"prebuild_status": PrebuildStatus.HEALTHY},
                label=label_of(preset),
            )
            for preset in presets
        )
    return len(presets)


def invalidate_presets(
    *, preset_ids: Sequence[UUID], now: datetime, actor: Actor = THE_SYSTEM
) -> int:
    """Stamp presets: every prebuild made before is expired at once (semantics.md 5).

    Returns how many presets were stamped; nothing is deleted here.
    """
    with transaction.atomic():
        presets = locks.lock_presets(preset_ids)
        _stamp(presets, actor, now)
    return len(presets)


def invalidate_template(
    *, template_id: UUID, now: datetime, actor: Actor = THE_SYSTEM
) -> list[Preset]:
    """Stamp every preset of the template's active version, and return them by name.

    The template's row lock keeps a promotion from passing in between. Raises
    Template.DoesNotExist.
    """
    with transaction.atomic():
        locks.lock_template(template_id)
        named = selectors.active_presets(template_id).values_list("pk", flat=True)
        presets = locks.lock_presets(list(named))
        _stamp(presets, actor, now)
    return sorted(presets, key=lambda preset: preset.name)


def _stamp(presets: Sequence[Preset], actor: Actor, now: datetime) -> None:
    keys = [preset.pk for preset in presets]
    Preset.objects.filter(pk__in=keys).update(last_invalidated_at=now, updated_at=now)
    audit.record_each(
        audit.entry_of(
            actor=actor,
            action="invalidate",
            target=preset,
            now=now,
            before={"last_invalidated_at": _as_text(preset.last_invalidated_at)},
            after={"last_invalidated_at": _as_text(now)},
            label=label_of(preset),
        )
        for preset in presets
    )


def _as_text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
