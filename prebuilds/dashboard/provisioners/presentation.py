"""Provisioners and keys as rows, and what somebody types as tags. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from prebuilds.dashboard.base.plan import Plan, PlanLine
from prebuilds.dashboard.base.wording import say_count
from workspaces.enums import DaemonStatus
from workspaces.errors import MachineOnline
from workspaces.machines import Holdings, Machine
from workspaces.models import ProvisionerKey
from workspaces.selectors import DaemonRow
from workspaces.services.machines import Release

LOOKS: Final = {
    DaemonStatus.IDLE: ("Online, free", "circle-check", "good"),
    DaemonStatus.BUSY: ("Busy", "loader-2", "busy"),
    DaemonStatus.OFFLINE: ("Offline", "plug-connected-x", "off"),
}
TAGS_LIMIT: Final = 50
TAG_LIMIT: Final = 64
SHORT: Final = 12


class BadTags(Exception):
    """What was typed as tags makes no sense; the message names the line and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonView:
    """A daemon in words; `load` is how much of what it can do at once is taken.

    `machine` is the beginning of the machine's id: enough to see which daemons share one.
    """

    daemon: DaemonRow
    word: str
    icon: str
    tone: str
    load: str
    machine: str
    may_forget: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key, how many daemons came in by it lately, and whether it may be revoked."""

    key: ProvisionerKey
    daemons: int
    may_revoke: bool


def view_daemon(daemon: DaemonRow, forgettable: Collection[UUID]) -> DaemonView:
    """Return a daemon in words; `forgettable` are those whose machine the person may forget."""
    word, icon, tone = LOOKS[daemon.status]
    load = f"{len(daemon.jobs)} of {daemon.concurrency}"
    return DaemonView(
        daemon=daemon,
        word=word,
        icon=icon,
        tone=tone,
        load=load,
        machine=say_short(daemon.machine),
        may_forget=daemon.daemon_id in forgettable,
    )


def last_of_machines(daemons: Collection[DaemonRow]) -> list[DaemonRow]:
    """Return, of each machine with no daemon online, the one that was seen last."""
    last: dict[str, DaemonRow] = {}
    for daemon in sorted(daemons, key=lambda one: one.last_seen_at):
        last[daemon.machine] = daemon
    present = {one.machine for one in daemons if one.status != DaemonStatus.OFFLINE}
    return [one for machine, one in last.items() if machine and machine not in present]


def say_short(machine: str) -> str:
    """Return a machine's id, cut to what tells it from others in a table."""
    return machine if len(machine) <= SHORT else f"{machine[: SHORT - 1]}…"


def plan_forgetting(machine: Machine, held: Holdings) -> Plan:
    """Return what forgetting a machine will do, or why it cannot be done."""
    jobs, kept = say_count(held.pending_jobs, "waiting job"), held.workspaces
    impossible = ""
    if machine.is_online:
        impossible = str(MachineOnline(machine.name))
    elif not kept:
        impossible = "Nothing is kept on it: no live workspace is bound to this machine."
    return Plan(
        title=f"Forget the machine of {machine.name}",
        sentence=f"This releases {jobs} of {say_count(kept, 'workspace')}: any provisioner may do "
        "these and whatever is asked of the workspaces from then on. Their files on the machine "
        "are lost.",
        verb="It is gone for good",
        lines=tuple(_lines_of_forgetting(held)),
        danger=True,
        impossible=impossible,
    )


def _lines_of_forgetting(held: Holdings) -> Iterator[PlanLine]:
    if held.of_people:
        kept = say_count(held.of_people, "workspace")
        yield PlanLine(
            icon="alert-triangle",
            tone="bad",
            text="start empty",
            subject=f"{kept} of people, the next time they start",
        )
    if prebuilds := held.workspaces - held.of_people:
        yield PlanLine(
            icon="refresh",
            tone="warn",
            text="replace",
            subject=f"{say_count(prebuilds, 'prebuild')}, "
            "when their agent has been away for half an hour or once they are invalidated",
        )
    yield PlanLine(
        icon="plug-connected-x",
        tone="off",
        text="should it come back",
        subject="empty its directory of workspaces before a provisioner starts there again",
    )


def say_release(machine: Machine, release: Release) -> str:
    """Return what came of forgetting a machine."""
    if not release.workspaces:
        return f"Nothing was bound to the machine of {machine.name}: nothing changed."
    jobs = say_count(release.pending_jobs, "waiting job")
    return (
        f"The machine of {machine.name} is forgotten: {jobs} of "
        f"{say_count(release.workspaces, 'workspace')} may be done by any provisioner."
    )


def view_keys(
    keys: Collection[ProvisionerKey], daemons: Collection[DaemonRow], revocable: Collection[UUID]
) -> list[KeyView]:
    """Return the keys with the number of their daemons that are online."""
    online = [daemon.key_id for daemon in daemons if daemon.status != DaemonStatus.OFFLINE]
    return [
        KeyView(
            key=key,
            daemons=online.count(key.pk),
            may_revoke=key.organization_id in revocable,
        )
        for key in keys
    ]


def say_daemons(daemons: Collection[DaemonRow]) -> str:
    """Return "2 of 3 provisioners online, 1 busy"."""
    online = [daemon for daemon in daemons if daemon.status != DaemonStatus.OFFLINE]
    busy = sum(daemon.status == DaemonStatus.BUSY for daemon in online)
    return f"{len(online)} of {say_count(len(daemons), 'provisioner')} online, {busy} busy."


def read_tags(text: str) -> dict[str, str]:
    """Return tags written as key=value, one a line. Raises BadTags."""
    tags: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not (sign and name and line.isprintable()):
            raise BadTags(f'"{line[:TAG_LIMIT]}" is no tag: write key=value, such as region=eu.')
        if len(name) > TAG_LIMIT or len(value) > TAG_LIMIT:
            raise BadTags(
                f'"{name[:TAG_LIMIT]}" is too long: key and value hold {TAG_LIMIT} characters each.'
            )
        if name in tags:
            raise BadTags(f'"{name}" comes twice: a tag has one value.')
        tags[name] = value
    if len(tags) > TAGS_LIMIT:
        raise BadTags(f"{len(tags)} tags are too many: write at most {TAGS_LIMIT}.")
    return tags


def say_tags(tags: Mapping[str, str]) -> str:
    """Return the tags as they are typed, with commas."""
    return ", ".join(f"{name}={value}" for name, value in sorted(tags.items()))
