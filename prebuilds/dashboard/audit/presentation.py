"""Say an audit entry as a person would: who did what, and each value before and after. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.urls import NoReverseMatch, reverse

from accounts.models import AuditEntry
from prebuilds.dashboard.base.wording import say_word

PAGES: Final = {
    "preset": "dashboard:preset",
    "template": "dashboard:template",
    "templateversion": "dashboard:version",
    "workspace": "dashboard:workspace",
    "provisionerjob": "dashboard:job",
    "user": "dashboard:person",
    "organization": "dashboard:organization",
    "group": "dashboard:group",
}
"""Which page shows an object of which type; a type without a page is a plain name."""
TYPES: Final = {
    "prebuildssettings": "settings",
    "templateversion": "template version",
    "provisionerdaemon": "provisioner",
    "provisionerjob": "provisioner job",
    "provisionerkey": "provisioner key",
    "signintries": "sign-in",
    "token": "API token",
    "user": "person",
}
LONGEST: Final = 300
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value: what it was and what it is; None for a side that was not written down."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One line of the log."""

    entry: AuditEntry
    who: str
    deed: str
    kind: str
    url: str
    differences: tuple[Difference, ...]


def present_entry(entry: AuditEntry) -> EntryView:
    """Return the entry in words; its actor was fetched with it."""
    return EntryView(
        entry=entry,
        who=entry.actor.display_name if entry.actor else entry.get_source_display(),
        deed=say_word(entry.action),
        kind=say_type(entry.object_type),
        url=_page_of(entry),
        differences=tuple(_differences(entry.before, entry.after)),
    )


def say_type(object_type: str) -> str:
    """Return what a table calls itself as people call it."""
    return TYPES.get(object_type, object_type)


def _page_of(entry: AuditEntry) -> str:
    if entry.object_type == "prebuildssettings":
        return reverse("dashboard:settings")
    name = PAGES.get(entry.object_type)
    if name is None or entry.action == "delete":
        return ""
    try:
        return reverse(name, args=[entry.object_id])
    except NoReverseMatch:  # no such page, or an id from before it had this form
        return ""


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in {**before, **after}:
        yield Difference(
            name=say_word(name),
            old=_say(before[name]) if name in before else None,
            new=_say(after[name]) if name in after else None,
        )


def _say(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list() if all(isinstance(each, str | int) for each in value):
            return _short(", ".join(map(str, value)))
        case list() | dict():
            return _short(json.dumps(value, ensure_ascii=False))
        case str() if INSTANT.match(value):
            return _say_instant(value)
        case _:
            return _short(str(value))


def _say_instant(text: str) -> str:
    """Return a stored instant without what nobody reads; what is none stays as it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _short(text)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at.tzinfo else _short(text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
