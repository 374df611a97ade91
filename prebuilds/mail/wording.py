"""What mails say of each kind of notice, and how an error's words are made fit for a mail.

A mail leaves the house, so what looks like a password or a token in an error is masked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prebuilds.masking import mask_secrets
from prebuilds.models import Notice, NoticeKind

LONGEST_SUBJECT: Final = 200
LONGEST_ERROR: Final = 1_200
LINES_OF_ERROR: Final = 20

LONGEST_END: Final = 120

# Colours; titles and links; what is left of controls, and what turns the direction of writing.
_CONTROLS: Final = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]"
    r"|\x1b\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a kind of notice means, and what somebody should do about it."""

    meaning: str
    remedy: str


ADVICE: Final[Mapping[str, Advice]] = {
    NoticeKind.HARD_LIMITED: Advice(
        meaning="The newest builds of this pool all failed, so it has stopped. Nothing is built "
        "until somebody presses Retry.",
        remedy="Mend what the error names, then press Retry on the preset's page.",
    ),
    NoticeKind.VALIDATION_FAILED: Advice(
        meaning="A value of this preset is not allowed, so nothing is built for its pool.",
        remedy="Edit the preset or make a new version. If the cause was elsewhere, press Retry on "
        "the preset's page.",
    ),
    NoticeKind.BAD_SCHEDULE: Advice(
        meaning="A schedule of this preset cannot be read. The preset's own number holds until "
        "it is mended.",
        remedy="Edit the schedule or its time zone on the preset's page.",
    ),
    NoticeKind.QUOTA: Advice(
        meaning="The quota of the prebuilds group is used up, so this pool is held back.",
        remedy="Raise the group's allowance, or lower the desired instances of a pool.",
    ),
    NoticeKind.QUOTA_WARNING: Advice(
        meaning="The quota of the prebuilds group is nearly used up. Then pools are held back.",
        remedy="Raise the group's allowance, or lower the desired instances of a pool.",
    ),
    NoticeKind.STUCK_DELETION: Advice(
        meaning="Prebuilt workspaces of this pool could not be deleted, again and again. It is "
        "not tried any more by itself.",
        remedy="Mend what the error names, then delete them from their pages.",
    ),
    NoticeKind.RESOURCE_REPLACED: Advice(
        meaning="Somebody was given a ready workspace, and parts of it had to be made anew. So "
        "the pool saved them little or nothing.",
        remedy="Change the template so that the owner's name replaces no resource, or tell it to "
        "ignore such changes; then promote the new version.",
    ),
}


def say_names(notice: Notice) -> Mapping[str, str]:
    """Return the names of all a notice is about, which were fetched with it; each on one line."""
    names = {"organization": str(notice.organization)}
    if preset := notice.preset:
        version = preset.version
        names |= {"template": str(version.template), "version": version.name, "preset": preset.name}
    return {what: _one_line(name) for what, name in names.items()}


def say_where(notice: Notice) -> str:
    """Return what the notice is about; its preset's version and template were fetched with it."""
    names = say_names(notice)
    return f"{names['template']} / {names['preset']}" if notice.preset else names["organization"]


def say_subject(text: str) -> str:
    """Return a subject on one line, as long as mail programs show at most."""
    line = _one_line(text)
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 2]} …"


def say_error(text: str) -> str:
    """Return an error's words without secrets; of a long one the beginning and the end."""
    clean = mask_secrets(_CONTROLS.sub("", text.replace("\r\n", "\n"))).strip()
    lines = clean.split("\n")
    if len(lines) > LINES_OF_ERROR:
        half = LINES_OF_ERROR // 2
        clean = "\n".join([*lines[:half], "…", *lines[-half:]])
    if len(clean) > LONGEST_ERROR:
        half = LONGEST_ERROR // 2
        clean = f"{clean[:half].rstrip()}\n…\n{clean[-half:].lstrip()}"
    return clean


def say_gist(text: str) -> str:
    """Return an error's first words and its last, where errors end; without secrets."""
    lines = [line.strip() for line in say_error(text).split("\n") if line.strip()]
    ends = [_cut(line) for line in (lines[:1] if len(lines) < 2 else [lines[0], lines[-1]])]
    return " … ".join(ends)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_END else f"{line[: LONGEST_END - 2]} …"


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", text).split())
