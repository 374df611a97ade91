"""What the database holds after a step: plain rows, and the numbers counted anew from them.

It shares no counting with the code it judges: what is running, expired, eligible or wanted is
said here a second time, in Python.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from accounts.system import PREBUILDS_USER_ID

OFFICE_HOURS = "* 9-17 * * 1-5"
LOST_AFTER = timedelta(seconds=30)


@dataclass(slots=True, kw_only=True)
class PresetRow:
    id: UUID
    name: str
    version: UUID
    template: UUID
    organization: UUID
    active_version: UUID | None
    deleted_at: datetime | None
    deprecation: str
    desired_instances: int | None
    ttl_seconds: int | None
    invalidated_at: datetime | None
    status: str
    in_office: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def template_is_usable(self):
        return self.deleted_at is None and not self.deprecation

    @property
    def is_active(self):
        return self.template_is_usable and self.version == self.active_version

    @property
    def has_pool(self):
        return self.desired_instances is not None

    def desired(self, now):
        """Return what is wanted now: nothing of a version or template that is out of use."""
        return self.desired_in_use(now) if self.is_active else 0

    def desired_in_use(self, now):
        """Return what it wants while in use; by schedule from 9 to 18 on working days, if any."""
        if not self.has_pool:
            return 0
        if self.in_office is not None and now.weekday() < 5 and 9 <= now.hour <= 17:
            return self.in_office
        return self.desired_instances

    def expires(self, created_at, now):
        too_old = self.ttl_seconds and now - created_at > timedelta(seconds=self.ttl_seconds)
        return bool(too_old or (self.invalidated_at and created_at < self.invalidated_at))


@dataclass(slots=True, kw_only=True)
class BuildRow:
    id: UUID
    workspace: UUID
    number: int
    transition: str
    stage: str
    version: UUID
    preset: UUID | None
    initiator: UUID
    job: UUID
    status: str
    priority: int
    asked_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    canceled_at: datetime | None
    completed_at: datetime | None
    lease: UUID | None
    deadline: datetime | None
    agents: list[tuple[UUID, str]] = field(default_factory=list)

    @property
    def is_unfinished(self):
        return self.completed_at is None

    def is_lost(self, now):
        started = self.is_unfinished and self.started_at is not None
        return started and self.heartbeat_at < now - LOST_AFTER


@dataclass(slots=True, kw_only=True)
class WorkspaceRow:
    id: UUID
    owner: UUID
    name: str
    template: UUID
    created_at: datetime
    deleted_at: datetime | None
    latest_build: UUID
    ttl_seconds: int | None
    autostart_schedule: str
    next_start_at: datetime | None
    last_used_at: datetime | None
    dormant_at: datetime | None
    deleting_at: datetime | None
    builds: list[BuildRow] = field(default_factory=list)

    @property
    def is_prebuild(self):
        return self.owner == PREBUILDS_USER_ID

    @property
    def latest(self):
        return self.builds[-1]

    def is_at(self, transition, *statuses):
        return self.latest.transition == transition and self.latest.status in statuses

    @property
    def is_ready(self):
        states = {state for _, state in self.latest.agents}
        return states == {"ready"}

    @property
    def waits_for_its_first_start(self):
        return (
            self.is_at("start", "pending")
            and self.latest.number == 1
            and self.latest.started_at is None
        )


@dataclass(slots=True, kw_only=True)
class ClaimRow:
    workspace: UUID
    user: UUID
    preset: UUID | None
    outcome: str
    reason: str


@dataclass(slots=True, kw_only=True)
class NoticeRow:
    """A notice that is open."""

    kind: str
    preset: UUID | None
    organization: UUID
    claim: int | None


@dataclass(slots=True, kw_only=True)
class Picture:
    """The rows of one moment, by id, oldest first."""

    presets: dict[UUID, PresetRow]
    workspaces: dict[UUID, WorkspaceRow]
    claims: list[ClaimRow]
    notices: list[NoticeRow]

    def matching(self, template, parameters):
        """Return the presets of a template's active version that fit, the best first."""
        presets = [
            one
            for one in self.presets.values()
            if one.template == template and one.version == one.active_version
        ]
        fitting = [one for one in presets if one.parameters.items() <= parameters.items()]
        return sorted(fitting, key=lambda one: (-len(one.parameters), one.name))

    def unhealthy(self):
        """Return the active pools that create no more until somebody presses Retry."""
        presets = self.presets.values()
        return [
            one for one in presets if one.is_active and one.has_pool and one.status != "healthy"
        ]

    def live(self):
        return [one for one in self.workspaces.values() if one.deleted_at is None]

    def prebuilds(self, preset=None):
        """Return the live prebuilds, of one preset or all."""
        return [
            one
            for one in self.live()
            if one.is_prebuild and (preset is None or one.latest.preset == preset.id)
        ]

    def running(self, preset):
        return [one for one in self.prebuilds(preset) if one.is_at("start", "succeeded")]

    def fresh(self, preset, now):
        return [one for one in self.running(preset) if not preset.expires(one.created_at, now)]

    def starting(self, preset):
        return [one for one in self.prebuilds(preset) if one.is_at("start", "pending", "running")]

    def present(self, preset, now):
        """Count what fills a place of the pool: running and not expired, or starting."""
        return len(self.fresh(preset, now)) + len(self.starting(preset))

    def eligible(self, preset, now):
        """Return what a claim may take now, in the order in which claims take it."""
        if not preset.is_active or not preset.has_pool:
            return []
        ready = [one for one in self.fresh(preset, now) if one.is_ready]
        return sorted(ready, key=lambda one: (one.created_at, one.id))

    def unfinished(self):
        return [one.latest for one in self.workspaces.values() if one.latest.is_unfinished]

    def pending(self):
        """Return the queue, in the order in which it is served."""
        waiting = [one for one in self.unfinished() if one.status == "pending"]
        return sorted(waiting, key=lambda one: (one.priority, one.asked_at, one.job))

    def in_flight(self, organization):
        """Count the unfinished builds of an organization's prebuilds."""
        templates = {
            one.template for one in self.presets.values() if one.organization == organization
        }
        return sum(
            one.template in templates and one.latest.status in ("pending", "running")
            for one in self.prebuilds()
        )
