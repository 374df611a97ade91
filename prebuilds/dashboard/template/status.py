"""How a template stands, in one word with an icon: never by colour alone. Pure."""

from dataclasses import dataclass
from typing import Final

from prebuilds.dashboard.base.wording import say_count
from templates_app.models import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How it is shown. `detail` says what the word leaves open."""

    key: str
    word: str
    icon: str
    tone: str
    detail: str = ""


WORDS: Final = {
    "active": ("Active", "circle-check", "good"),
    "unusable": ("No active version", "alert-triangle", "warn"),
    "deprecated": ("Deprecated", "archive", "warn"),
    "draining": ("Draining", "droplet-down", "busy"),
    "deleted": ("Deleted", "trash", "off"),
}
CHOICES: Final = tuple((key, word) for key, (word, _, _) in WORDS.items())


def status_of(template: Template, *, prebuilds: int) -> Status:
    """Return how a template stands that has so many prebuilds left."""
    left = say_count(prebuilds, "prebuild")
    if template.deleted_at is not None:
        return _look("draining", f"deleted, {left} left") if prebuilds else _look("deleted")
    if template.deprecation_message:
        return _look("draining", f"deprecated, {left} left") if prebuilds else _look("deprecated")
    return _look("active" if template.active_version_id else "unusable")


def _look(key: str, detail: str = "") -> Status:
    word, icon, tone = WORDS[key]
    return Status(key=key, word=word, icon=icon, tone=tone, detail=detail)
