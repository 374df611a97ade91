"""Change a preset that exists: status, retry, invalidation, desired instances."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts import audit
from accounts.audit import THE_SYSTEM, Actor
from templates_app.enums import PrebuildStatus
from templates_app.errors import InvalidPreset
from templates_app.models import Preset


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
        preset = Preset.objects.get(pk=preset_id)
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
        )


def retry_preset(*, preset_id: UUID, now: datetime, actor: Actor = THE_SYSTEM) -> None:
    """Forget past failures: the next cycle tries again ("Retry", semantics.md 9 and 10)."""
    with transaction.atomic():
        preset = Preset.objects.get(pk=preset_id)
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
        )


def invalidate_presets(
    *, preset_ids: Sequence[UUID], now: datetime, actor: Actor = THE_SYSTEM
) -> int:
    """Stamp presets: every prebuild made before is expired at once (semantics.md 5).

    Returns how many presets were stamped; nothing is deleted here.
    """
    with transaction.atomic():
        presets = list(Preset.objects.filter(pk__in=preset_ids))
        Preset.objects.filter(pk__in=preset_ids).update(last_invalidated_at=now, updated_at=now)
        for preset in presets:
            audit.record(
                actor=actor,
                action="invalidate",
                target=preset,
                now=now,
                before={"last_invalidated_at": _as_text(preset.last_invalidated_at)},
                after={"last_invalidated_at": _as_text(now)},
            )
    return len(presets)


def invalidate_template(*, template_id: UUID, now: datetime, actor: Actor = THE_SYSTEM) -> int:
    """Stamp every preset of the template's active version; return how many there are."""
    presets = Preset.objects.filter(version__template__pk=template_id).filter(
        version=F("version__template__active_version")
    )
    return invalidate_presets(
        preset_ids=list(presets.values_list("pk", flat=True)), now=now, actor=actor
    )


def _as_text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
