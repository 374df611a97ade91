"""Open, change and close notices, so that they last as long as their cause (semantics.md 21).

The decisions of a cycle say what is the matter; the open rows say what people were told. Only
the difference is written, with the mails about it. Two at once are safe: the table allows one
open notice of a kind.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from prebuilds.core.actions import Decision
from prebuilds.core.incidents import (
    Incident,
    IncidentKind,
    notices_due,
    quota_warnings,
    still_nearly_used_up,
)
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import Snapshot
from prebuilds.mail.writing import write_mails
from prebuilds.models import Notice, NoticeKind
from prebuilds.notices.reading import (
    Row,
    count_cold_starts,
    last_errors,
    last_failures,
    read_rows,
)

logger = logging.getLogger(__name__)

AT_ONCE: Final = 1_000
NEVER_READY: Final = "The prebuilt workspaces started, but never became ready."
NO_WORDS: Final = "The deletions failed without saying why."

Key = tuple[str, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a sync wrote; empty when people knew everything already."""

    opened: Sequence[Notice] = ()
    changed: Sequence[Notice] = ()
    closed: Sequence[Notice] = ()


@dataclass(slots=True, kw_only=True)
class _Difference:
    """What is the matter, against what people were told."""

    missing: list[Incident] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    stale: list[tuple[UUID, Incident]] = field(default_factory=list)
    over: list[UUID] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.events or self.stale or self.over)


def sync_notices(
    *,
    decisions: Sequence[Decision],
    snapshot: Snapshot,
    policy: Policy,
    left_alone: Collection[UUID] = (),
    now: datetime,
) -> Changes:
    """Open the notices that are due, rewrite those whose words changed, close the rest.

    One statement when nothing changed; else one transaction more. `left_alone`: presets and
    organizations this cycle did not look at; theirs stay as they are.
    """
    due, poisoned = _find_due(decisions, policy)
    due |= {_key(one): one for one in quota_warnings(snapshot, left_alone)}
    untouched = {*left_alone, *poisoned, *still_nearly_used_up(snapshot, decisions)}
    difference = _compare(due, read_rows(now), untouched=untouched)
    return _write(difference, now) if difference else Changes()


def close_of_preset(preset_id: UUID, *, now: datetime) -> None:
    """Close and tell what is open about a preset that the caller's transaction deletes."""
    still_open = Notice.objects.filter(preset=preset_id, closed_at__isnull=True)
    closed = _close(list(still_open.values_list("pk", flat=True)), now)
    write_mails(opened=(), closed=closed, now=now, without_preset=True)


def _find_due(
    decisions: Iterable[Decision], policy: Policy
) -> tuple[dict[Key, Incident], set[UUID]]:
    """Return what is the matter, and the presets of which that cannot be said."""
    due: dict[Key, Incident] = {}
    poisoned: set[UUID] = set()
    for decision in decisions:
        try:
            due |= {_key(one): one for one in notices_due(decision, policy)}
        except Exception:
            poisoned.add(decision.preset.id)
            logger.exception("find notices failed", extra={"preset": str(decision.preset.id)})
    return due, poisoned


def _key(incident: Incident) -> Key:
    """Return what there is one open notice of."""
    return incident.kind.value, incident.preset_id or incident.organization_id


def _compare(
    due: Mapping[Key, Incident], rows: Iterable[Row], untouched: Collection[UUID]
) -> _Difference:
    found, told = _Difference(), set[Key]()
    for row in rows:
        subject = row.preset_id or row.organization_id
        if row.id is None:
            found.events.append(row)
        elif row.claim_id:
            found.over += [row.id] * row.is_over
        elif incident := due.get((row.kind, subject)):
            told.add((row.kind, subject))
            found.stale += [(row.id, incident)] * _is_stale(row, incident)
        elif subject not in untouched:
            found.over.append(row.id)
    found.missing = [incident for key, incident in due.items() if key not in told]
    return found


def _is_stale(row: Row, incident: Incident) -> bool:
    """Return whether people read something that is no longer so."""
    reworded = bool(incident.detail) and incident.detail != row.detail
    return reworded or row.details != incident.facts


