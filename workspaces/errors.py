"""What can go wrong about workspaces and the queue.

WorkspacesError
├── NameTaken           the owner has a live workspace of that name
├── InvalidName         the name cannot be used
├── BuildInProgress     the workspace has an unfinished build
├── QuotaExceeded       the owner's groups do not allow the cost
├── WorkspaceDeleted    the workspace is gone
├── WorkspaceDormant    a dormant workspace must be woken before it starts
├── WorkspaceNotRunning only a running workspace can do this
├── NoDeadline          the workspace stops only when somebody stops it
├── PrebuildKeepsItsName  nobody has claimed the workspace, so nobody names it
├── JobEnded            the job is over, so nothing of it can be canceled
├── PrebuildHasNoLifecycle  nobody has claimed the workspace, so no time acts on it
├── InvalidLifecycle    a ttl, schedule or deadline cannot be used (carries field and detail)
├── LeaseLost           the job is no longer this daemon's
├── UnknownAgentToken   no live workspace has an agent with this token
├── InvalidKeyName      the name cannot be used for a provisioner key
├── KeyNameTaken        the organization has a live provisioner key of that name
├── UnknownProvisionerKey  no live provisioner key has this secret
├── UnknownDaemon       no daemon of this key has that id
├── UnknownJob          no job of this organization has that id
├── UnknownMachine      no daemon ever came from a machine of that id
├── MachineOnline       a daemon of the machine is there, so it is not gone
└── TagsNotAllowed      a daemon wants tags that its key does not have
"""

from collections.abc import Mapping


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


class WorkspaceDormant(WorkspacesError):
    """This workspace is dormant and cannot be started. Set it to not dormant first, then start."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class WorkspaceNotRunning(WorkspacesError):
    """This workspace is not running. Start it, wait until it runs, then repeat your change."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class NoDeadline(WorkspacesError):
    """This workspace has no deadline to extend: it runs until it is stopped by hand."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class PrebuildKeepsItsName(WorkspacesError):
    """This workspace is a prebuild: it keeps its name until somebody claims it under another."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class JobEnded(WorkspacesError):
    """This job has ended already, so there is nothing left to cancel."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class PrebuildHasNoLifecycle(WorkspacesError):
    """This workspace is a prebuild: ttl, deadline, autostart and dormancy begin with its claim."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class InvalidLifecycle(WorkspacesError):
    """A wish about a workspace's times cannot be met; `detail` says why and what to do instead."""

    def __init__(self, field: str, detail: str) -> None:
        self.field, self.detail = field, detail
        super().__init__(f"{field}: {detail}")


class LeaseLost(WorkspacesError):
    """This job is no longer yours: its lease was taken back. Stop working on it."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class UnknownAgentToken(WorkspacesError):
    """No live workspace has an agent with this token."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class InvalidKeyName(WorkspacesError):
    """The name cannot be used for a provisioner key."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'"{name}" cannot name a provisioner key: use 1 to 64 letters, digits, - and _.'
        )


class KeyNameTaken(WorkspacesError):
    """The organization has a provisioner key of that name. Choose another, or revoke that one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'There is already a provisioner key named "{name}" in this organization. '
            "Choose another name, or revoke that one."
        )


class UnknownProvisionerKey(WorkspacesError):
    """This provisioner key is unknown or revoked. Ask for a new one."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class UnknownDaemon(WorkspacesError):
    """No daemon of this key has that id. Introduce the daemon again."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class UnknownJob(WorkspacesError):
    """No job of this organization has that id."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class UnknownMachine(WorkspacesError):
    """No provisioner ever came from a machine of that id."""

    def __init__(self, machine: str) -> None:
        super().__init__(
            f'No provisioner ever came from a machine "{machine}". The page Provisioners and '
            "`manage.py provisioners list` show which there are."
        )


class MachineOnline(WorkspacesError):
    """A daemon of the machine is online, or at work; a machine is forgotten when it is gone."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} of that machine is online or at work, so the machine is not gone. Stop its "
            "provisioners first; one that was killed counts as gone after 40 s."
        )


class TagsNotAllowed(WorkspacesError):
    """A daemon may only have tags that its key has."""

    def __init__(self, wanted: Mapping[str, str], allowed: Mapping[str, str]) -> None:
        super().__init__(
            f"The tags {_words(wanted)} are not among those of the key ({_words(allowed)}). "
            "Leave them out, or use a key that has them."
        )


def _words(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(tags.items())) or "none"
