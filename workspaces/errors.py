"""What can go wrong about workspaces and the queue.

WorkspacesError
├── NameTaken           the owner has a live workspace of that name
├── InvalidName         the name cannot be used
├── BuildInProgress     the workspace has an unfinished build
├── QuotaExceeded       the owner's groups do not allow the cost
├── WorkspaceDeleted    the workspace is gone
├── LeaseLost           the job is no longer this daemon's
└── UnknownAgentToken   no live workspace has an agent with this token
"""


class WorkspacesError(Exception):
    """Something about a workspace or a job is not as it must be."""


class NameTaken(WorkspacesError):
    """You already have a workspace of that name. Choose another name or delete the old one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'You already have a workspace named "{name}". Choose another name, or delete that one.'
        )


class InvalidName(WorkspacesError):
    """The name cannot be used for a workspace."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'"{name}" cannot be a workspace name: use 1 to 32 letters, digits and single hyphens, '
            "beginning and ending with a letter or digit."
        )


class BuildInProgress(WorkspacesError):
    """This workspace has an unfinished build. Wait for it, or cancel it."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class QuotaExceeded(WorkspacesError):
    """The build costs more than the owner's groups allow."""

    def __init__(self, *, cost: int, used: int, allowance: int) -> None:
        super().__init__(
            f"This workspace costs {cost} a day, and {used} of your {allowance} are in use. Delete "
            "a workspace, or ask an administrator for a larger quota."
        )


class WorkspaceDeleted(WorkspacesError):
    """This workspace was deleted."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class LeaseLost(WorkspacesError):
    """This job is no longer yours: its lease was taken back. Stop working on it."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class UnknownAgentToken(WorkspacesError):
    """No live workspace has an agent with this token."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)
