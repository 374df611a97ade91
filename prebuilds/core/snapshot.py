"""What one cycle observed, in the core's own words (semantics.md 2).

Storage words are translated once, in `prebuilds.observation`; nothing here knows a column.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from templates_app.schedules import Schedule


class Status(StrEnum):
    """Whether the pool of a preset may create."""

    HEALTHY = "healthy"
    HARD_LIMITED = "hard_limited"
    VALIDATION_FAILED = "validation_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPrebuild:
    """A prebuild whose latest build is a start that succeeded.

    `started_at`: when it did; None when it is ready, for then nothing depends on it.
    `lost_ready_at`: when an agent that had been ready stopped being so; None if none did.
    """

    id: UUID
    created_at: datetime
    started_at: datetime | None
    ready: bool
    lost_ready_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingStart:
    """A first start that no daemon has taken yet, so it can still be cancelled for nothing."""

    workspace_id: UUID
    job_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPrebuild:
    """A prebuild whose start failed, or was canceled half-way."""

    id: UUID
    ended_at: datetime
    canceled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDeletion:
    """A prebuild whose deletion failed `tries` times in a row, the last time at `ended_at`."""

    id: UUID
    tries: int
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A finished first start of the preset by the prebuilds user (semantics.md 8).

    `finished_at` of a prebuild that never became ready is when that was found.
    """

    created_at: datetime
    finished_at: datetime
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetSnapshot:
    """One preset with a pool, and every row that counts for it."""

    id: UUID
    name: str
    template_id: UUID
    template_name: str
    version_id: UUID
    version_name: str
    organization_id: UUID
    organization_name: str
    using_active_version: bool
    deleted: bool
    deprecated: bool
    desired_instances: int
    ttl: timedelta | None = None
    scheduling_timezone: str = "UTC"
    schedules: tuple[Schedule, ...] = ()
    last_invalidated_at: datetime | None = None
    status: Status = Status.HEALTHY
    status_reason: str = ""
    daily_cost: int = 0
    icon: str = ""
    template_display_name: str = ""
    template_icon: str = ""
    running: tuple[RunningPrebuild, ...] = ()
    starting: int = 0
    stopping: int = 0
    deleting: int = 0
    pending: tuple[PendingStart, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    failed: tuple[FailedPrebuild, ...] = ()
    failed_deletions: tuple[FailedDeletion, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether the preset's version is the one people get, of a template they can use."""
        return self.using_active_version and not self.deleted and not self.deprecated

    @property
    def label(self) -> str:
        """The preset's name as a person would say it."""
        return f"{self.template_name} / {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationSnapshot:
    """What is shared by all pools of an organization.

    `in_flight` counts unfinished prebuild builds. The quota is the prebuilds user's: what it may
    spend per day and what its live workspaces cost.
    """

    in_flight: int = 0
    quota_allowance: int = 0
    quota_used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything one cycle decides from."""

    presets: tuple[PresetSnapshot, ...] = ()
    organizations: Mapping[UUID, OrganizationSnapshot] = field(default_factory=dict)
