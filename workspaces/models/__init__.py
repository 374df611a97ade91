"""Tables of what is built: workspaces, builds, jobs, agents, daemons.

Read in the order workspace → job → build → agent; rows are locked in the order
workspace → build → job.
"""

from workspaces.models.agent import Agent, AgentLog, WorkspaceResource
from workspaces.models.build import BuildParameter, WorkspaceBuild
from workspaces.models.job import JobLog, ProvisionerDaemon, ProvisionerJob, ProvisionerKey
from workspaces.models.workspace import Workspace

__all__ = [
    "Agent",
    "AgentLog",
    "BuildParameter",
    "JobLog",
    "ProvisionerDaemon",
    "ProvisionerJob",
    "ProvisionerKey",
    "Workspace",
    "WorkspaceBuild",
    "WorkspaceResource",
]
