"""What is wrong with a pool and what to do: open notices, and attempts that failed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from prebuilds.models import Notice, NoticeKind
from templates_app.models import Preset

REMEDIES: Final = {
    NoticeKind.HARD_LIMITED: (
        "Nothing is built until somebody presses Retry. Mend the cause first.",
        "Retry",
        "dashboard:preset_retry",
    ),
    NoticeKind.VALIDATION_FAILED: (
        "Nothing is built until the parameters are mended.",
        "Edit preset",
        "dashboard:preset_edit",
    ),
    NoticeKind.BAD_SCHEDULE: (
        "The pool goes on with its own number until the schedule is mended.",
        "Edit preset",
        "dashboard:preset_edit",
    ),
    NoticeKind.QUOTA: (
        "Raise the allowance of a group the prebuilds user is in, or ask for fewer prebuilds.",
        "Set desired",
        "dashboard:preset_desired",
    ),
    NoticeKind.QUOTA_WARNING: (
        "Raise the allowance of a group the prebuilds user is in.",
        "",
        "",
    ),
    NoticeKind.STUCK_DELETION: (
        "It is left alone now. Open it below, mend the cause and delete it by hand.",
        "",
        "",
    ),
    NoticeKind.RESOURCE_REPLACED: (
        "A claim rebuilt what was ready. Make the template ignore what is named here.",
        "",
        "",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """An open notice with the one thing to do about it; `url_name` is where, for this preset."""

    notice: Notice
    advice: str
    verb: str
    url_name: str
    cost: int
    has_attempts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """A failed attempt with the end of what it wrote, oldest line first."""

    build: Any
    why: str
    log: str
    is_forgotten: bool


def advise(notices: Iterable[Any]) -> tuple[NoticeView, ...]:
    """Return the open notices, each with what to do."""
    return tuple(_advise(notice) for notice in notices if notice.closed_at is None)


def present_attempts(builds: Iterable[Any], preset: Preset) -> Iterator[AttemptView]:
    """Return failed attempts in words."""
    reset = preset.failures_reset_at
    for build in builds:
        lines = [*reversed(build.job_lines), *reversed(build.agent_lines)]
        never = "It ran, but its agent never became ready in time." if build.never_ready else ""
        yield AttemptView(
            build=build,
            why=build.job.error or never or "The build failed and did not say why.",
            log="\n".join(lines),
            is_forgotten=bool(reset and (build.job.completed_at or build.created_at) <= reset),
        )


def _advise(notice: Any) -> NoticeView:
    advice, verb, url_name = REMEDIES[NoticeKind(notice.kind)]
    return NoticeView(
        notice=notice,
        advice=advice,
        verb=verb,
        url_name=url_name,
        cost=notice.cost,
        has_attempts=notice.kind == NoticeKind.HARD_LIMITED,
    )
