"""What is wrong with a pool and what to do: open notices, and attempts that failed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prebuilds.dashboard.notices.advice import (
    ADVICE,
    May,
    Remedy,
    find_remedy,
    say_following,
    subject_of_notice,
)
from prebuilds.masking import mask_secrets
from prebuilds.models import Notice, NoticeKind
from templates_app.models import Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """An open notice with what to do about it."""

    notice: Notice
    advice: str
    remedy: Remedy | None
    cost: int
    has_attempts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """A failed attempt with the end of what it wrote, oldest line first."""

    build: Any
    why: str
    log: str
    is_forgotten: bool


def advise(notices: Iterable[Any], *, may: May) -> tuple[NoticeView, ...]:
    """Return the open notices, each with what to do; `may` is about the preset's organization."""
    return tuple(_advise(notice, may) for notice in notices if notice.closed_at is None)


def present_attempts(builds: Iterable[Any], preset: Preset) -> Iterator[AttemptView]:
    """Return failed attempts in words."""
    reset = preset.failures_reset_at
    for build in builds:
        lines = [*reversed(build.job_lines), *reversed(build.agent_lines)]
        never = "It ran, but its agent never became ready in time." if build.never_ready else ""
        yield AttemptView(
            build=build,
            why=mask_secrets(build.job.error) or never or "The build failed and did not say why.",
            log=mask_secrets("\n".join(lines)),
            is_forgotten=bool(reset and (build.job.completed_at or build.created_at) <= reset),
        )


def _advise(notice: Any, may: May) -> NoticeView:
    words = (say_following(notice.kind, may=may), ADVICE[notice.kind].todo)
    return NoticeView(
        notice=notice,
        advice=" ".join(filter(None, words)),
        remedy=find_remedy(subject_of_notice(notice), may=may),
        cost=notice.cost,
        has_attempts=notice.kind == NoticeKind.HARD_LIMITED,
    )
