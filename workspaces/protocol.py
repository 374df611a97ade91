"""What a server, a provisioner daemon, its drivers and an agent say to each other.

Plain frozen data, no Django: the remote daemon and the local one speak the same words.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

LOG_LINE_LIMIT: Final = 2_000
"""Characters of a log line that are kept."""
LOG_TOTAL_LIMIT: Final = 1_000_000
"""Characters of one job's or agent start's log that are kept; then one line says it was cut."""
LOG_CUT: Final = "The log is longer than this; the rest was not kept."
MACHINE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What the id of a machine looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonProfile:
    """How a daemon introduces itself.

    `machine` is the id of the place where its driver keeps workspaces; a daemon of a release
    before this word tells none.
    """

    name: str
    hostname: str
    version: str
    provisioner_types: Sequence[str]
    tags: Mapping[str, str]
    concurrency: int
    machine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquiredJob:
    """A job a daemon was given: everything the build needs, and the lease that fences it.

    `lease` must accompany every later statement about the job. `provisioner_state` is what the
    workspace's previous build left behind (empty for a first build). `traceparent` is the step of
    a trace that asked for it, in the words of W3C; a server of a release before tells none.
    """

    job_id: UUID
    lease: UUID = field(repr=False)
    build_id: UUID
    build_number: int
    workspace_id: UUID
    workspace_name: str
    owner_id: UUID
    owner_name: str
    template_name: str
    template_version: str
    transition: str
    stage: str
    source_files: Mapping[str, str]
    startup_script: str
    startup_timeout_seconds: int
    parameters: Mapping[str, str] = field(repr=False)
    provisioner_state: Mapping[str, Any] = field(repr=False)
    access_url: str
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """An agent a build made. The token is plain here and stored as a digest only."""

    name: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """A thing a build made, with the agents that live in it."""

    name: str
    type: str
    agents: Sequence[AgentReport] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReplacement:
    """A resource a claim build had to make anew, and the attributes that forced it."""

    resource: str
    paths: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What a finished build leaves behind."""

    provisioner_state: Mapping[str, Any]
    resources: Sequence[ResourceReport] = ()
    replacements: Sequence[ResourceReplacement] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's or an agent's log, at most LOG_LINE_LIMIT characters."""

    at: datetime
    level: str
    stage: str
    output: str


def fit_log(lines: Sequence[LogLine], *, room: int) -> list[LogLine]:
    """Return the lines that still fit into `room` characters, each cut to LOG_LINE_LIMIT.

    When some do not fit, one closing line says that the log was cut; a log that was full before
    gets nothing more, not even that line again.
    """
    kept: list[LogLine] = []
    for line in lines:
        if room <= 0:
            return kept
        output = storable(line.output)[:LOG_LINE_LIMIT]
        room -= len(output) + 1
        kept.append(replace(line, output=output if room > 0 else LOG_CUT))
    return kept


def log_length(lines: Sequence[LogLine], *, before: int) -> int:
    """Return how much of LOG_TOTAL_LIMIT is used up once these lines were added.

    Every line costs one character more than it has, so that empty ones are not free.
    """
    added = sum(min(len(line.output), LOG_LINE_LIMIT) + 1 for line in lines)
    return min(before + added, LOG_TOTAL_LIMIT)


def storable(text: str) -> str:
    """Return text that PostgreSQL can store: it has no NUL."""
    return text.replace("\x00", "\ufffd")


class BuildFailed(Exception):
    """A build cannot succeed; `code` is a JobErrorCode value, the text is for people."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class BuildCanceled(Exception):
    """The build was asked to stop, and did."""


class BuildContext(Protocol):
    """What a driver may say while it works."""

    stopping: threading.Event
    """Set when the build must end early: canceled, lease lost, or the daemon is told to stop."""

    def log(self, output: str, *, stage: str, level: str = "info") -> None:
        """Add one line to the job's log; never blocks on the network."""

    def report_resources(self, resources: Sequence[ResourceReport]) -> None:
        """Make resources and agents known before the build ends, so that agents can connect."""


class Driver(Protocol):
    """Builds workspaces of one provisioner type. Every call may be repeated after a crash."""

    def find_machine(self) -> str:
        """Return the id of the place where it keeps workspaces; nothing when any place will do.

        The same for every driver that finds the same workspaces, and for no other. Raises OSError.
        """

    def build(self, job: AcquiredJob, context: BuildContext) -> BuildResult:
        """Carry out the job's transition; raise BuildFailed or BuildCanceled."""
