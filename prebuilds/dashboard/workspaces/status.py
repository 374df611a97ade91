"""One word for how a workspace is, out of its latest build and its agents. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workspaces.enums import JobStatus, LifecycleState, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A state's word, with the icon and the tone it is shown in."""

    word: str
    icon: str
    tone: str
    is_busy: bool = False
    is_on: bool = False


_RUNNING: Final = {
    Transition.START: "Building",
    Transition.STOP: "Stopping",
    Transition.DELETE: "Deleting",
}
_VERB: Final = {Transition.START: "Start", Transition.STOP: "Stop", Transition.DELETE: "Delete"}
_FAULTS: Final = {
    LifecycleState.START_ERROR: "Start-up failed",
    LifecycleState.START_TIMEOUT: "Start-up takes too long",
    LifecycleState.SHUTDOWN_ERROR: "Shutdown failed",
    LifecycleState.SHUTDOWN_TIMEOUT: "Shutdown takes too long",
}


def status_of(transition: str, job_status: str, agents: Sequence[str]) -> Status:
    """Return the status of a workspace whose latest build is this one."""
    wanted = Transition(transition)
    match JobStatus(job_status):
        case JobStatus.PENDING:
            word = f"{_VERB[wanted]} is queued"
            return Status(word=word, icon="hourglass", tone="busy", is_busy=True)
        case JobStatus.RUNNING:
            return Status(word=_RUNNING[wanted], icon="loader-2", tone="busy", is_busy=True)
        case JobStatus.CANCELING:
            word = f"{_VERB[wanted]} is being canceled"
            return Status(word=word, icon="x", tone="warn", is_busy=True)
        case JobStatus.CANCELED:
            return Status(word=f"{_VERB[wanted]} canceled", icon="x", tone="warn")
        case JobStatus.FAILED:
            return Status(word=f"{_VERB[wanted]} failed", icon="alert-triangle", tone="bad")
        case JobStatus.SUCCEEDED:
            return _settled(wanted, agents)


def _settled(transition: Transition, agents: Sequence[str]) -> Status:
    if transition == Transition.STOP:
        return Status(word="Stopped", icon="player-stop", tone="off")
    if transition == Transition.DELETE:
        return Status(word="Deleted", icon="trash", tone="off")
    return _running(agents)


def _running(agents: Sequence[str]) -> Status:
    if fault := next((_FAULTS[s] for s in map(LifecycleState, agents) if s in _FAULTS), ""):
        return Status(word=fault, icon="alert-triangle", tone="bad", is_on=True)
    if agents and set(agents) == {LifecycleState.READY}:
        return Status(word="Ready", icon="circle-check", tone="good", is_on=True)
    if set(agents) & {LifecycleState.OFF, LifecycleState.SHUTTING_DOWN}:
        return Status(word="Agent is off", icon="plug-connected-x", tone="warn", is_on=True)
    word = "Starting up" if agents else "Running, without an agent"
    return Status(word=word, icon="loader-2", tone="busy", is_busy=bool(agents), is_on=True)
