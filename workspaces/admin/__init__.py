"""The admin pages of workspaces and their queue: everything to look at, nothing to change.

Builds, jobs and agents are a state machine that services and daemons drive; a row edited here
would be a state nobody made.
"""

from workspaces.admin import agents, queue, workspaces

__all__ = ["agents", "queue", "workspaces"]
