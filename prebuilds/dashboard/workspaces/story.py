"""A workspace's life in sentences: a prebuild claimed warm, or built cold; stopped. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from accounts.system import PREBUILDS_USER_ID
from prebuilds.dashboard.base.wording import say_duration
from prebuilds.dashboard.workspaces.queries import Details
from prebuilds.models import Claim, ClaimOutcome, ClaimReason
from workspaces.enums import JobStatus, LifecycleState, Stage, Transition
from workspaces.models import Agent, WorkspaceBuild

READY_IN_POOL: Final = "Ready in the pool, for whoever asks first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened."""

    at: datetime
    icon: str
    tone: str
    text: str


def tell_story(details: Details) -> list[Step]:
    """Return what happened, oldest first."""
    steps = []
    if details.claim and details.claim.outcome == ClaimOutcome.WARM:
        if built := _last_ready(details.first_agents):
            steps.append(Step(at=built, icon="circle-check", tone="good", text=READY_IN_POOL))
        steps.append(_claimed(details.claim))  # at the same instant as its build, and before it
    steps += [_build_step(build, details) for build in details.builds]
    steps += _endings(details)
    if ready := _ready_at(details):
        steps.append(Step(at=ready, icon="circle-check", tone="good", text="Ready to use."))
    return sorted(steps, key=lambda step: step.at)


def _claimed(claim: Claim) -> Step:
    took = say_duration(timedelta(seconds=claim.duration_seconds))
    text = f"Claimed by {claim.user.display_name} in {took}: it was ready before they asked."
    return Step(at=claim.created_at, icon="bolt", tone="good", text=text)


def _build_step(build: WorkspaceBuild, details: Details) -> Step:
    icon = {"start": "player-play", "stop": "player-stop", "delete": "trash"}[build.transition]
    return Step(at=build.created_at, icon=icon, tone="off", text=_build_text(build, details.claim))


def _build_text(build: WorkspaceBuild, claim: Claim | None) -> str:
    who = build.initiator.display_name
    if build.stage == Stage.PREBUILD_CLAIM:
        return f"Its agent was told to start again as {who}."
    if build.stage == Stage.PREBUILD_CREATE and build.build_number == 1:
        preset = build.preset.name if build.preset else "a preset"
        return f"Asked for as a prebuild of preset {preset}."
    if build.build_number == 1:
        return f"Asked for by {who}. {_why_cold(claim)}".strip()
    by = "the reconciler" if build.initiator_id == PREBUILDS_USER_ID else who
    return f"{Transition(build.transition).label} asked for by {by}."


def _why_cold(claim: Claim | None) -> str:
    if claim is None or claim.outcome != ClaimOutcome.COLD:
        return ""
    return f"Built from scratch: {ClaimReason(claim.reason).label.lower()}."


def _endings(details: Details) -> Iterator[Step]:
    for build in details.builds:
        finished = build.job.completed_at
        if finished is None:
            continue
        took = say_duration(finished - build.created_at)
        if build.job.status == JobStatus.FAILED:
            text = f"Build {build.build_number} failed after {took}: {_first_line(build.job.error)}"
            yield Step(at=finished, icon="alert-triangle", tone="bad", text=text)
        elif build.job.status == JobStatus.CANCELED:
            yield Step(at=finished, icon="x", tone="warn", text=f"Canceled after {took}.")
        elif build.transition != Transition.START:
            word = "Stopped" if build.transition == Transition.STOP else "Deleted"
            yield Step(at=finished, icon="check", tone="off", text=f"{word} after {took}.")


def _ready_at(details: Details) -> datetime | None:
    is_ready = all(agent.lifecycle_state == LifecycleState.READY for agent in details.agents)
    return _last_ready(details.agents) if is_ready else None


def _last_ready(agents: Sequence[Agent]) -> datetime | None:
    """Return when the last of the agents was ready; None when one never was."""
    instants = [agent.ready_at for agent in agents if agent.ready_at is not None]
    return max(instants) if instants and len(instants) == len(agents) else None


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
