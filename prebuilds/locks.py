"""Every statement of this package that takes a lock; presets are locked by templates_app.

The reconcile lock is an advisory lock of a transaction on the alias `snapshot`; the row locks
are taken on `default`, in the transaction of the effect they guard.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, connections, transaction

from accounts.system import PREBUILDS_USER_ID
from prebuilds.models import PrebuildsSettings
from workspaces.machines import OFFLINE_AFTER
from workspaces.models import Workspace

SNAPSHOT_ALIAS: Final = "snapshot"
RECONCILE_LOCK_KEY: Final = 0x70726562_75696C64  # "prebuild"
HISTORY_LOCK_KEY: Final = 0x68697374_6F727931  # "history1"
METRICS_LOCK_KEY: Final = 0x6D657472_69637331  # "metrics1"

LOCK_CLAIMABLE_PREBUILD: Final = """
SELECT workspace.*,
       (SELECT build_number FROM workspaces_workspacebuild WHERE id = workspace.latest_build_id)
       AS build_number
  FROM workspaces_workspace AS workspace
 WHERE workspace.pool_preset_id = %(preset)s
   AND workspace.owner_id = %(prebuilds)s
   AND workspace.deleted_at IS NULL
   AND workspace.created_at >= (
       SELECT greatest(coalesce(preset.last_invalidated_at, '-infinity'),
                       CASE WHEN preset.ttl_seconds > 0
                            THEN %(now)s - make_interval(secs => preset.ttl_seconds)
                            ELSE '-infinity' END)
         FROM templates_app_preset AS preset
         JOIN templates_app_template AS template
              ON template.active_version_id = preset.version_id
        WHERE preset.id = %(preset)s
          AND template.deleted_at IS NULL AND template.deprecation_message = '')
   AND EXISTS (
       SELECT
         FROM workspaces_workspacebuild AS build
         JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
        WHERE build.id = workspace.latest_build_id
          AND build.preset_id = %(preset)s
          AND build.template_version_id = (
              SELECT version_id FROM templates_app_preset WHERE id = %(preset)s)
          AND build.transition = 'start'
          AND job.status = 'succeeded'
          AND (%(wherever)s OR job.machine = '' OR EXISTS (
              SELECT FROM workspaces_provisionerdaemon AS daemon
               WHERE daemon.machine = job.machine AND daemon.stopped_at IS NULL
                 AND daemon.last_seen_at > %(seen_since)s))
          AND EXISTS (
              SELECT FROM workspaces_agent AS agent
                JOIN workspaces_workspaceresource AS resource ON resource.id = agent.resource_id
               WHERE resource.build_id = build.id)
          AND NOT EXISTS (
              SELECT FROM workspaces_agent AS agent
                JOIN workspaces_workspaceresource AS resource ON resource.id = agent.resource_id
               WHERE resource.build_id = build.id AND agent.lifecycle_state <> 'ready')
       OFFSET 0)
 ORDER BY workspace.created_at, workspace.id
 LIMIT 1
   FOR UPDATE OF workspace SKIP LOCKED
"""
"""It walks the pool's index, oldest first, from the first that has not expired; from nowhere when
the preset is not of an active version. OFFSET 0 keeps the planner from turning the EXISTS into a
join: it stops at the first that fits, whatever its statistics say."""


@contextmanager
def try_reconcile_lock() -> Iterator[bool]:
    """Hold the reconcile lock for the length of the block, if nobody else does.

    Yields whether it was acquired. It lives in a REPEATABLE READ, READ ONLY transaction on its
    own connection: everything the cycle reads there is one instant, and everything it writes
    elsewhere commits on its own. When the connection dies, so does the lock.
    """
    with transaction.atomic(using=SNAPSHOT_ALIAS):
        with connections[SNAPSHOT_ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [RECONCILE_LOCK_KEY])
            row = cursor.fetchone()
        yield bool(row and row[0])


def try_history_lock() -> bool:
    """Take the lock of the roll-up until the transaction ends; False when another has it."""
    return _try_until_commit(HISTORY_LOCK_KEY)


def try_metrics_lock() -> bool:
    """Take the lock of the metrics' totals likewise."""
    return _try_until_commit(METRICS_LOCK_KEY)


def _try_until_commit(key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        row = cursor.fetchone()
    return bool(row and row[0])


def lock_claimable_prebuild(*, preset_id: UUID, now: datetime) -> tuple[Workspace, int] | None:
    """Lock the oldest prebuild of a preset that may be claimed now, on a machine that is online.

    Where there is none, the oldest at all: its hand-over waits for its machine. Returns it with
    the number of its latest build. Prebuilds that another claim or a deletion is just taking are
    skipped, never waited for, so two claims never get the same one (semantics.md 14). None when
    nothing is eligible.
    """
    parameters: dict[str, UUID | datetime] = {
        "prebuilds": PREBUILDS_USER_ID,
        "preset": preset_id,
        "now": now,
        "seen_since": now - OFFLINE_AFTER,
    }
    for wherever in (False, True):
        given = parameters | {"wherever": wherever}
        for workspace in Workspace.objects.raw(LOCK_CLAIMABLE_PREBUILD, given):
            return workspace, workspace.build_number  # type: ignore[attr-defined]  # a column
    return None


def lock_settings() -> PrebuildsSettings | None:
    """Lock the settings row; None when nobody has ever changed a setting."""
    return PrebuildsSettings.objects.select_for_update().first()


def lock_deletable(workspace_ids: Collection[UUID]) -> list[Workspace]:
    """Lock the live ones of these workspaces that nobody is claiming just now.

    In the order of their ids, each with its latest build, version and job. A row that somebody
    else holds is skipped: it is being claimed or changed, and the next cycle looks again.
    """
    rows = Workspace.objects.filter(pk__in=workspace_ids, deleted_at__isnull=True)
    locked = rows.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True)
    # Read after locking: a row that had just got another build would come with the old join.
    read = Workspace.objects.select_related("latest_build__template_version", "latest_build__job")
    return list(read.filter(pk__in=list(locked)).order_by("pk"))


def lock_cancellable(workspace_id: UUID) -> Workspace | None:
    """Lock a prebuild whose pending start is to be cancelled; None when it is gone or busy."""
    return next(iter(lock_deletable([workspace_id])), None)
