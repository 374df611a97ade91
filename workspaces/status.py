"""One word for how a workspace is: what its latest build does, and how that goes. Pure."""

from datetime import datetime, timedelta
from typing import Final, assert_never

from workspaces.enums import AgentStatus, JobStatus, Transition, WorkspaceStatus

DISCONNECTED_AFTER: Final = timedelta(seconds=90)
"""An agent says every 30 s that it is alive; one that missed three counts as away."""

_UNDER_WAY: Final = {
    Transition.START: WorkspaceStatus.STARTING,
    Transition.STOP: WorkspaceStatus.STOPPING,
    Transition.DELETE: WorkspaceStatus.DELETING,
}
_DONE: Final = {
    Transition.START: WorkspaceStatus.RUNNING,
    Transition.STOP: WorkspaceStatus.STOPPED,
    Transition.DELETE: WorkspaceStatus.DELETED,
}


def workspace_status(transition: str, job_status: str) -> WorkspaceStatus:
    """Return the status of a workspace whose latest build is this one."""
    match JobStatus(job_status):
        case JobStatus.PENDING:
            return WorkspaceStatus.PENDING
        case JobStatus.RUNNING:
            return _UNDER_WAY[Transition(transition)]
        case JobStatus.SUCCEEDED:
            return _DONE[Transition(transition)]
        case JobStatus.FAILED:
            return WorkspaceStatus.FAILED
        case JobStatus.CANCELING:
            return WorkspaceStatus.CANCELING
        case JobStatus.CANCELED:
            return WorkspaceStatus.CANCELED
        case unknown:
            assert_never(unknown)


def builds_of_status(status: WorkspaceStatus) -> list[tuple[Transition, JobStatus]]:
    """Return which latest builds mean this status: the other way round."""
    return [
        (transition, job_status)
        for transition in Transition
        for job_status in JobStatus
        if workspace_status(transition, job_status) == status
    ]


def agent_status(
    *,
    first_connected_at: datetime | None,
    last_connected_at: datetime | None,
    disconnected_at: datetime | None,
    now: datetime,
) -> AgentStatus:
    """Return whether an agent is there, from when it was heard of."""
    if first_connected_at is None or last_connected_at is None:
        return AgentStatus.CONNECTING
    if disconnected_at is not None and disconnected_at >= last_connected_at:
        return AgentStatus.DISCONNECTED
    if now - last_connected_at > DISCONNECTED_AFTER:
        return AgentStatus.DISCONNECTED
    return AgentStatus.CONNECTED
