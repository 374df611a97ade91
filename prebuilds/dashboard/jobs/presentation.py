"""Say what a job is, where it stands and how it goes. Pure; the clock arrives as an argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from accounts.system import PREBUILDS_USER_ID
from prebuilds.dashboard.base.wording import say_count, say_list
from prebuilds.dashboard.jobs.queries import QueueSize
from workspaces.enums import JobStatus, Stage, Transition
from workspaces.machines import Machine
from workspaces.models import ProvisionerJob
from workspaces.queue import NOWHERE, Place
from workspaces.selectors import DaemonRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A status in a word, with its icon and tone."""

    word: str
    icon: str
    tone: str


LOOKS: Final = {
    JobStatus.PENDING: Look(word="Waiting", icon="hourglass", tone="busy"),
    JobStatus.RUNNING: Look(word="Running", icon="loader-2", tone="busy"),
    JobStatus.CANCELING: Look(word="Being canceled", icon="x", tone="warn"),
    JobStatus.SUCCEEDED: Look(word="Done", icon="circle-check", tone="good"),
    JobStatus.FAILED: Look(word="Failed", icon="alert-triangle", tone="bad"),
    JobStatus.CANCELED: Look(word="Canceled", icon="x", tone="off"),
}
KINDS: Final = {
    Transition.START: "Start",
    Transition.STOP: "Stop",
    Transition.DELETE: "Delete",
}
HAND_OVER: Final = "Hand over"
NOBODY: Final[Mapping[UUID, Machine]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as a row or a page shows it; `place` only while it waits.

    `awaits` is the machine with its workspace's files, while that is away.
    """

    job: ProvisionerJob
    look: Look
    kind: str
    place: str
    who: str
    is_by_prebuilds: bool
    waited: timedelta
    ran: timedelta | None
    version: str
    may_cancel: bool
    awaits: Machine | None

    @property
    def is_unfinished(self) -> bool:
        """Whether it still waits or runs."""
        return self.job.completed_at is None


def view_job(
    job: ProvisionerJob,
    places: Mapping[UUID, Place],
    *,
    may_cancel: bool,
    now: datetime,
    awaited: Mapping[UUID, Machine] = NOBODY,
) -> JobView:
    """Return a job in words; `awaited` are the machines that jobs wait for."""
    by_prebuilds = job.initiator_id == PREBUILDS_USER_ID
    build = getattr(job, "build", None)
    taken = job.started_at or job.completed_at or now
    ended = job.completed_at or now
    return JobView(
        job=job,
        look=LOOKS[JobStatus(job.status)],
        kind=_kind(job),
        place=_place(places.get(job.pk, NOWHERE)),
        who="Prebuilds" if by_prebuilds else job.initiator.display_name,
        is_by_prebuilds=by_prebuilds,
        waited=taken - job.created_at,
        ran=ended - job.started_at if job.started_at else None,
        version=build.template_version.name if build else "",
        may_cancel=may_cancel and job.completed_at is None and job.canceled_at is None,
        awaits=awaited.get(job.pk),
    )


def say_queue(size: QueueSize) -> str:
    """Return "42 jobs wait (2 of people and 40 of prebuilds); 3 run."."""
    waiting = [
        f"{count} of {whose}"
        for count, whose in ((size.people, "people"), (size.prebuilds, "prebuilds"))
        if count
    ]
    runs = f"{size.running or 'none'} {'runs' if size.running == 1 else 'run'}"
    if not waiting:
        return f"Nothing waits; {runs}." if size.running else "Nothing waits or runs."
    noun = "job waits" if size.people + size.prebuilds == 1 else "jobs wait"
    return f"{say_count(size.people + size.prebuilds, noun, noun)} ({say_list(waiting)}); {runs}."


def say_why_waiting(
    job: ProvisionerJob, fitting: Sequence[DaemonRow], awaited: Machine | None = None
) -> str:
    """Return why a pending job has not begun.

    Its machine is away, nobody can do it, or all who can are busy.
    """
    if awaited:
        return (
            f"It waits for the machine of {awaited.known_as}: the files of the workspace are "
            "there, and no provisioner of it is online."
        )
    if fitting:
        free = sum(max(daemon.concurrency - len(daemon.jobs), 0) for daemon in fitting)
        able = say_count(len(fitting), "provisioner")
        if free:
            return f"{able} online can do it; it is taken within seconds of its turn."
        return f"{able} online can do it; all are busy."
    tags = ", ".join(f"{key}={value}" for key, value in sorted(job.tags.items()))
    needs = f"type {job.provisioner_type}" + (f" and tags {tags}" if tags else "")
    if job.machine:
        return (
            "No provisioner online on the machine with the files of the workspace "
            f"({job.machine}) can do it: it needs {needs}. Start one there, or give one these tags."
        )
    return f"No provisioner online can do it: it needs {needs}. Start one, or give one these tags."


def say_cancel(view: JobView) -> str:
    """Return what will come of canceling this job."""
    job = view.job
    if job.workspace.is_prebuild:
        after = "The next cycle clears the prebuild away and, if its pool lacks one, builds another"
    else:
        after = "The workspace stays; it can be started again, or deleted"
    if job.started_at:
        return f"The provisioner is told to stop within seconds. {after}."
    return f"It leaves the queue at once. {after}."


def _kind(job: ProvisionerJob) -> str:
    build = getattr(job, "build", None)
    if build is None:
        return job.get_type_display()
    return HAND_OVER if build.stage == Stage.PREBUILD_CLAIM else KINDS[Transition(build.transition)]


def _place(place: Place) -> str:
    return f"{place.position} of {place.size}" if place.position else ""