def _write(difference: _Difference, now: datetime) -> Changes:
    """Write the difference in one transaction."""
    with transaction.atomic():
        words = _find_words([*difference.missing, *(one for _, one in difference.stale)])
        opened = _open(
            [
                *(_notice(one, words[_key(one)], opened_at=now) for one in difference.missing),
                *(_notice_of_event(row, now) for row in difference.events),
            ]
        )
        changed = _rewrite(
            [
                _notice(one, words[_key(one)], id=notice_id, opened_at=now)
                for notice_id, one in difference.stale
            ]
        )
        closed = _close(difference.over, now)
        write_mails(opened=opened, closed=closed, now=now)
    _log_schedules([*opened, *changed])
    return Changes(opened=opened, changed=changed, closed=closed)


def _open(notices: Sequence[Notice]) -> Sequence[Notice]:
    """Insert notices; return those that nobody else had opened meanwhile."""
    if not notices:
        return ()
    Notice.objects.bulk_create(notices, ignore_conflicts=True, batch_size=AT_ONCE)
    return list(Notice.objects.filter(pk__in=[one.pk for one in notices]))


def _rewrite(notices: Sequence[Notice]) -> Sequence[Notice]:
    """Say it anew in notices that are still open."""
    if notices:
        still_open = Notice.objects.filter(closed_at__isnull=True)
        still_open.bulk_update(notices, ("detail", "details"), batch_size=AT_ONCE)
    return notices


def _close(notice_ids: Collection[UUID], now: datetime) -> Sequence[Notice]:
    """Close notices with the harm they did; return those that were still open."""
    if not notice_ids:
        return ()
    ending = Notice.objects.filter(pk__in=notice_ids)
    ending.filter(closed_at__isnull=True).update(
        closed_at=Greatest(Value(now), F("opened_at")), cold_starts=count_cold_starts(until=now)
    )
    return list(ending.filter(closed_at__gte=now))


def _notice(incident: Incident, detail: str, **fields: UUID | datetime) -> Notice:
    return Notice(
        kind=incident.kind.value,
        organization_id=incident.organization_id,
        preset_id=incident.preset_id,
        detail=detail,
        details=dict(incident.facts),
        **fields,
    )


def _notice_of_event(row: Row, now: datetime) -> Notice:
    replaced = "; ".join(f"{one['resource']} ({', '.join(one['paths'])})" for one in row.details)
    return Notice(
        kind=row.kind,
        organization_id=row.organization_id,
        preset_id=row.preset_id,
        claim_id=row.claim_id,
        detail=f"A claim had to make resources anew, so the pool was of no use to it: {replaced}.",
        details={"replacements": row.details},
        opened_at=now,
    )


def _find_words(incidents: Sequence[Incident]) -> dict[Key, str]:
    """Return what each incident says: its own words, or those of the newest failed build."""
    limited = [one.preset_id for one in incidents if one.kind == IncidentKind.HARD_LIMITED]
    failures = last_failures([each for each in limited if each]) if limited else {}
    stuck = [each for one in incidents for each in one.facts.get("workspaces", ())]
    errors = last_errors(stuck) if stuck else {}
    return {
        _key(one): one.detail
        or _words_of_deletions(one, errors)
        or (one.preset_id and failures.get(one.preset_id))
        or NEVER_READY
        for one in incidents
    }


def _words_of_deletions(incident: Incident, errors: Mapping[str, str]) -> str:
    if incident.kind != IncidentKind.STUCK_DELETION:
        return ""
    found = (errors[each] for each in incident.facts["workspaces"] if each in errors)
    return next(found, NO_WORDS)


def _log_schedules(notices: Iterable[Notice]) -> None:
    """Say a bad schedule once, and again when it is bad in another way (semantics.md 6)."""
    for notice in notices:
        if notice.kind == NoticeKind.BAD_SCHEDULE:
            logger.warning(
                "schedule cannot be read",
                extra={"preset": str(notice.preset_id), "problem": notice.detail},
            )
