"""Is somebody looking after the pools, and can somebody build what they want."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F

from accounts.models import GroupMembership, Membership, User
from accounts.system import PREBUILDS_GROUP_DISPLAY_NAME, PREBUILDS_GROUP_NAME, PREBUILDS_USER_ID
from prebuilds import selectors
from prebuilds.checkup.findings import Finding, Visit, bad, say_span, warn, well
from templates_app.models import Preset
from workspaces.machines import Machine, count_awaiting, is_online
from workspaces.models import ProvisionerDaemon, ProvisionerJob
from workspaces.models.job import IS_PENDING

INTERVALS: Final = 3
LOOP: Final = "start or restart `manage.py reconcile --loop`, and read its log"
START: Final = "start one: `manage.py provisioner`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a template's version asks of a daemon that builds from it."""

    template: str
    organization_id: UUID
    provisioner_type: str
    tags: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundJobs:
    """Jobs that ask the same and wait for the machine that has their workspaces."""

    machine: str
    wish: Wish
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a daemon that is online takes. No organization: of any."""

    organization_id: UUID | None
    provisioner_types: tuple[str, ...]
    tags: dict[str, Any]
    machine: str = ""

    def serves(self, wish: Wish) -> bool:
        """Return whether it does jobs of that organization at all."""
        return self.organization_id in {None, wish.organization_id}

    def takes(self, wish: Wish) -> bool:
        """Return whether it takes such a job, as the queue decides it."""
        return (
            wish.provisioner_type in self.provisioner_types
            and wish.tags.items() <= self.tags.items()
            and self.serves(wish)
        )


def check_cycle(visit: Visit) -> Iterator[Finding]:
    """A cycle was completed lately; a paused one counts, and is said."""
    interval = max(settings.PREBUILDS_RECONCILIATION_INTERVAL, timedelta(minutes=1))
    yield judge_cycle(selectors.last_cycle_at(), limit=INTERVALS * interval, now=visit.now)
    if pause := selectors.current_pause(visit.now):
        until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
        yield warn(
            f"reconciliation is paused{until}, by {pause.by or 'a command'}: {pause.reason}",
            "`manage.py prebuilds resume`, when the reason is gone",
        )


def judge_cycle(completed_at: datetime | None, *, limit: timedelta, now: datetime) -> Finding:
    """The same limit as /healthz."""
    if completed_at is None:
        return bad("no cycle was ever completed", LOOP)
    age = now - completed_at
    text = f"the last one was completed {say_span(age)} ago"
    return well(text) if age <= limit else bad(text, LOOP)


def check_provisioners(visit: Visit) -> Iterator[Finding]:
    """Somebody is online, and takes the jobs of every pool that wants prebuilds."""
    online = ProvisionerDaemon.objects.filter(is_online(visit.now))
    offers = [
        Offer(
            organization_id=one.organization_id,
            provisioner_types=tuple(one.provisioner_types),
            tags=one.tags,
            machine=one.machine,
        )
        for one in online
    ]
    yield judge_provisioners(offers, list(_wishes()))
    yield from judge_machines(count_awaiting(now=visit.now))
    yield from judge_bound_jobs(offers, list(_bound_jobs()))


def judge_provisioners(offers: Collection[Offer], wishes: Collection[Wish]) -> Finding:
    """Name the templates nobody can build."""
    unserved = sorted({w.template for w in wishes if not any(o.takes(w) for o in offers)})
    if not offers:
        return bad("none is online", START) if wishes else warn("none is online", START)
    if unserved:
        some = ", ".join(unserved[:5]) + (", …" if len(unserved) > 5 else "")
        advice = (
            "start one with the tags of the template's active version (and of its organization)"
        )
        return bad(f"nobody online takes the jobs of: {some}", advice)
    return well(f"{len(offers)} online; every pool's jobs fit one")


def judge_machines(awaited: Collection[tuple[Machine, int]]) -> Iterator[Finding]:
    """Name each machine that is away while jobs wait for it."""
    for machine, jobs in awaited:
        yield warn(
            f"{_say_waiting(jobs)} for the machine of {machine.known_as} ({machine.machine}), "
            f"not seen since {machine.last_seen_at:%Y-%m-%d %H:%M} UTC",
            "start its provisioner again; if the machine is gone for good: "
            f"`manage.py provisioners forget-machine {machine.machine}`",
        )


def judge_bound_jobs(offers: Collection[Offer], bound: Collection[BoundJobs]) -> Iterator[Finding]:
    """Name each machine that is there, but where nobody takes what must be done on it."""
    untaken: dict[str, list[BoundJobs]] = {}
    for jobs in bound:
        there = [o for o in offers if o.machine == jobs.machine and o.serves(jobs.wish)]
        if there and not any(offer.takes(jobs.wish) for offer in there):
            untaken.setdefault(jobs.machine, []).append(jobs)
    for machine, some in untaken.items():
        templates = ", ".join(sorted({jobs.wish.template for jobs in some}))
        yield warn(
            f"{_say_waiting(sum(jobs.number for jobs in some))} for the machine {machine}, and "
            f"nobody online there takes the jobs of: {templates}",
            "start a provisioner there with the tags that the pages of these jobs name",
        )


def _say_waiting(jobs: int) -> str:
    return "1 job waits" if jobs == 1 else f"{jobs} jobs wait"


def _bound_jobs() -> Iterator[BoundJobs]:
    """Return what waits for a machine of its own, counted by what it asks; one statement."""
    pending = ProvisionerJob.objects.filter(IS_PENDING).exclude(machine="")
    asked = ("workspace__template__name", "organization", "provisioner_type", "tags")
    counts = pending.order_by("machine").values_list("machine", *asked).annotate(Count("pk"))
    for machine, template, organization_id, provisioner_type, tags, number in counts:
        wish = Wish(
            template=template,
            organization_id=organization_id,
            provisioner_type=provisioner_type,
            tags=tags,
        )
        yield BoundJobs(machine=machine, wish=wish, number=number)


def _wishes() -> Iterator[Wish]:
    """Return what the pools that want prebuilds ask for, each once; one statement."""
    rows = _filled().values_list(
        "version__template__name",
        "version__template__organization_id",
        "version__provisioner_type",
        "version__tags",
    )
    for template, organization_id, provisioner_type, tags in rows:
        yield Wish(
            template=template,
            organization_id=organization_id,
            provisioner_type=provisioner_type,
            tags=tags,
        )


def _filled() -> Any:
    return Preset.objects.filter(
        desired_instances__gt=0,
        version=F("version__template__active_version"),
        version__template__deleted_at__isnull=True,
        version__template__deprecation_message="",
    ).order_by("version__template__name")


def check_owner(visit: Visit) -> Iterator[Finding]:
    """The prebuilds user is there, and in the quota group wherever there are pools."""
    if not User.with_system.filter(pk=PREBUILDS_USER_ID).exists():
        yield bad("the prebuilds user is missing: nothing can be built", "`manage.py migrate`")
        return
    organizations = set(
        _filled().values_list(
            "version__template__organization_id", "version__template__organization__name"
        )
    )
    member = set(_organizations_of(Membership.objects.all(), "organization_id"))
    groups = GroupMembership.objects.filter(group__name__iexact=PREBUILDS_GROUP_NAME)
    member &= set(_organizations_of(groups, "group__organization_id"))
    yield judge_owner(sorted(name for key, name in organizations if key not in member))


def judge_owner(lacking: Collection[str]) -> Finding:
    """Each cycle mends this by itself; if it stays, it cannot."""
    if lacking:
        return warn(
            f"not yet in the group “{PREBUILDS_GROUP_DISPLAY_NAME}” of: {', '.join(lacking)}",
            "the next cycle adds it; if this stays, read the reconciler's log",
        )
    return well("the prebuilds user is there, with its quota group wherever there are pools")


def _organizations_of(memberships: Any, column: str) -> Any:
    return memberships.filter(user_id=PREBUILDS_USER_ID).values_list(column, flat=True)
