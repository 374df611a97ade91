"""Do the scheduled tasks run? Proven by what they did: a cluster can stand still and look alive."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max
from django_q.models import OrmQ, Schedule, Task

from prebuilds import tasks
from prebuilds.checkup.findings import Finding, Visit, bad, say_span, warn, well

SLACK: Final = timedelta(minutes=2)
"""The scheduler looks every half minute, and a task may take most of one."""
LONG_QUEUE: Final = 20
INSTALL: Final = "`manage.py setup_schedules`"
START: Final = (
    "start or restart `manage.py worker`; if it was started just now, ask again in a minute"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When a scheduled task should run next, and how often."""

    name: str
    func: str
    minutes: int | None
    next_run: datetime | None
    cluster: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """When a task last ended, and how."""

    ended_at: datetime
    well: bool


def check_schedules(visit: Visit) -> Iterator[Finding]:
    """The rows are there as setup_schedules makes them, and the scheduler moves them on."""
    fields = ("name", "func", "minutes", "next_run", "cluster")
    rows = Schedule.objects.filter(func__startswith="prebuilds.tasks.").order_by("pk")
    plans = [Plan(**row) for row in rows.values(*fields)]
    yield from judge_schedules(plans, now=visit.now)


def judge_schedules(plans: Collection[Plan], *, now: datetime) -> Iterator[Finding]:
    """Compare with what is to be installed; then see whether the times lie in the past."""
    wanted = {(name, one["func"], one["minutes"], None) for name, one in tasks.SCHEDULES.items()}
    found = [(one.name, one.func, one.minutes, one.cluster) for one in plans]
    if set(found) != wanted or len(found) != len(wanted):
        names = {key[0] for key in wanted.symmetric_difference(found)} or {"doubles"}
        yield bad(f"not as they should be: {', '.join(sorted(names))}", INSTALL)
        return
    late = {one.name: now - one.next_run for one in plans if one.next_run}
    behind = {name: by for name, by in late.items() if by > SLACK}
    if behind:
        yield bad(f"due and not run: {_say(behind)}", START)
        return
    yield well(f"{len(wanted)} are installed and on time")


def check_worker(visit: Visit) -> Iterator[Finding]:
    """Each task ended lately, and well; nothing piles up."""
    functions = [one["func"] for one in tasks.SCHEDULES.values()]
    newest = Task.objects.filter(func__in=functions).values("func").annotate(at=Max("stopped"))
    ended = {row["func"]: row["at"] for row in newest}
    done = Task.objects.filter(func__in=functions, stopped__in=ended.values())
    ran = {
        func: Ran(ended_at=at, well=success)
        for func, at, success in done.values_list("func", "stopped", "success")
        if ended[func] == at
    }
    yield from judge_worker(ran, queued=OrmQ.objects.count(), now=visit.now)


def judge_worker(ran: Mapping[str, Ran], *, queued: int, now: datetime) -> Iterator[Finding]:
    """A task is late when it missed two of its times; it failed when its last run did."""
    silent, failed = {}, []
    for name, schedule in tasks.SCHEDULES.items():
        last = ran.get(schedule["func"])
        if last is None or now - last.ended_at > 2 * timedelta(minutes=schedule["minutes"]) + SLACK:
            silent[name] = now - last.ended_at if last else None
        elif not last.well:
            failed.append(name)
    if silent:
        yield bad(f"no result lately: {_say(silent)}", START)
    if failed:
        yield bad(f"failed the last time: {', '.join(failed)}", "read the worker's log")
    if queued > LONG_QUEUE:
        yield warn(f"{queued} tasks wait in its queue", START)
    if not (silent or failed):
        yield well(f"all {len(tasks.SCHEDULES)} tasks ended well and in time")


def _say(spans: Mapping[str, timedelta | None]) -> str:
    words = (f"{name} ({say_span(by)})" if by else f"{name} (never)" for name, by in spans.items())
    return ", ".join(words)
