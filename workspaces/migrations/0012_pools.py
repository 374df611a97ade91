"""Name the pools of the prebuilds there are, and index them, while everything goes on.

A thousand rows a transaction: claims pass over a row that is locked, so never lock them all.
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from accounts.system import PREBUILDS_USER_ID

BATCH_SIZE = 1_000
UNNAMED = """
SELECT id FROM workspaces_workspace
 WHERE owner_id = %s AND deleted_at IS NULL AND pool_preset_id IS NULL
 ORDER BY id
"""
NAME = """
UPDATE workspaces_workspace AS workspace SET pool_preset_id = build.preset_id
  FROM workspaces_workspacebuild AS build
 WHERE workspace.id = ANY(%s) AND workspace.pool_preset_id IS NULL
   AND build.workspace_id = workspace.id AND build.build_number = 1
"""


def name_pools(_apps: Any, schema_editor: Any) -> None:
    """Write into each live prebuild the preset of its first build."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(UNNAMED, [PREBUILDS_USER_ID])
        ids = [workspace_id for (workspace_id,) in cursor.fetchall()]
        for start in range(0, len(ids), BATCH_SIZE):
            cursor.execute(NAME, [ids[start : start + BATCH_SIZE]])


class Migration(migrations.Migration):
    """Each step commits by itself, and may be repeated."""

    atomic = False
    dependencies = [("workspaces", "0011_pool_preset")]

    operations = [
        migrations.RunPython(name_pools, migrations.RunPython.noop),
        # What is left of one whose making was cut off is invalid, and in the way.
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS workspace_pool", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="workspace",
            index=models.Index(
                condition=models.Q(("owner_id", PREBUILDS_USER_ID), ("deleted_at__isnull", True)),
                fields=["pool_preset", "created_at", "id"],
                name="workspace_pool",
            ),
        ),
    ]
