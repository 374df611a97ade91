"""Build workspaces as process trees on this machine, one directory each (semantics.md 17).

The trees outlive the daemon. Every step may be repeated, and a build that begins ends whatever an
earlier one of the same workspace left running.
"""

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import psutil

from workspaces.protocol import (
    AcquiredJob,
    AgentReport,
    BuildCanceled,
    BuildContext,
    BuildFailed,
    BuildResult,
    ResourceReplacement,
    ResourceReport,
)
from workspaces.provisioner.drivers.directory import AgentStatus, WorkspaceDirectory
from workspaces.provisioner.drivers.files import remove_directory, write_source_files
from workspaces.provisioner.drivers.machine import find_machine
from workspaces.provisioner.drivers.processes import (
    MARKER,
    ProcessIdentity,
    end_processes,
    find_agent,
)

AGENT = Path(__file__).resolve().parent.parent.parent / "agent"
AGENT_NAME = "main"
RESOURCE = ("workspace", "local_process")
STOP_GRACE = 5.0
START_SLACK = 30.0
"""Seconds a start may take beyond its script's own limit."""
SCRIPT_FAILED, SCRIPT_TIMEOUT, DRIVER_ERROR = "script_failed", "script_timeout", "driver_error"


class LocalDriver:
    """Builds below `root`. Safe to use from several threads."""

    def __init__(
        self,
        root: Path,
        *,
        python: str = sys.executable,
        poll_seconds: float = 0.1,
        start_slack: float = START_SLACK,
        stop_grace: float = STOP_GRACE,
    ) -> None:
        self._root = root.absolute()
        self._python = python
        self._poll_seconds = poll_seconds
        self._start_slack = start_slack
        self._stop_grace = stop_grace
        self._started: dict[int, subprocess.Popen[bytes]] = {}

    def find_machine(self) -> str:
        return find_machine(self._root)

    def build(self, job: AcquiredJob, context: BuildContext) -> BuildResult:
        directory = WorkspaceDirectory(self._root, job.workspace_id)
        self._reap_ended()
        try:
            with directory.locked(context.stopping):
                return self._carry_out(job, directory, context)
        except (OSError, psutil.Error) as error:
            raise BuildFailed(f"The local driver failed: {error}", code=DRIVER_ERROR) from error
        finally:
            self._reap_ended()

    def _carry_out(
        self, job: AcquiredJob, directory: WorkspaceDirectory, context: BuildContext
    ) -> BuildResult:
        if job.transition == "start" and job.stage == "prebuild_claim":
            return self._claim(job, directory, context)
        if job.transition == "start":
            return self._start(job, directory, context)
        context.log("Ending the processes", stage="stop")
        self._end(job.workspace_id, directory)
        if job.transition == "delete":
            context.log("Removing the directory", stage="delete")
            remove_directory(directory.path)
            return BuildResult(provisioner_state={})
        return BuildResult(provisioner_state={"directory": directory.path.name})

    def _start(
        self, job: AcquiredJob, directory: WorkspaceDirectory, context: BuildContext
    ) -> BuildResult:
        self._end(job.workspace_id, directory)
        resource = _resource(secrets.token_urlsafe(32))
        try:
            identity = self._launch(job, directory, context, resource)
            self._wait_until_ready(job, directory, context, identity)
        except BaseException:
            self._end(job.workspace_id, directory)
            raise
        return _result(directory, identity, resource)

    def _claim(
        self, job: AcquiredJob, directory: WorkspaceDirectory, context: BuildContext
    ) -> BuildResult:
        """Keep the tree alive; a dead one starts again, with its token, and is not waited for."""
        token = directory.read_token()
        if not token:
            context.log("The workspace's directory is gone: building anew", stage="claim")
            result = self._start(job, directory, context)
            lost = ResourceReplacement(resource=RESOURCE[0], paths=("directory",))
            return BuildResult(
                provisioner_state=result.provisioner_state,
                resources=result.resources,
                replacements=(lost,),
            )
        resource = _resource(token)
        agent = find_agent(directory.read_process(), directory.state)
        if agent:
            context.log("The workspace's processes live on", stage="claim")
            return _result(directory, ProcessIdentity.of(agent.pid), resource)
        context.log("The workspace's processes are gone: starting them again", stage="claim")
        self._end(job.workspace_id, directory)
        return _result(directory, self._launch(job, directory, context, resource), resource)

    def _launch(
        self,
        job: AcquiredJob,
        directory: WorkspaceDirectory,
        context: BuildContext,
        resource: ResourceReport,
    ) -> ProcessIdentity:
        context.log(f"Writing {_count(len(job.source_files), 'file')}", stage="files")
        directory.prepare()
        write_source_files(directory.work, job.source_files)
        directory.forget_run()
        directory.write_config(access_url=job.access_url, token=resource.agents[0].token)
        # Before the agent can ask, the server must know its token.
        context.report_resources([resource])
        if context.stopping.is_set():
            raise BuildCanceled
        context.log("Starting the agent", stage="agent")
        identity = self._spawn(job.workspace_id, directory)
        directory.write_process(identity, job.build_id)
        return identity

    def _spawn(self, workspace_id: UUID, directory: WorkspaceDirectory) -> ProcessIdentity:
        with directory.open_output() as output:
            process = subprocess.Popen(
                [self._python, "-I", str(AGENT), "--dir", str(directory.state)],
                cwd=directory.path,
                env=agent_environment(workspace_id),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started[process.pid] = process
        return ProcessIdentity.of(process.pid)

    def _wait_until_ready(
        self,
        job: AcquiredJob,
        directory: WorkspaceDirectory,
        context: BuildContext,
        identity: ProcessIdentity,
    ) -> None:
        began, told = time.monotonic(), False
        limit = job.startup_timeout_seconds
        while not context.stopping.wait(self._poll_seconds):
            # Looked at first: an agent that ends right after its last word was heard.
            agent = find_agent(identity, directory.state)
            status = directory.read_status()
            if status and status.state == "ready":
                took = time.monotonic() - began
                return context.log(f"Ready after {took:.1f} s", stage="startup_script")
            if status and status.state == "starting" and not told:
                context.log("The start-up script is running", stage="startup_script")
                told = True
            _raise_if_failed(status, directory)
            if agent is None:
                raise _failure("The agent ended before the start-up did", DRIVER_ERROR, directory)
            if limit and time.monotonic() - began > limit + self._start_slack:
                raise _late(status, job, directory)
        raise BuildCanceled

    def _end(self, workspace_id: UUID, directory: WorkspaceDirectory) -> None:
        agent = find_agent(directory.read_process(), directory.state)
        try:
            end_processes({str(workspace_id)}, [agent] if agent else [], grace=self._stop_grace)
        except TimeoutError as error:
            raise BuildFailed(
                f"The workspace cannot be stopped: {error}", code=DRIVER_ERROR
            ) from error

    def _reap_ended(self) -> None:
        """Let go of agents that ended, so that they do not stay behind as zombies."""
        for pid, process in list(self._started.items()):
            if process.poll() is not None:
                self._started.pop(pid, None)


def stop_all_workspaces(root: Path, *, grace: float = STOP_GRACE) -> int:
    """End the processes of every workspace below `root`; return how many had any."""
    if not root.is_dir():
        return 0
    directories = [
        WorkspaceDirectory(root.absolute(), entry.name)
        for entry in root.iterdir()
        if _is_workspace_id(entry.name)
    ]
    agents = [find_agent(each.read_process(), each.state) for each in directories]
    return end_processes(
        {each.path.name for each in directories}, filter(None, agents), grace=grace
    )


def agent_environment(workspace_id: UUID) -> dict[str, str]:
    """Return the agent's variables: none of ours but the path, without our virtual environment."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    own = str(Path(sys.prefix) / "bin") if sys.prefix != sys.base_prefix else ""
    path = os.pathsep.join(entry for entry in entries if entry and entry != own)
    return {
        "PATH": path or os.defpath,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        MARKER: str(workspace_id),
    }


def _resource(token: str) -> ResourceReport:
    name, kind = RESOURCE
    return ResourceReport(name=name, type=kind, agents=[AgentReport(name=AGENT_NAME, token=token)])


def _result(
    directory: WorkspaceDirectory, identity: ProcessIdentity, resource: ResourceReport
) -> BuildResult:
    state = {
        "directory": directory.path.name,
        "pid": identity.pid,
        "create_time": identity.create_time,
    }
    return BuildResult(provisioner_state=state, resources=[resource])


def _raise_if_failed(status: AgentStatus | None, directory: WorkspaceDirectory) -> None:
    if status and status.state == "start_error":
        raise _failure(status.message, SCRIPT_FAILED, directory)
    if status and status.state == "start_timeout":
        raise _failure(status.message, SCRIPT_TIMEOUT, directory)


def _late(
    status: AgentStatus | None, job: AcquiredJob, directory: WorkspaceDirectory
) -> BuildFailed:
    if status and status.state == "created":
        text = f"The agent could not reach {job.access_url}: {status.message}"
        return BuildFailed(text, code=DRIVER_ERROR)
    return _failure("The start-up took too long", SCRIPT_TIMEOUT, directory)


def _failure(message: str, code: str, directory: WorkspaceDirectory) -> BuildFailed:
    tail = directory.read_tail()
    return BuildFailed(f"{message}. Its last output:\n{tail}" if tail else message, code=code)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_workspace_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
